"""What the API server answers when it refuses: a Status object with a reason that clients decide by."""

from collections.abc import Sequence

from groundswell.local.cluster.objects import Json

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
}
_ALWAYS_DETAILED = (404, 405, 422)

type Cause = tuple[str, str, str]
"""Reason, field, message, as in details.causes."""


class ApiError(Exception):
    """A refusal. A 500 is what the server says when it refuses without having thought of it: it gives no reason."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reason: str = "",
        details: Json | None = None,
        causes: Sequence[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or _REASONS.get(status, "")
        self.details = details or {}
        self.causes = causes

    def document(self) -> Json:
        details = {key: value for key, value in self.details.items() if value}
        if self.causes:
            details["causes"] = [
                {"reason": reason, "field": field, "message": message} for reason, field, message in self.causes
            ]
        document: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "code": self.status,
        }
        if self.reason:
            document["reason"] = self.reason
        if details or self.status in _ALWAYS_DETAILED:
            document["details"] = details
        return document


class NotServedError(ApiError):
    """A path below which there is nothing at all: answered with a line of text instead of a Status."""

    def __init__(self) -> None:
        super().__init__(404, "404 page not found")


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422, telling every cause."""
    told = [f"{field}: {message}" for _, field, message in causes]
    listed = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return ApiError(
        422,
        f'{kind}{"." + group if group else ""} "{name}" is invalid: {listed}',
        details={"name": name, "group": group, "kind": kind},
        causes=causes,
    )
