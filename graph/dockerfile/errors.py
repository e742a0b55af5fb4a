"""What BuildKit would refuse."""


class DockerfileError(ValueError):
    """`line` and `column` count from 1; `reason` is in BuildKit's words where it has some."""

    def __init__(self, reason: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason
