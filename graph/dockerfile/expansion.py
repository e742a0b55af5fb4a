"""BuildKit's shell lexer: `$x`, every form of `${x}`, quotes and escapes.

After frontend/dockerfile/shell/lex.go. What cannot end in a reasonable size or depth is refused.
"""

from collections.abc import Mapping

MAX_LENGTH = 1 << 20
_MAX_DEPTH = 64
_MAX_WORK = 20_000_000
_SPECIAL = "@*#?-$!0"


class ExpansionError(ValueError):
    """BuildKit would refuse the word; the message is its own."""


def expand(word: str, values: Mapping[str, str], *, escape: str = "\\") -> str:
    """`word` with variables put in and quotes taken out. Raises ExpansionError."""
    if "$" not in word and escape not in word and "'" not in word and '"' not in word:
        return word
    return _Scanner(word, values, escape).run()


class _Scanner:
    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._at = 0
        self._values = values
        self._escape = escape
        self._depth = 0

    def run(self) -> str:
        return self._until("", raw=False)

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
            raise ExpansionError("substitutions are nested too deeply")
        parts: list[str] = []
        size = 0
        while char := self._peek():
            if char == stop:
                self._at += 1
                self._depth -= 1
                return "".join(parts)
            if char == "'":
                part = self._single()
            elif char == '"':
                part = self._double(raw=raw)
            elif char == "$":
                part = self._dollar()
            else:
                self._at += 1
                part = char
                if char == self._escape:
                    following = self._next()
                    part = (char if raw else "") + following
            parts.append(part)
            size += len(part)
            if size > MAX_LENGTH:
                raise ExpansionError(f"the expanded word is longer than {MAX_LENGTH} characters")
        if stop:
            raise ExpansionError(f"unexpected end of statement while looking for matching {stop}")
        self._depth -= 1
        return "".join(parts)

    def _single(self) -> str:
        self._at += 1
        end = self._text.find("'", self._at)
        if end < 0:
            self._at = len(self._text)
            raise ExpansionError("unexpected end of statement while looking for matching single-quote")
        part = self._text[self._at : end]
        self._at = end + 1
        return part

    def _double(self, *, raw: bool) -> str:
        self._at += 1
        parts: list[str] = []
        while char := self._peek():
            if char == '"':
                self._at += 1
                return "".join(parts)
            if char == "$":
                parts.append(self._dollar())
                continue
            self._at += 1
            if char == self._escape:
                if raw:
                    parts.append(char)
                following = self._peek()
                if not following:
                    continue
                if following in ('"', "$", self._escape):
                    char = self._next()
            parts.append(char)
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._values.get(name, "") if name else "$"
        self._at += 1
        following = self._peek()
        if not following:
            raise ExpansionError("syntax error: missing '}'")
        if following in "{}:":
            raise ExpansionError("syntax error: bad substitution")
        name = self._name()
        operator = self._next()
        if operator == "}":
            return self._values.get(name, "")
        if operator == "/":
            return self._replace(name)
        empty_is_unset = operator == ":"
        if empty_is_unset:
            operator = self._next()
        shown = ":" * empty_is_unset + operator
        if not empty_is_unset and operator not in ("+", "-", "?", "#", "%"):
            raise ExpansionError(f"unsupported modifier ({shown}) in substitution")
        word = self._part("}", raw=operator in ("#", "%"), missing="}")
        return self._modified(name, operator, word, empty_is_unset=empty_is_unset)

    def _modified(self, name: str, operator: str, word: str, *, empty_is_unset: bool) -> str:
        value = self._values.get(name)
        missing = value is None or (empty_is_unset and value == "")
        match operator:
            case "-":
                return word if missing else value or ""
            case "+":
                return "" if missing else word
            case "?":
                if value is None:
                    raise ExpansionError(f"{name}: {word or 'is not allowed to be unset'}")
                if missing:
                    raise ExpansionError(f"{name}: {word or 'is not allowed to be empty'}")
                return value
            case "#" | "%":
                greedy = word.startswith(operator)
                tokens = _tokens(word[1:] if greedy else word)
                return _trim(value or "", tokens, greedy=greedy, suffix=operator == "%")
            case _:
                raise ExpansionError(f"unsupported modifier (:{operator}) in substitution")

    def _replace(self, name: str) -> str:
        everywhere = self._peek() == "/"
        if everywhere:
            self._at += 1
        pattern = self._part("/", raw=True, missing="/' in ${}", end="")
        replacement = self._part("}", raw=True, missing="}")
        return _substitute(self._values.get(name, ""), _tokens(pattern), replacement, everywhere=everywhere)

    def _part(self, stop: str, *, raw: bool, missing: str, end: str = "'") -> str:
        try:
            return self._until(stop, raw=raw)
        except ExpansionError:
            if not self._peek():
                raise ExpansionError(f"syntax error: missing '{missing}{end}") from None
            raise

    def _name(self) -> str:
        begin = self._at
        first = self._peek()
        if first.isdigit():
            while self._peek().isdigit():
                self._at += 1
        elif first and first in _SPECIAL:
            self._at += 1
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdigit() or char == "_"):
                self._at += 1
        return self._text[begin : self._at]


# Patterns: `*` and `?`, matched without backtracking, so that no pattern can take for ever.

type _Token = tuple[str, str]
_LITERAL, _ANY, _STAR = "literal", "any", "star"


def _tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "*":
            if not tokens or tokens[-1][0] != _STAR:
                tokens.append((_STAR, ""))
        elif char == "?":
            tokens.append((_ANY, ""))
        elif char == "\\":
            following = pattern[index + 1 : index + 2]
            if following in ("}", "/") and following:
                index += 1
                continue
            if following not in ("*", "?", "\\") or not following:
                raise ExpansionError(f"invalid escape '\\{following}'")
            tokens.append((_LITERAL, following))
            index += 1
        else:
            tokens.append((_LITERAL, char))
        index += 1
    return tokens


def _ends(value: str, tokens: list[_Token], begin: int) -> list[int]:
    """Every place where a match that begins at `begin` can end."""
    if (len(value) - begin + 1) * (len(tokens) + 1) > _MAX_WORK:
        raise ExpansionError("the pattern is too large for its value")
    places = {begin}
    for kind, char in tokens:
        if kind == _STAR:
            places = set(range(min(places), len(value) + 1)) if places else places
        elif kind == _ANY:
            places = {place + 1 for place in places if place < len(value)}
        else:
            places = {place + 1 for place in places if place < len(value) and value[place] == char}
        if not places:
            return []
    return sorted(places)


def _trim(value: str, tokens: list[_Token], *, greedy: bool, suffix: bool) -> str:
    if suffix:
        return _trim(value[::-1], tokens[::-1], greedy=greedy, suffix=False)[::-1]
    ends = _ends(value, tokens, 0)
    if not ends:
        return value
    return value[ends[-1] if greedy else ends[0] :]


def _substitute(value: str, tokens: list[_Token], replacement: str, *, everywhere: bool) -> str:
    if len(value) * (len(value) + 1) * (len(tokens) + 1) > _MAX_WORK * 4:
        raise ExpansionError("the pattern is too large for its value")
    parts: list[str] = []
    at = kept = 0
    matched_before = -1
    while at <= len(value):
        ends = _ends(value, tokens, at)
        if not ends or (ends[-1] == at and at == matched_before):
            at += 1
            continue
        parts += [value[kept:at], replacement]
        kept = ends[-1]
        matched_before = kept
        at = kept if kept > at else at + 1
        if not everywhere:
            break
    return "".join(parts) + value[kept:]
