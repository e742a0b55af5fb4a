"""The one error tree: whether a failure is worth another try is a type, not a guess.

`Permanent` errors become `failed(stage, reason)`; `Temporary` ones are tried again after `delay` seconds.
Messages name the subject and the remedy, and never hold a secret: they are shown to people.
"""


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


class ConflictError(TemporaryError):
    """Somebody else wrote first (a stale ETag): load again and decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, delay=0.0)
