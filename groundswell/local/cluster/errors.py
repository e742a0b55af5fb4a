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
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class ApiError(Exception):
    """A refusal. `causes` are (reason, field, message), as in details.causes."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reason: str = "",
        details: Json | None = None,
        causes: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or _REASONS.get(status, "")
        self.details = details or {}
        self.causes = causes

    def document(self) -> Json:
        details = dict(self.details)
        if self.causes:
            details["causes"] = [
                {"reason": reason, "field": field, "message": message} for reason, field, message in self.causes
            ]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "details": details,
            "code": self.status,
        }
