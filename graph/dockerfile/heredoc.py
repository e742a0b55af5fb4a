"""Heredocs as BuildKit finds them: `<<EOF`, `<<-EOF`, `3<<'A B'`, `<< EOF`.

After heredocsFromLine and ParseHeredoc in frontend/dockerfile/parser/parser.go.
"""

import re
from dataclasses import dataclass, replace

from graph.dockerfile.expansion import ExpansionError, heredoc_words
from graph.dockerfile.gotext import SPACES

_MAGIC = re.compile(r"[$'\"\\\ufeff]")
_WORD = re.compile(f"(?:<<[\\t\\r ]*|[^{SPACES}])+")
_SPACE = re.compile(f"[{SPACES}]")
_HEREDOC = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """`name` ends it; `chomp` cuts leading tabs; `expand` has variables put into its content."""

    name: str
    chomp: bool
    expand: bool
    content: str = ""

    def filled(self, content: str) -> "Heredoc":
        return replace(self, content=content)


def parse_heredoc(word: str) -> Heredoc | None:
    """The heredoc that a word opens, if it opens one. Raises ExpansionError for quotes that do not end."""
    found = _HEREDOC.match(word) if "<<" in word else None
    if found is None or not found[2]:
        return None
    if not _MAGIC.search(found[2]) and not _SPACE.search(found[2]):
        return Heredoc(name=found[2], chomp=found[1] == "-", expand=True)
    words = heredoc_words(found[2], raw_quotes=False)
    if len(words) != 1:
        return None
    raw = heredoc_words(found[2], raw_quotes=True)
    if len(raw) != 1:
        raise ExpansionError(f"internal lexing of heredoc produced inconsistent results: {found[2]}")
    return Heredoc(name=words[0], chomp=found[1] == "-", expand=_quotes(words[0]) == _quotes(raw[0]))


def heredocs(line: str) -> list[Heredoc]:
    """The heredocs that a line opens, none when its quotes do not end. Raises ExpansionError."""
    try:
        magic = _MAGIC.search(line)
        words = heredoc_words(line, raw_quotes=True, raw_escapes=True) if magic else _WORD.findall(line)
    except ExpansionError:
        return []
    return [found for word in words if (found := parse_heredoc(word)) is not None]


def opened_heredoc(word: str) -> Heredoc | None:
    """The heredoc that a word opens, if it opens one; quotes that do not end open none."""
    try:
        return parse_heredoc(word)
    except ExpansionError:
        return None


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')
