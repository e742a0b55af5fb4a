"""The one error tree: whether a failure is worth another try is a type, not a guess.

`Permanent` errors become `failed(stage, reason)`; `Temporary` ones are tried again after `delay` seconds.
Messages name the subject and the remedy, and never hold a secret: they are shown to people.
"""

import re

_LONGEST_CAUSE = 200
_QUERY = re.compile(r"\?[^\s'\"<>)]+")
_USER = re.compile(r"//[^\s/'\"]*@")
_FIELD = re.compile(
    r"\b(access_token|refresh_token|client_assertion|client_secret|password)([\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"\b(basic|bearer|digest|sharedkey(?:lite)?|negotiate)(\s+)[^\s,;\"'<>]+", re.IGNORECASE)


class GroundswellError(Exception):
    """Root of every error the product raises on purpose."""


class PermanentError(GroundswellError):
    """Trying again cannot help; a person or another input must."""


class TemporaryError(GroundswellError):
    """Trying again later may help. `delay` is in seconds."""

    def __init__(self, message: str, *, delay: float = 5.0) -> None:
        super().__init__(message)
        self.delay = delay


class InputError(PermanentError):
    """What a person or a client sent is wrong; the message says what, where, and what to do."""


class NotFoundError(PermanentError):
    """The named thing does not exist."""


class NewerError(TemporaryError):
    """A newer program wrote it: it is neither guessed at nor written over, but left to that one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, delay=60.0)


class ConflictError(TemporaryError):
    """Somebody else wrote first (a stale ETag): load again and decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, delay=0.0)


def without_logins(text: str) -> str:
    """What a server says, without a header's or a form's login that it hands back: some pages of errors do."""
    return _FIELD.sub(r"\1\2…", _LOGIN.sub(r"\1\2…", text))


def cause(error: BaseException) -> str:
    """What lies at the bottom of an SDK's error: `Type: its words`, in one line, at most 200 characters of them.

    The HTTP libraries wrap errors in one another and put the reason last. What may be a secret in a URL (its query,
    its user) is left out.
    """
    seen: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and not any(inner is other for other in seen):
        seen.append(inner)
        inner = _inside(inner)
    words = " ".join(str(seen[-1]).split())
    words = without_logins(_USER.sub("//", _QUERY.sub("?…", words)))
    kind = type(seen[-1]).__name__
    return f"{kind}: {words[:_LONGEST_CAUSE]}" if words else kind


def _inside(error: BaseException) -> BaseException | None:
    """The error that this one wraps: azure-core's inner_exception, urllib3's reason, or its only argument."""
    wrapped = (getattr(error, "inner_exception", None), getattr(error, "reason", None), *error.args[:1])
    return next((each for each in wrapped if isinstance(each, BaseException)), None)
