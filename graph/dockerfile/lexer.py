"""From text to instructions: directives, continuations, comments, heredocs, flags.

After BuildKit's frontend/dockerfile/parser (parser.go, directives.go, split_command.go, line_parsers.go).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from graph.dockerfile.errors import DockerfileError

_BOM = "\ufeff"
_SPACES = " \t\v\f\r"
_SPACE = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = ("escape", "syntax", "check")
_CONTINUED = {
    "\\": re.compile(r"(?:([^\\])\\[ \t]*|^\\[ \t]*)\Z"),
    "`": re.compile(r"(?:([^`])`[ \t]*|^`[ \t]*)\Z"),
}
_HEREDOC = re.compile(r"\d*<<(-?)([^<]*)")
_TAKES_HEREDOC = ("add", "copy", "run")
_LISTS = ("add", "cmd", "copy", "entrypoint", "run", "shell", "volume")
_MAX_ROW = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One logical line. `name` is the instruction as written, `text` what follows it and its flags."""

    name: str
    flags: tuple[str, ...]
    text: str
    line: int
    column: int = 1
    array: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A lexed Dockerfile. `syntax` is what the directive names."""

    lines: tuple[Line, ...]
    escape: str
    syntax: str | None


def lex(text: str) -> Source:
    """The logical lines of a Dockerfile. Raises DockerfileError where BuildKit's parser gives up."""
    reader = _Reader(text.removeprefix(_BOM))
    lines = tuple(reader.lines())
    if not lines:
        raise DockerfileError("file with no instructions", line=max(1, reader.number))
    return Source(lines=lines, escape=reader.escape, syntax=reader.syntax)


class _Reader:
    def __init__(self, text: str) -> None:
        rows = text.split("\n")
        if rows[-1] == "":
            rows.pop()
        self._rows = [row.removesuffix("\r") for row in rows]
        self._next = 0
        self._directives = True
        self._seen: set[str] = set()
        self.escape = "\\"
        self.syntax: str | None = None

    @property
    def number(self) -> int:
        """Rows read so far."""
        return self._next

    def lines(self) -> Iterator[Line]:
        while self._next < len(self._rows):
            row = self._take()
            begin = self._next
            text = row.lstrip()
            column = len(row) - len(text) + 1
            self._directive(text)
            if text.startswith("#"):
                continue
            text, more = self._continued(text)
            if not more and not text:
                continue
            parts = [text]
            while more and self._next < len(self._rows):
                row = self._take()
                if row.lstrip().startswith("#") or not row.strip():
                    continue
                text, more = self._continued(row)
                parts.append(text)
            line = _line("".join(parts), begin, column)
            if line is None:
                raise DockerfileError("unknown instruction: ", line=begin)
            yield line
            self._skip_heredocs(line, "".join(parts))

    def _take(self) -> str:
        row = self._rows[self._next]
        self._next += 1
        if len(row) > _MAX_ROW // 4 and len(row.encode(errors="surrogatepass")) > _MAX_ROW:
            raise DockerfileError(f"dockerfile line greater than max allowed size of {_MAX_ROW}", line=self._next)
        return row

    def _directive(self, text: str) -> None:
        if not self._directives:
            return
        found = _DIRECTIVE.fullmatch(text)
        if found is None:
            self._directives = False
            return
        name, value = found[1].lower(), found[2]
        if name not in _DIRECTIVES:
            return
        if name in self._seen:
            raise DockerfileError(f"only one {name} parser directive can be used", line=self._next)
        self._seen.add(name)
        if name == "syntax":
            self.syntax = value
        elif name == "escape":
            if value not in _CONTINUED:
                raise DockerfileError(f"invalid escape token '{value}' does not match ` or \\", line=self._next)
            self.escape = value

    def _continued(self, text: str) -> tuple[str, bool]:
        """The text without a continuation character at its end, and whether there was one."""
        if self.escape not in text:
            return text, False
        found = _CONTINUED[self.escape].search(text)
        return (text[: found.start()] + (found[1] or ""), True) if found else (text, False)

    def _skip_heredocs(self, line: Line, original: str) -> None:
        if "<<" not in original:
            return
        heredocs = [found for word in _shell_words(original) if (found := _heredoc(word))]
        heredocs = heredocs if _takes_heredoc(line) else []
        for name, chomp in heredocs:
            while True:
                if self._next >= len(self._rows):
                    raise DockerfileError("unterminated heredoc", line=line.line)
                row = self._take()
                if (row.lstrip("\t") if chomp else row) == name:
                    break


