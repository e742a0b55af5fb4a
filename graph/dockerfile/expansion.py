"""BuildKit's shell lexer: `$x`, every form of `${x}`, quotes and escapes, and words split as a shell splits them.

After frontend/dockerfile/shell/lex.go. What would not end in a reasonable size, depth or time is refused.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import takewhile

from graph.dockerfile.gotext import SPACES, quote
from graph.dockerfile.pattern import PatternError, substitute, trim_prefix, trim_suffix

MAX_LENGTH = 1 << 20
_MAX_DEPTH = 100
_MAX_WORK = 64 << 20
_BOM = "\ufeff"
_NAME = re.compile(r"\d+|[@*#?\-$!0]|\w*")
_HEREDOC = re.compile(r"<<[\t\r ]*")


class ExpansionError(ValueError):
    """BuildKit would refuse the word; the message is its own."""


class _LimitError(ExpansionError):
    """BuildKit would not refuse it, but it takes too much."""


class Shell:
    """Expands words with one escape character; the characters it puts in, over all words, are bounded.

    `quotes` off leaves quotes alone, as in heredocs.
    """

    def __init__(self, escape: str = "\\", *, quotes: bool = True) -> None:
        self._escape = escape
        self._quotes = quotes
        self._work = _MAX_WORK

    def expand(self, word: str, values: Mapping[str, str | None], unknown: set[str] | None = None) -> str:
        """`word` with variables put in and quotes taken out. Raises ExpansionError.

        Names that `values` lacks but that may have a value all the same are added to `unknown` where it is given;
        `${x?}` then does not refuse them.
        """
        if not _magic(self._escape).search(word):
            return word
        scanner = _Scanner(word, values, self._escape, quotes=self._quotes, unknown=unknown)
        scanner.work = self._work
        try:
            return scanner.run()
        except (ExpansionError, PatternError) as exc:
            raise ExpansionError(f"failed to process {quote(word)}: {exc}") from exc
        finally:
            self._work = scanner.work


def shell_words(text: str, values: Mapping[str, str | None], escape: str, unknown: set[str] | None) -> list[str]:
    """The words of an expanded text, split at white space that is not quoted. Raises ExpansionError."""
    return _words(text, _Scanner(text, values, escape, unknown=unknown), raw=False)


def heredoc_words(text: str, *, raw_quotes: bool, raw_escapes: bool = False) -> list[str]:
    """The words of a text with its variables left in, and its quotes and escapes as told. Raises ExpansionError."""
    scanner = _Scanner(text, {}, "\\", raw_quotes=raw_quotes, skip_unset=True)
    return _words(text, scanner, raw=raw_escapes)


def _words(text: str, scanner: "_Scanner", *, raw: bool) -> list[str]:
    try:
        return scanner.words(raw=raw)
    except (ExpansionError, PatternError) as exc:
        raise ExpansionError(f"failed to process {quote(text)}: {exc}") from exc


@lru_cache(maxsize=16)
def _magic(escape: str) -> re.Pattern[str]:
    """What makes a word more than itself."""
    return re.compile(f"[$'\"{re.escape(escape)}]|\\A{_BOM}")


@lru_cache(maxsize=128)
def _plain(special: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(special)}]*")


class _Words:
    """Collects words: what is quoted belongs to the word it stands in, other white space ends it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._word: list[str] = []
        self._inside = False

    def add(self, text: str) -> None:
        for char in text:
            if char not in SPACES:
                self.add_raw(char)
            elif self._inside and any(self._word):
                self.found.append("".join(self._word))
                self._word.clear()
                self._inside = False

    def add_raw(self, text: str) -> None:
        self._word.append(text)
        self._inside = True

    def forget(self) -> None:
        self._word.clear()

    def end(self) -> list[str]:
        if any(self._word):
            self.found.append("".join(self._word))
        return self.found


