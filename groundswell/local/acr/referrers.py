"""The referrers API, which docker-registry 2.8 lacks and ACR has (OCI distribution-spec 1.1, "Listing Referrers").

Without it, it is a registry as those of ACR that are encrypted with a customer-managed key: a 404 for the list, no
OCI-Subject for what is put.
"""

import json
import re
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from groundswell.local.acr.answers import decoded_path, refused
from groundswell.local.acr.layout import OCI_INDEX, OCI_MANIFEST, Layout, Manifest

PATH = re.compile(r"/v2/(?P<name>.+)/referrers/(?P<digest>sha256:[0-9a-f]{64})")
_PAGE = 50


class Referrers:
    """Reads them out of the manifests of a repository. `page` is how many are given at once."""

    def __init__(self, layout: Layout, *, page: int = _PAGE) -> None:
        self._layout = layout
        self._page = page

    async def handle(self, request: web.Request) -> web.Response:
        found = PATH.fullmatch(decoded_path(request))
        if request.method != "GET" or found is None:
            return refused(404, "NOT_FOUND", "no such list")
        kind, last = request.query.get("artifactType"), request.query.get("last", "")
        all_of_them = [
            self._descriptor(each)
            for each in self._layout.manifests(found["name"])
            if subject_of(each.document) == found["digest"] and each.digest > last
        ]
        listed = [each for each in all_of_them if kind in (None, each["artifactType"])]
        page = listed[: self._page]
        headers = {} if kind is None else {"OCI-Filters-Applied": "artifactType"}
        if len(listed) > len(page):
            query = {"last": page[-1]["digest"]} | ({} if kind is None else {"artifactType": kind})
            headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page}
        return web.Response(text=json.dumps(body), content_type=OCI_INDEX, headers=headers)

    def _descriptor(self, manifest: Manifest) -> dict[str, Any]:
        """The artifact's type is its config's, where it does not name one itself."""
        document = manifest.document
        kind = document.get("artifactType") or document.get("config", {}).get("mediaType", "")
        return {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": self._layout.size(manifest.digest),
            "artifactType": kind,
            **({"annotations": document["annotations"]} if document.get("annotations") else {}),
        }


def subject_of(document: dict[str, Any]) -> str:
    """The digest that a manifest refers to, empty when it has no subject."""
    subject = document.get("subject")
    return str(subject.get("digest", "")) if isinstance(subject, dict) else ""


def subject_in(content_type: str, body: bytes) -> str:
    """The same of a manifest that is being put."""
    if content_type not in (OCI_MANIFEST, OCI_INDEX):
        return ""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return subject_of(document) if isinstance(document, dict) else ""
