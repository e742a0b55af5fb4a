"""Stands in for oras (oras.land), which is not to be had without the internet: of its commands, `attach`.

    python -m groundswell.local.oras attach --artifact-type TYPE [--annotation KEY=VALUE]... REFERENCE FILE:TYPE...

It logs in with what is in ~/.docker/config.json, and keeps the tag `sha256-<hex>` up to date where a registry does
not list referrers itself (OCI distribution-spec 1.1, "Pushing Manifests with Subject"), as oras does.
"""

import argparse
import base64
import datetime as dt
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import GroundswellError, InputError, TemporaryError
from groundswell.local.oci import MANIFEST, digest_of
from groundswell.local.push import Client, Login

INDEX = "application/vnd.oci.image.index.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_IMAGES = f"{MANIFEST}, {INDEX}, application/vnd.docker.distribution.manifest.v2+json"
_TITLE, _CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
_TRIES = 5

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    name: str
    media_type: str
    content: bytes


def attach(client: Client, digest: str, kind: str, annotations: Mapping[str, str], files: Sequence[File]) -> str:
    """Attach an artifact of the type `kind` to the manifest `digest`; returns the artifact's digest.

    Raises InputError when there is no such manifest, and what the client raises.
    """
    subject = client.read(f"manifests/{digest}", _IMAGES)
    if subject is None:
        raise InputError(f"{digest} is not in the registry")
    head = b"{}"
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": _descriptor(_EMPTY, head),
        "layers": [
            {**_descriptor(each.media_type, each.content), "annotations": {_TITLE: each.name}} for each in files
        ],
        "subject": _descriptor(json.loads(subject).get("mediaType", MANIFEST), subject),
        "annotations": {**annotations, _CREATED: dt.datetime.now(dt.UTC).isoformat(timespec="seconds")},
    }
    for blob in (head, *(each.content for each in files)):
        client.upload(digest_of(blob), blob)
    content = json.dumps(document).encode()
    put = client.must("PUT", f"manifests/{digest_of(content)}", content, MANIFEST)
    if "OCI-Subject" not in put:
        _list(
            client,
            digest,
            {**_descriptor(MANIFEST, content), "artifactType": kind, "annotations": document["annotations"]},
        )
    return digest_of(content)


def _list(client: Client, digest: str, entry: Json) -> None:
    """Add `entry` to the list under the tag; once more when somebody wrote it at the same time."""
    path = f"manifests/{digest.replace(':', '-')}"
    for _ in range(_TRIES):
        listed = _listed(client, path)
        if any(each["digest"] == entry["digest"] for each in listed):
            return
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*listed, entry]}
        client.must("PUT", path, json.dumps(document).encode(), INDEX)
    if all(each["digest"] != entry["digest"] for each in _listed(client, path)):
        raise TemporaryError(f"the list of what refers to {digest} is written by too many at once")


def _listed(client: Client, path: str) -> list[Json]:
    found = client.read(path, INDEX)
    return [] if found is None else json.loads(found)["manifests"]


def _descriptor(media_type: str, content: bytes) -> Json:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def main(words: Sequence[str]) -> int:
    """The exit status; what went wrong is told on standard error."""
    parser = argparse.ArgumentParser(prog="oras", allow_abbrev=False)
    attaching = parser.add_subparsers(required=True).add_parser("attach", allow_abbrev=False)
    attaching.add_argument("--artifact-type", required=True)
    attaching.add_argument("--annotation", action="append", default=[])
    attaching.add_argument("reference")
    attaching.add_argument("files", nargs="+")
    given = parser.parse_args(words)
    try:
        reference = Reference.parse(given.reference)
        digest = attach(
            Client(_login(reference.registry), reference.repository),
            str(reference.digest),
            given.artifact_type,
            dict(each.split("=", 1) for each in given.annotation),
            [_file(each) for each in given.files],
        )
    except (GroundswellError, InvalidReferenceError, OSError) as exc:
        print(f"Error: {exc}", file=sys.stderr)
        return 1
    print(f"Attached to {given.reference}\nDigest: {digest}")
    return 0


def _login(registry: str) -> Login:
    known = json.loads((Path.home() / ".docker/config.json").read_text("utf-8"))["auths"]
    user, _, password = base64.b64decode(known.get(registry, {}).get("auth", "")).decode().partition(":")
    return Login(registry=registry, user=user, password=password, ca=Path(os.environ["SSL_CERT_FILE"]))


def _file(text: str) -> File:
    name, _, media_type = text.partition(":")
    return File(
        name=name,
        media_type=media_type or "application/vnd.oci.image.layer.v1.tar",
        content=Path(name).read_bytes(),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
