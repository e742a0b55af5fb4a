"""From text to instructions: directives, continued rows, comments, heredocs.

After BuildKit's frontend/dockerfile/parser (parser.go).
"""

from typing import NamedTuple

from graph.dockerfile.arguments import ArgumentError, split_arguments, split_name
from graph.dockerfile.directives import DirectiveError, Directives
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import ExpansionError
from graph.dockerfile.gotext import SPACES
from graph.dockerfile.heredoc import Heredoc, heredocs
from graph.dockerfile.idle import IDLE, idle_rows

_BOM = "\ufeff"
_TAKES_HEREDOC = frozenset(("add", "copy", "run"))
_MAX_ROW = 65535


class Line(NamedTuple):
    """One instruction. A tuple, for there are very many of them.

    `name` as written and `kind` in lower case; `flags` without quotes; `args` what follows them, split as the
    instruction has it, from JSON where `is_json`; ENV and LABEL have names and values in turn. `original` is the
    whole line, continued rows joined.
    """

    name: str
    kind: str
    flags: tuple[str, ...]
    args: tuple[str, ...]
    is_json: bool
    line: int
    column: int
    original: str
    heredocs: tuple[Heredoc, ...] = ()


class Source(NamedTuple):
    """A lexed Dockerfile."""

    lines: list[Line]
    escape: str


def lex(text: str) -> Source:
    """The instructions of a Dockerfile. Raises DockerfileError where BuildKit's parser gives up.

    Instructions of stages in forms so plain that they are sound, and say nothing of images, are passed over: a run
    of them is one line of the kind IDLE.
    """
    reader = _Reader(text.removeprefix(_BOM))
    reader.read(glance=True)
    if not reader.lines:
        raise DockerfileError("file with no instructions", line=max(1, reader.number))
    return Source(reader.lines, reader.escape)


def read_idle(line: Line, escape: str) -> list[Line]:
    """The instructions that were passed over in a line of the kind IDLE."""
    reader = _Reader(line.original, escape=escape, number=line.line - 1)
    reader.read(glance=False)
    return reader.lines


class _Reader:
    """Reads a text from the top, or from behind its directives where an escape character is given."""

    def __init__(self, text: str, *, escape: str = "", number: int = 0) -> None:
        long = _find_too_long(text)
        self._text = text if long is None else text[:long]
        self._too_long = long is not None
        self._at = 0
        self._directives = Directives() if not escape else None
        self.escape = escape or "\\"
        self.number = number
        self.lines: list[Line] = []

    def read(self, *, glance: bool) -> None:
        """Read everything; with `glance`, pass over what is idle once a stage has begun."""
        text, end, lines = self._text, len(self._text), self.lines
        directives, idle = self._directives, None
        while self._at < end:
            if idle is not None:
                begin, rows = self._at, idle.match(text, self._at)
                if rows is not None and rows.end() > begin:
                    passed = rows[0]
                    lines.append(Line("", IDLE, (), (), False, self.number + 1, 1, passed))
                    self.number += passed.count("\n")
                    self._at = rows.end()
                    continue
            row = self._row()
            begun = row.lstrip(SPACES)
            if directives is not None and directives.open:
                self._direct(directives, begun)
            if begun and begun[0] != "#":
                line = self._line(begun, len(row) - len(begun) + 1)
                lines.append(line)
                if glance and line.kind == "from":
                    idle = idle_rows(self.escape)
        if self._too_long and lines:
            reason = f"dockerfile line greater than max allowed size of {_MAX_ROW}"
            raise DockerfileError(reason, line=self.number + 1)

    def _row(self) -> str:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        row = self._text[self._at : end]
        self._at = end + 1
        self.number += 1
        return row.rstrip("\r") if row.endswith("\r") else row

    def _direct(self, directives: Directives, row: str) -> None:
        try:
            directive = directives.read(row)
        except DirectiveError as exc:
            raise DockerfileError(str(exc), line=self.number) from exc
        if directive is not None and directive[0] == "escape":
            if directive[1] not in ("\\", "`"):
                reason = f"invalid escape token '{directive[1]}' does not match ` or \\"
                raise DockerfileError(reason, line=self.number)
            self.escape = directive[1]

    def _line(self, text: str, column: int) -> Line:
        """The instruction that begins with the row just read."""
        number = self.number
        if self.escape in text and (more := self._continued(text)) is not None:
            text = self._join(more)
        name, kind, rest = split_name(text)
        try:
            flags, args, is_json = split_arguments(kind, rest, self.escape)
        except ArgumentError as exc:
            raise DockerfileError(str(exc), line=number, column=column) from exc
        line = Line(name, kind, flags, args, is_json, number, column, text)
        if "<<" in text and _takes_heredoc(line):
            line = line._replace(heredocs=self._heredocs(line))
        return line

    def _continued(self, text: str) -> str | None:
        """The text without the escape character at its end that has the next row continue it, if there is one."""
        text = text.rstrip(" \t")
        if not text.endswith(self.escape) or text[-2:-1] == self.escape:
            return None
        return text[:-1]

    def _join(self, text: str) -> str:
        parts = [text]
        more: str | None = text
        while more is not None and self._at < len(self._text):
            row = self._row()
            begun = row.lstrip(SPACES)
            if not begun or begun[0] == "#":
                continue
            more = self._continued(row) if self.escape in row else None
            parts.append(row if more is None else more)
        return "".join(parts)

    def _heredocs(self, line: Line) -> tuple[Heredoc, ...]:
        """The heredocs of a line with their contents, read."""
        try:
            opened = heredocs(line.original)
        except ExpansionError as exc:
            raise DockerfileError(str(exc), line=line.line, column=line.column) from exc
        return tuple(self._heredoc(heredoc, line) for heredoc in opened)

    def _heredoc(self, heredoc: Heredoc, line: Line) -> Heredoc:
        begin = self._at
        while self._at < len(self._text):
            end = self._at
            row = self._row()
            if (row.lstrip("\t") if heredoc.chomp else row) == heredoc.name:
                return heredoc.filled(self._text[begin:end])
        raise DockerfileError("unterminated heredoc", line=line.line, column=line.column)


def _find_too_long(text: str) -> int | None:
    """Where the first row begins that is longer than BuildKit reads, if there is one."""
    if len(text) <= _MAX_ROW // 4:
        return None
    at = 0
    for row in text.split("\n"):
        if len(row) > _MAX_ROW // 4 and len(row.encode(errors="surrogatepass")) > _MAX_ROW:
            return at
        at += len(row) + 1
    return None


def _takes_heredoc(line: Line) -> bool:
    kind = line.kind
    if kind == "onbuild" and line.args:
        kind = line.args[0].lower()
    return kind in _TAKES_HEREDOC and not line.is_json
