"""The two ways a request or a run goes wrong: ARM refuses it, or the run ends with a reason."""

from groundswell.build.port import RunStatus


class ArmError(Exception):
    """An answer in ARM's error form, `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def bad_request(message: str, code: str = "InvalidRequest") -> ArmError:
    return ArmError(400, code, message)


class RunError(Exception):
    """Ends a run with `status`; the message goes to its log and into runErrorMessage."""

    def __init__(self, message: str, status: RunStatus = RunStatus.FAILED) -> None:
        super().__init__(message)
        self.status = status
