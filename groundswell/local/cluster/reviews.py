"""`selfsubjectaccessreviews`: whether whoever asks may do something. As in the real server, nothing is kept."""

from typing import Any

from groundswell.local.cluster.access import Access
from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.objects import Json

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def review(access: Access, user: str, body: Any) -> Json:
    """The review with its status. ApiError 422 when it does not say what is to be done."""
    attributes = (body.get("spec") or {}).get("resourceAttributes") if isinstance(body, dict) else None
    if not isinstance(attributes, dict) or not attributes.get("verb"):
        raise ApiError(422, "spec.resourceAttributes: exactly one of nonResourceAttributes or it must be specified")
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": body["spec"],
        "status": {"allowed": access.may(user, str(attributes["verb"]))},
    }