def sub_line(text: str, *, line: int) -> Line | None:
    """The instruction behind an ONBUILD, or one of a base's triggers."""
    return _line(text, line, 1)


def words(text: str) -> list[str]:
    """What white space separates."""
    return _SPACE.split(text.strip(_SPACES)) if text.strip(_SPACES) else []


def quoted_words(text: str, escape: str) -> list[str]:
    """Words as ARG, ENV and LABEL see them: quotes hold them together and stay in them."""
    found: list[str] = []
    word, quote, blank, index = "", "", False, 0
    while index < len(text):
        char = text[index]
        if not quote and char.isspace():
            if word or blank:
                found.append(word)
            word, blank = "", False
        elif char == escape and quote != "'":
            if index + 1 == len(text):
                break
            word += text[index : index + 2]
            index += 1
        else:
            if char in "'\"":
                if not quote:
                    quote, blank = char, True
                elif char == quote:
                    quote = ""
            word += char
        index += 1
    if word or blank:
        found.append(word)
    return found


def _line(text: str, number: int, column: int) -> Line | None:
    name, *rest = _SPACE.split(text.strip(), maxsplit=1)
    if not name:
        return None
    flags, argument = _flags(rest[0]) if rest else ([], "")
    argument = argument.strip()
    try:
        array = _array(argument) if name.lower() in _LISTS else None
    except _NotStringsError as exc:
        reason = "when using JSON array syntax, arrays must be comprised of strings only"
        raise DockerfileError(reason, line=number, column=column) from exc
    return Line(name=name, flags=tuple(flags), text=argument, line=number, column=column, array=array)


def _flags(text: str) -> tuple[list[str], str]:
    """The words that begin with `--` at the front, quotes and backslashes taken out, and the rest."""
    flags: list[str] = []
    index = 0
    while True:
        while index < len(text) and text[index].isspace():
            index += 1
        if not text.startswith("--", index):
            return flags, text[index:]
        word, quote = "", ""
        while index < len(text):
            char = text[index]
            if quote and char == quote:
                quote = ""
            elif not quote and char.isspace():
                break
            elif not quote and char in "'\"":
                quote = char
            elif char == "\\":
                index += 1
                word += text[index : index + 1]
            else:
                word += char
            index += 1
        if word == "--":
            return flags, text[index:]
        flags.append(word)


def _array(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON form, or None when it is none."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in value):
        raise _NotStringsError
    return tuple(value)


class _NotStringsError(Exception):
    """A JSON array with something else than strings in it."""


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def is_heredoc(word: str) -> bool:
    """Whether a word opens a heredoc."""
    return _heredoc(word) is not None


def _takes_heredoc(line: Line) -> bool:
    if line.name.lower() == "onbuild":
        inner = sub_line(line.text, line=line.line)
        return inner is not None and _takes_heredoc(inner)
    return line.name.lower() in _TAKES_HEREDOC and line.array is None


def _heredoc(word: str) -> tuple[str, bool] | None:
    """Terminator and whether leading tabs are cut, when a word opens a heredoc."""
    found = _HEREDOC.fullmatch(word)
    if found is None or not found[2]:
        return None
    inner = _shell_words(found[2])
    if len(inner) != 1:
        return None
    return _unquoted(found[2]), found[1] == "-"


def _shell_words(text: str) -> list[str]:
    """Words as a shell splits them, quotes and escapes left in; none when a quote stays open."""
    found: list[str] = []
    word, quote, index = "", "", 0
    while index < len(text):
        char = text[index]
        if not quote and char in " \t\r\n\v\f":
            if word:
                found.append(word)
            word = ""
        else:
            if char == "\\" and quote != "'":
                word += text[index : index + 2]
                index += 2
                continue
            if char in "'\"" and quote in ("", char):
                quote = "" if quote else char
            word += char
        index += 1
    if quote:
        return []
    return [*found, word] if word else found


def _unquoted(text: str) -> str:
    """A heredoc's name without its quotes and escapes."""
    result, quote, index = "", "", 0
    while index < len(text):
        char = text[index]
        if char == "\\" and quote != "'" and index + 1 < len(text):
            index += 1
            result += ("\\" if quote and text[index] not in '"$\\' else "") + text[index]
        elif char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        else:
            result += char
        index += 1
    return result
