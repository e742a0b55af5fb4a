"""Templates of HCL: texts with `${...}` to fill in, and with `%{if}` and `%{for}` to go through. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from lark import Token, Tree

from groundswell.lineage.sources.hcl_values import HclError, Value, bounded, to_bool, to_text

type Part = str | Tree[Token]
type Evaluate = Callable[[Tree[Token], Mapping[str, Value]], Value]

_ELSE = frozenset({"template_else", "template_endif"})
_ENDIF = frozenset({"template_endif"})
_ENDFOR = frozenset({"template_endfor"})


def split(text: str) -> Iterator[tuple[str, str]]:
    """The literal pieces of an unquoted template, each with the source of the `${...}` or `%{...}` after it."""
    literal: list[str] = []
    at = 0
    while at < len(text):
        two, three = text[at : at + 2], text[at : at + 3]
        if three in {"$${", "%%{"}:
            literal.append(three[1:])
            at += 3
        elif two in {"${", "%{"}:
            end = _closing(text, at)
            yield "".join(literal), text[at:end]
            literal.clear()
            at = end
        else:
            following = [found for mark in "$%" if (found := text.find(mark, at + 1)) >= 0]
            end = min(following, default=len(text))
            literal.append(text[at:end])
            at = end
    yield "".join(literal), ""


def _closing(text: str, at: int) -> int:
    """Where the brace closes that opens at `at` + 1; braces in quoted texts do not count, but for templates."""
    opened: list[str] = []
    while at < len(text):
        quoted = bool(opened) and opened[-1] == '"'
        if quoted and text[at] == "\\":
            at += 1
        elif text[at] == '"':
            if quoted:
                opened.pop()
            else:
                opened.append('"')
        elif text.startswith(("${", "%{"), at):
            opened.append("{")
            at += 1
        elif not quoted and text[at] == "{":
            opened.append("{")
        elif not quoted and text[at] == "}":
            opened.pop()
        at += 1
        if not opened:
            return at
    raise HclError("a template has no closing brace")


def joined(parts: Sequence[Part], evaluate: Evaluate) -> str:
    """The text that a template makes. `evaluate(expression, own)` gets the variables of the loops around."""
    text, end = _sequence(_stripped(parts), 0, frozenset(), {}, evaluate, live=True)
    if end < len(parts):
        raise HclError("a template has an end or else without its beginning")
    return text


def _stripped(parts: Sequence[Part]) -> list[Part]:
    """Take the white space away that a `~` beside a directive eats."""
    done = list(parts)
    for at, part in enumerate(parts):
        if isinstance(part, str):
            continue
        marks = [number for number, child in enumerate(part.children) if _is(child, "STRIP_MARKER")]
        left = any(number <= 1 for number in marks)
        right = any(number > 1 for number in marks)
        if left and at and isinstance(before := done[at - 1], str):
            done[at - 1] = before.rstrip()
        if right and at + 1 < len(done) and isinstance(after := done[at + 1], str):
            done[at + 1] = after.lstrip()
    return done


def _sequence(
    parts: Sequence[Part],
    at: int,
    ends: frozenset[str],
    own: Mapping[str, Value],
    evaluate: Evaluate,
    *,
    live: bool,
) -> tuple[str, int]:
    """The text of the parts from `at` to the one that ends them, and where that is. Dead branches give nothing."""
    made: list[str] = []
    while at < len(parts):
        part = parts[at]
        if isinstance(part, str):
            made.append(part if live else "")
            at += 1
            continue
        name = str(part.data)
        if name in ends:
            return "".join(made), at
        if name == "interpolation":
            made.append(to_text(evaluate(_expressions(part)[0], own)) if live else "")
            at += 1
        elif name == "template_if_start":
            text, at = _if(parts, at, own, evaluate, live=live)
            made.append(text)
        elif name == "template_for_start":
            text, at = _for(parts, at, own, evaluate, live=live)
            made.append(text)
        else:
            return "".join(made), at
        bounded("".join(made))
    if ends:
        raise HclError("a template begins an if or for that has no end")
    return "".join(made), at


def _if(
    parts: Sequence[Part], at: int, own: Mapping[str, Value], evaluate: Evaluate, *, live: bool
) -> tuple[str, int]:
    begin = parts[at]
    holds = live and isinstance(begin, Tree) and to_bool(evaluate(_expressions(begin)[0], own))
    text, at = _sequence(parts, at + 1, _ELSE, own, evaluate, live=holds)
    middle = parts[at]
    if isinstance(middle, Tree) and middle.data == "template_else":
        other, at = _sequence(parts, at + 1, _ENDIF, own, evaluate, live=live and not holds)
        text += other
    return text, at + 1


def _for(
    parts: Sequence[Part], at: int, own: Mapping[str, Value], evaluate: Evaluate, *, live: bool
) -> tuple[str, int]:
    begin = parts[at]
    _, end = _sequence(parts, at + 1, _ENDFOR, own, evaluate, live=False)
    if not live or not isinstance(begin, Tree):
        return "", end + 1
    *names, collection = _expressions(begin)
    value = evaluate(collection, own)
    if isinstance(value, dict):
        pairs: list[tuple[Value, Value]] = [*sorted(value.items())]
    elif isinstance(value, list):
        pairs = [*enumerate(value)]
    else:
        raise HclError("only a list or an object can be gone through")
    made: list[str] = []
    for key, item in pairs:
        bound = dict(zip((str(name.children[0]) for name in names), (key, item)[-len(names) :], strict=True))
        text, _ = _sequence(parts, at + 1, _ENDFOR, {**own, **bound}, evaluate, live=True)
        made.append(text)
        bounded(made)
    return "".join(made), end + 1


def _expressions(node: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in node.children if isinstance(child, Tree) and child.data != "new_line_or_comment"]


def _is(child: object, kind: str) -> bool:
    return isinstance(child, Token) and child.type == kind
