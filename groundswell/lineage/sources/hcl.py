"""HCL expressions: python-hcl2's syntax tree, evaluated as HashiCorp's HCL does. Pure.

What a file can make us compute is bounded in steps and in the size of every value. Numbers are int where they are
whole, else float; objects are dict, tuples and lists are list.
Source of the rules: github.com/hashicorp/hcl, hclsyntax/spec.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lark import Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from groundswell.errors import InputError
from groundswell.lineage.sources.hcl_templates import Part, joined, split
from groundswell.lineage.sources.hcl_values import (
    HclError,
    Value,
    compare,
    index,
    size_of,
    to_bool,
    to_number,
    to_text,
)

type Node = Tree[Token]
type Function = Callable[..., Value]

_MAX_STEPS = 200_000
_STEP = 64  # of a value's size; what is big takes longer
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def parse(text: str) -> Node:
    """The `body` of an HCL file. Raises InputError with the line of what is no HCL."""
    from hcl2.api import parses_to_tree

    try:
        start: Node = parses_to_tree(text.removeprefix("\ufeff"))
    except UnexpectedInput as exc:
        line = exc.line if exc.line > 0 else text.count("\n") + 1
        raise InputError(f"line {line}: not valid HCL") from exc
    except (LarkError, RecursionError) as exc:
        raise InputError(f"not valid HCL: {str(exc).splitlines()[0][:200]}") from exc
    return next(trees(start))


def trees(node: Node) -> Iterator[Node]:
    """The children that mean something: no punctuation, no comments."""
    for child in node.children:
        if isinstance(child, Tree) and child.data != "new_line_or_comment":
            yield child


def attributes(body: Node) -> dict[str, Node]:
    """The attributes of a body, each with its expression."""
    found: dict[str, Node] = {}
    for child in trees(body):
        if child.data == "attribute":
            name, value = trees(child)
            found[name_of(name)] = value
    return found


def blocks(body: Node) -> Iterator[tuple[str, tuple[str, ...], Node]]:
    """The blocks of a body: type, labels, body."""
    for child in trees(body):
        if child.data == "block":
            kind, *labels, inner = trees(child)
            yield name_of(kind), tuple(_label(label) for label in labels), inner


def name_of(node: Node) -> str:
    return str(node.children[0])


def calls(node: Node) -> Iterator[tuple[str, int]]:
    """The functions that an expression calls, each with its line."""
    for call in node.find_data("function_call"):
        yield _function_name(call), _line(call)


def _label(node: Node) -> str:
    if node.data == "string":
        return "".join(str(part.children[0]) for part in trees(node))
    return name_of(node)


def _function_name(call: Node) -> str:
    return "::".join(name_of(child) for child in trees(call) if child.data == "identifier")


def _line(node: Node) -> int:
    return getattr(node.meta, "line", 1)


class Scope:
    """The names that an expression may use. `variable` and `function` raise HclError for what they do not know."""

    def __init__(self, variable: Callable[[str], Value], function: Callable[[str], Function]) -> None:
        self._variable = variable
        self.function = function
        self._own: Mapping[str, Value] = {}

    def variable(self, name: str) -> Value:
        return self._own[name] if name in self._own else self._variable(name)

    def having(self, own: Mapping[str, Value]) -> "Scope":
        """A scope inside this one."""
        inner = Scope(self._variable, self.function)
        inner._own = {**self._own, **own}
        return inner


class Evaluator:
    """Evaluates expressions of one file; `steps` bounds what all of them together may take."""

    def __init__(self) -> None:
        self._steps = 0

    def value(self, node: Node, scope: Scope) -> Value:
        """The value of an expression. Raises HclError that says what cannot be computed, and in which line."""
        try:
            return self._value(node, scope)
        except RecursionError as exc:
            raise HclError("an expression is nested too deeply", line=_line(node)) from exc

    def template(self, text: str, scope: Scope) -> Value:
        """The value of a text with templates in it, as JSON files have them."""
        return self._parts(list(_parsed(text)), scope)

    def _value(self, node: Node, scope: Scope) -> Value:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise HclError(f"the file takes more than {_MAX_STEPS:,} steps to compute")
        method = getattr(self, f"_{node.data}", None)
        if method is None:
            raise HclError(f"the expression {node.data} is not known here", line=_line(node))
        try:
            value: Value = method(node, scope)
            self._steps += size_of(value) // _STEP
        except HclError as exc:
            raise exc.at(_line(node)) from exc
        return value

    # One method for each rule of the grammar that stands for a value.

    def _expr_term(self, node: Node, scope: Scope) -> Value:
        return self._value(next(trees(node)), scope)

    def _identifier(self, node: Node, scope: Scope) -> Value:
        return scope.variable(name_of(node))

    def _literal_value(self, node: Node, _scope: Scope) -> Value:
        return {"true": True, "false": False, "null": None}[name_of(node)]

    def _int_lit(self, node: Node, _scope: Scope) -> Value:
        return to_number(name_of(node))

    _float_lit = _int_lit

    def _string(self, node: Node, scope: Scope) -> Value:
        return self._parts([_part(part.children[0]) for part in trees(node)], scope)

    def _heredoc_template(self, node: Node, scope: Scope) -> Value:
        return self._parts(list(_parsed(_heredoc(name_of(node)))), scope)

    def _heredoc_template_trim(self, node: Node, scope: Scope) -> Value:
        lines = _heredoc(name_of(node)).split("\n")
        indents = [len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()]
        cut = min(indents, default=0)
        return self._parts(list(_parsed("\n".join(line[cut:] for line in lines))), scope)

    def _tuple(self, node: Node, scope: Scope) -> Value:
        return [self._value(item, scope) for item in trees(node)]

    def _object(self, node: Node, scope: Scope) -> Value:
        found: dict[str, Value] = {}
        for item in trees(node):
            key, value = trees(item)
            found[self._key(next(trees(key), key), scope)] = self._value(value, scope)
        return found

    def _key(self, node: Node, scope: Scope) -> str:
        """A bare name is itself; anything else is computed."""
        inner = list(trees(node)) if node.data == "expr_term" else []
        bare = len(node.children) == 1 and len(inner) == 1 and inner[0].data in {"identifier", "literal_value"}
        if bare:
            return name_of(inner[0])
        if node.data in {"keyword", "identifier", "object_elem_key"}:
            return name_of(node)
        return to_text(self._value(node, scope))

    def _conditional(self, node: Node, scope: Scope) -> Value:
        condition, then, otherwise = trees(node)
        return self._value(then if to_bool(self._value(condition, scope)) else otherwise, scope)

    def _unary_op(self, node: Node, scope: Scope) -> Value:
        operand = self._value(next(trees(node)), scope)
        sign = node.children[0]
        return -to_number(operand) if isinstance(sign, Token) and sign.type == "MINUS" else not to_bool(operand)

    def _binary_op(self, node: Node, scope: Scope) -> Value:
        left, term = trees(node)
        operator, right = trees(term)
        token = operator.children[0]
        kind = token.type if isinstance(token, Token) else ""
        if kind in {"DOUBLE_AMP", "DOUBLE_PIPE"}:
            first, second = to_bool(self._value(left, scope)), to_bool(self._value(right, scope))
            return (first and second) if kind == "DOUBLE_AMP" else (first or second)
        return compare(kind, self._value(left, scope), self._value(right, scope))

    def _function_call(self, node: Node, scope: Scope) -> Value:
        name = _function_name(node)
        given = next((child for child in trees(node) if child.data == "arguments"), None)
        nodes = [] if given is None else list(trees(given))
        if name in {"try", "can"}:
            return self._attempt(name, nodes, scope)
        function = scope.function(name)
        arguments: list[Value] = [self._value(each, scope) for each in nodes]
        if given is not None and any(isinstance(c, Token) and c.type == "ELLIPSIS" for c in given.children):
            last = arguments.pop()
            if not isinstance(last, list):
                raise HclError(f"{name}(): only a list can be spread over the arguments")
            arguments += last
        return function(*arguments)

    def _attempt(self, name: str, nodes: Sequence[Node], scope: Scope) -> Value:
        for each in nodes:
            try:
                value = self._value(each, scope)
            except HclError:
                continue
            return True if name == "can" else value
        if name == "can":
            return False
        raise HclError("try(): none of its expressions can be computed")

    def _get_attr_expr_term(self, node: Node, scope: Scope) -> Value:
        base, attribute = trees(node)
        return index(self._value(base, scope), name_of(next(trees(attribute))))

    def _index_expr_term(self, node: Node, scope: Scope) -> Value:
        base, at = trees(node)
        return index(self._value(base, scope), self._at(at, scope))

    def _at(self, node: Node, scope: Scope) -> Value:
        if node.data == "short_index":
            return int(str(node.children[-1]))
        return self._value(next(trees(node)), scope)

    def _attr_splat_expr_term(self, node: Node, scope: Scope) -> Value:
        base, splat = trees(node)
        value = self._value(base, scope)
        items = value if isinstance(value, list) else [] if value is None else [value]
        return [self._follow(item, list(trees(splat)), scope) for item in items]

    _full_splat_expr_term = _attr_splat_expr_term

    def _follow(self, value: Value, path: Sequence[Node], scope: Scope) -> Value:
        for step in path:
            if step.data == "get_attr":
                value = index(value, name_of(next(trees(step))))
            else:
                value = index(value, self._at(step, scope))
        return value

    def _for_tuple_expr(self, node: Node, scope: Scope) -> Value:
        intro, result, *condition = trees(node)
        return [
            self._value(result, inner)
            for inner in self._each(intro, scope)
            if not condition or to_bool(self._value(next(trees(condition[0])), inner))
        ]

    def _for_object_expr(self, node: Node, scope: Scope) -> Value:
        intro, key, result, *condition = trees(node)
        grouped = any(isinstance(child, Token) and child.type == "ELLIPSIS" for child in node.children)
        found: dict[str, Any] = {}
        for inner in self._each(intro, scope):
            if condition and not to_bool(self._value(next(trees(condition[0])), inner)):
                continue
            name, value = to_text(self._value(key, inner)), self._value(result, inner)
            if grouped:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise HclError(f"two items have the key {name[:100]!r}")
            else:
                found[name] = value
        return found

    def _each(self, intro: Node, scope: Scope) -> Iterator[Scope]:
        *names, collection = trees(intro)
        for key, value in items(self._value(collection, scope)):
            own = [value] if len(names) == 1 else [key, value]
            yield scope.having(dict(zip(map(name_of, names), own, strict=True)))

    def _parts(self, parts: Sequence[Part], scope: Scope) -> Value:
        """A template. One that is a single interpolation has its value, whatever it is."""
        if len(parts) == 1 and isinstance(parts[0], Tree) and parts[0].data == "interpolation":
            return self._value(next(trees(parts[0])), scope)

        def evaluate(node: Node, own: Mapping[str, Value]) -> Value:
            return self._value(node, scope.having(own))

        return joined(parts, evaluate)


def items(value: Value) -> Iterator[tuple[Value, Value]]:
    """Keys and values of a collection, objects in the order of their keys."""
    if isinstance(value, list):
        yield from enumerate(value)
    elif isinstance(value, dict):
        yield from sorted(value.items())
    else:
        raise HclError("only a list or an object can be gone through")


def _part(child: "Token | Node") -> Part:
    """A part of a quoted string: text without its escapes, or what is to be computed."""
    if isinstance(child, Tree):
        return child
    if child.type == "STRING_CHARS":
        return _unescaped(str(child))
    return str(child)[1:]  # $${ and %%{


def _unescaped(text: str) -> str:
    parts: list[str] = []
    at = 0
    while (slash := text.find("\\", at)) >= 0:
        parts.append(text[at:slash])
        letter = text[slash + 1 : slash + 2]
        digits = {"u": 4, "U": 8}.get(letter, 0)
        if digits:
            try:
                parts.append(chr(int(text[slash + 2 : slash + 2 + digits], 16)))
            except (ValueError, OverflowError) as exc:
                raise HclError(f"\\{letter} needs {digits} hexadecimal digits of a character") from exc
        else:
            parts.append(_ESCAPES.get(letter, "\\" + letter))
        at = slash + 2 + digits
    return "".join(parts) + text[at:]


def _heredoc(token: str) -> str:
    """The lines between the markers."""
    body = token.replace("\r\n", "\n").partition("\n")[2]
    return body.rstrip("\n").rpartition("\n")[0] + "\n" if "\n" in body.rstrip("\n") else ""


def _parsed(text: str) -> Iterator[Part]:
    """The parts of a text that is a template but not quoted."""
    for literal, source in split(text):
        if literal:
            yield literal
        if source:
            (value,) = attributes(parse(f'x = "{source}"')).values()
            yield from (_part(part.children[0]) for part in trees(next(trees(value))))