class _Scanner:
    def __init__(
        self,
        text: str,
        values: Mapping[str, str | None],
        escape: str,
        *,
        quotes: bool = True,
        raw_quotes: bool = False,
        skip_unset: bool = False,
        unknown: set[str] | None = None,
    ) -> None:
        self._text = text.removeprefix(_BOM)
        self._at = 0
        self._depth = 0
        self._values = values
        self._escape = escape
        self._special = "$" + escape + ("'\"" if quotes else "")
        self._quotes = quotes
        self._raw_quotes = raw_quotes
        self._skip_unset = skip_unset
        self._unknown = unknown
        self._words = _Words()
        self.work = _MAX_WORK

    def run(self) -> str:
        return self._until("", raw=False)

    def words(self, *, raw: bool) -> list[str]:
        """As `run`, in words."""
        words = self._words
        while char := self._peek():
            if char == "$":
                words.add(self._dollar())
            elif char == "<":
                words.add_raw(self._heredoc())
            elif char in "'\"" or char == self._escape:
                words.add_raw(self._one(char, raw=raw))
            else:
                words.add(self._next())
        return words.end()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, *, raw: bool) -> str:
        """Everything up to `stop` (or the end), processed; `raw` keeps escape characters, for patterns."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _LimitError("substitutions are nested too deeply")
        plain = _plain(self._special + stop)
        parts: list[str] = []
        size = 0
        while True:
            found = plain.match(self._text, self._at)
            part = found[0] if found else ""
            self._at += len(part)
            char = self._peek()
            if char and char != stop:
                part += self._one(char, raw=raw)
            parts.append(part)
            size += len(part)
            if size > MAX_LENGTH:
                raise _LimitError(f"the expanded word is longer than {MAX_LENGTH} characters")
            if not char or char == stop:
                break
        if stop and not char:
            raise ExpansionError(f"unexpected end of statement while looking for matching {stop}")
        self._at += len(stop)
        self._depth -= 1
        return "".join(parts)

    def _one(self, char: str, *, raw: bool) -> str:
        """What a special character begins."""
        if char == "$":
            return self._dollar()
        if char == "'" and self._quotes:
            return self._single()
        if char == '"' and self._quotes:
            return self._double(raw=raw)
        self._at += 1
        return (char if raw else "") + self._next()

    def _heredoc(self) -> str:
        """`<<` and the white space after it, which belongs to its word."""
        found = _HEREDOC.match(self._text, self._at)
        part = found[0] if found else "<"
        self._at += len(part)
        return part

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._at = len(self._text)
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        begin, self._at = self._at, end + 1
        return self._text[begin : end + 1] if self._raw_quotes else self._text[begin + 1 : end]

    def _double(self, *, raw: bool) -> str:
        self._at += 1
        plain = _plain('"$' + self._escape)
        parts: list[str] = []
        while True:
            found = plain.match(self._text, self._at)
            parts.append(found[0] if found else "")
            self._at += len(parts[-1])
            char = self._peek()
            if not char:
                raise ExpansionError("unexpected end of statement while looking for matching double-quote")
            if char == "$":
                parts.append(self._dollar())
                continue
            self._at += 1
            if char == '"':
                inner = "".join(parts)
                return f'"{inner}"' if self._raw_quotes else inner
            if raw:
                parts.append(char)
            following = self._peek()
            if following and following in ('"', "$", self._escape):
                parts.append(self._next())
            elif following:
                parts.append(char)

    def _value(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None and self._unknown is not None:
            self._unknown.add(name)
        self._spend(len(value or ""))
        return value

    def _spend(self, characters: int) -> None:
        self.work -= characters
        if self.work < 0:
            raise _LimitError(f"variables are put in for more than {_MAX_WORK} characters")

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        name = found[0] if found else ""
        if not name.isascii():
            # Python's `\w` takes in numbers that are no digits.
            name = "".join(takewhile(lambda char: char.isalpha() or char.isdecimal() or char == "_", name))
        self._at += len(name)
        return name

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            return f"${name}" if value is None and self._skip_unset else value or ""
        self._at += 1
        following = self._peek()
        if not following:
            raise ExpansionError("syntax error: missing '}'")
        if following in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        name = self._name()
        operator = self._next()
        if operator == "}":
            value = self._value(name)
            return f"${{{name}}}" if value is None and self._skip_unset else value or ""
        if operator == "/":
            return self._replaced(name)
        return self._modified(name, operator)

    def _modified(self, name: str, operator: str) -> str:
        shown = operator
        if operator == ":":
            operator = self._next()
            shown += operator or "\ufffd"
        elif operator not in ("+", "-", "?", "#", "%") or not operator:
            raise ExpansionError(f"unsupported modifier ({operator or '\ufffd'}) in substitution")
        trims = operator in ("#", "%")
        if trims and len(shown) > 1:
            raise ExpansionError(f"unsupported modifier ({shown}) in substitution")
        word = self._part("}", raw=trims, missing="'}'")
        value = self._value(name)
        if value is None and self._skip_unset:
            return f"${{{name}{shown}{word}}}"
        missing = value is None or (value == "" and shown[0] == ":")
        if operator == "-":
            return word if missing else value or ""
        if operator == "+":
            return "" if missing else word
        if operator == "?":
            if missing and not (value is None and self._unknown is not None):
                raise ExpansionError(
                    f"{name}: {word or f'is not allowed to be {"unset" if value is None else "empty"}'}"
                )
            return value or ""
        if not trims:
            raise ExpansionError(f"unsupported modifier ({shown}) in substitution")
        greedy = word.startswith(operator)
        trim = trim_suffix if operator == "%" else trim_prefix
        return trim(value or "", word[1:] if greedy else word, self._spend, greedy=greedy)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        pattern = self._part("/", raw=True, missing="'/' in ${}")
        replacement = self._part("}", raw=True, missing="'}'")
        value = self._value(name)
        if value is None and self._skip_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        return substitute(value or "", pattern, replacement, self._spend, everywhere=everywhere)

    def _part(self, stop: str, *, raw: bool, missing: str) -> str:
        try:
            part = self._until(stop, raw=raw)
        except _LimitError:
            raise
        except (ExpansionError, PatternError):
            if not self._peek():
                raise ExpansionError(f"syntax error: missing {missing}") from None
            raise
        # BuildKit has one buffer for the words of all levels: a part in `${}` makes it forget the word so far.
        self._words.forget()
        return part
