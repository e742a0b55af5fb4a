"""What the comments at the head of a Dockerfile direct: the syntax image, the checks, the escape character.

After frontend/dockerfile/parser/directives.go and ParseLintOptions in frontend/dockerfile/linter/linter.go.
"""

import re

from graph.dockerfile.gotext import SPACES, quote

_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*\Z", re.DOTALL)
_NAMES = ("escape", "syntax", "check")
_TRUTH = ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")


class DirectiveError(ValueError):
    """A directive that BuildKit refuses."""


class Directives:
    """Reads rows from the top for as long as each is a directive; the first other row ends it."""

    def __init__(self) -> None:
        self.open = True
        self._seen: set[str] = set()

    def read(self, row: str) -> tuple[str, str] | None:
        """Name and value of the directive in `row`, if it is one. Raises DirectiveError for a repeated one."""
        found = _DIRECTIVE.match(row[1:].lstrip(SPACES)) if self.open and row.startswith("#") else None
        name = found[1].lower() if found else ""
        if found is None or name not in _NAMES:
            self.open = False
            return None
        if name in self._seen:
            raise DirectiveError(f"only one {name} parser directive can be used")
        self._seen.add(name)
        return name, found[2]


def read_head(text: str) -> dict[str, tuple[str, int]]:
    """First word and line of each directive, as BuildKit looks for `syntax` and `check` before it parses.

    A `#!` row may come before them; a repeated one is left for the parser to refuse.
    """
    directives = Directives()
    found: dict[str, tuple[str, int]] = {}
    at = number = 0
    while directives.open and text.startswith("#", at):
        end = text.find("\n", at)
        row = text[at:] if end < 0 else text[at:end]
        at = len(text) if end < 0 else end + 1
        number += 1
        if number == 1 and row.startswith("#!"):
            continue
        try:
            directive = directives.read(row.removesuffix("\r"))
        except DirectiveError:
            break
        if directive is not None:
            found[directive[0]] = (directive[1].partition(" ")[0], number)
    return found


def check_options(text: str) -> None:
    """What a `# check=` may say. Raises DirectiveError."""
    for part in text.strip(SPACES).split(";", 2) if text.strip(SPACES) else []:
        key, equals, value = part.partition("=")
        if not equals:
            raise DirectiveError(f"failed to parse check options: invalid check option {quote(part)}")
        key, value = key.strip(SPACES), value.strip(SPACES)
        if key not in ("skip", "experimental", "error"):
            raise DirectiveError(f"failed to parse check options: invalid check option {quote(key)}")
        if key == "error" and value not in _TRUTH:
            reason = f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"
            raise DirectiveError(
                f"failed to parse check options: failed to parse check option {quote(part)}: {reason}"
            )
