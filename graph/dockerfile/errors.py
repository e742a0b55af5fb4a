"""What BuildKit would refuse."""

_LONGEST = 2000


class DockerfileError(ValueError):
    """`line` and `column` count from 1; `reason` is one line, in BuildKit's words where it has some."""

    def __init__(self, reason: str, *, line: int = 1, column: int = 1) -> None:
        reason = reason.replace("\r", "\\r").replace("\n", "\\n")
        if len(reason) > _LONGEST:
            reason = reason[:_LONGEST] + "..."
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason
