"""The patterns of `${x#pattern}`, `${x%pattern}` and `${x/pattern/y}`: `*`, `?`, and a backslash before them.

After convertShellPatternToRegex in frontend/dockerfile/shell/lex.go. Go's regular expressions take linear time
whatever the pattern; here a star's shortest match is made atomic, which finds the same and does not backtrack.
What a match may take at most is told to `spend` before it is tried, in characters copied, for the caller to refuse.
"""

import re
from collections.abc import Callable, Iterator

_STEPS = 16
"""Steps of a regular expression that take as long as copying a character."""
_DOLLAR = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


type Spend = Callable[[int], None]


class PatternError(ValueError):
    """The pattern is none; the message is BuildKit's."""


def trim_prefix(value: str, pattern: str, spend: Spend, *, greedy: bool) -> str:
    """`value` without the shortest (or the longest) beginning that matches. Raises PatternError."""
    pieces = _pieces(pattern)
    spend(len(value) * max(map(len, pieces)) // _STEPS)
    found = _compile(pieces, greedy=greedy).match(value)
    return value[found.end() :] if found else value


def trim_suffix(value: str, pattern: str, spend: Spend, *, greedy: bool) -> str:
    """`value` without the shortest (or the longest) end that matches. Raises PatternError."""
    return trim_prefix(value[::-1], _reverse(pattern), spend, greedy=greedy)[::-1]


def substitute(value: str, pattern: str, replacement: str, spend: Spend, *, everywhere: bool) -> str:
    """`value` with the first match, or every one, replaced. Raises PatternError."""
    pieces = _pieces(pattern)
    starts = len(value) if len(pieces) > 1 else 1
    spend(len(value) * starts * max(map(len, pieces)) // _STEPS)
    parts = []
    kept = 0
    for found in _matches(_compile(pieces, greedy=True), value):
        parts += [value[kept : found.start()], _filled(replacement, found[0]) if everywhere else replacement]
        kept = found.end()
        if not everywhere:
            break
    return "".join(parts) + value[kept:]


def _matches(compiled: re.Pattern[str], value: str) -> Iterator[re.Match[str]]:
    """As Go's FindAll: an empty match right after the one before it does not count."""
    at, ended = 0, -1
    while at <= len(value) and (found := compiled.search(value, at)):
        if found.end() > at:
            at = found.end()
        else:
            at += 1
        if found[0] or found.start() != ended:
            yield found
        ended = found.end()


def _filled(template: str, match: str) -> str:
    """Go takes the replacement of `//` for a template, in which `$0` is the match and other names are empty."""

    def fill(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return match if (found[2] or found[3]) == "0" else ""

    return _DOLLAR.sub(fill, template) if "$" in template else template


def _pieces(pattern: str) -> list[str]:
    """What stands between the stars, each as a regular expression."""
    pieces = [""]
    index = 0
    pattern = pattern.removeprefix("\ufeff")
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += "."
        elif char == "\\":
            following = pattern[index : index + 1]
            if following in ("}", "/"):
                continue
            if following not in ("*", "?", "\\"):
                shown = following or "\ufffd"
                raise PatternError(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{shown}'")
            pieces[-1] += "\\" + following
            index += 1
        else:
            pieces[-1] += re.escape(char)
    return [pieces[0], *(piece for piece in pieces[1:-1] if piece), *pieces[1:][-1:]]


def _compile(pieces: list[str], *, greedy: bool) -> re.Pattern[str]:
    """The pieces, as early as may be each; only where the last one stands makes a match short or long."""
    first, *rest = pieces
    if not rest:
        return re.compile(first)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    last = f".*{rest[-1]}" if greedy else f".*?{rest[-1]}"
    return re.compile(first + middle + last)


def _reverse(pattern: str) -> str:
    """The pattern from its end, a backslash still before what it stands before."""
    found: list[str] = []
    index = 0
    while index < len(pattern):
        width = 2 if pattern[index] == "\\" and index + 1 < len(pattern) else 1
        found.append(pattern[index : index + width])
        index += width
    return "".join(reversed(found))
