"""Changes single values of a YAML text and leaves every other character as it is: comments, quotes, order, blanks.

PyYAML's nodes say where in the text they stand; a value is cut out there and the new one put in. What could change
more than it seems to (anchors, aliases, merged or repeated keys) or stands in a form of many lines is refused.
Pure. Raises InputError, whose message begins with `NAME:LINE: ` where a line is known.
"""

from typing import Any

import yaml

from groundswell.errors import InputError

MAX_CHARACTERS = 512 * 1024
MAX_DEPTH = 100

type Pair = tuple[yaml.ScalarNode, yaml.Node]


class _Loader(yaml.SafeLoader):
    file = ""
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # without annotations
        if anchor := getattr(event, "anchor", None):
            raise InputError(
                f"{self.file}:{event.start_mark.line + 1}: has the anchor or alias {anchor!r}: what is changed "
                "there would change elsewhere too; write the values out"
            )
        self.depth += 1  # the scanner takes time by the square of it
        if self.depth > MAX_DEPTH:
            raise InputError(f"{self.file}:{event.start_mark.line + 1}: nested more than {MAX_DEPTH} deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def documents(text: str, name: str) -> tuple[yaml.MappingNode, ...]:
    """The mappings among the documents of a text; `name` is what complaints call it."""
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{name}: has more than {MAX_CHARACTERS} characters")
    loader = type("Loader", (_Loader,), {"file": name})
    try:
        nodes = tuple(yaml.compose_all(text, Loader=loader))
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise InputError(f"{name}:{line}: not valid YAML: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise InputError(f"{name}: not valid YAML: {exc}") from exc
    return tuple(node for node in nodes if isinstance(node, yaml.MappingNode))


def pair(node: yaml.Node, key: str, name: str) -> Pair | None:
    """The entry of a mapping; None where there is none, or where `node` is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return None
    found = [(each, value) for each, value in node.value if isinstance(each, yaml.ScalarNode) and each.value == key]
    if len(found) > 1:
        raise InputError(f"{name}:{line(found[1][0])}: {key!r} is given twice")
    return found[0] if found else None


def text_of(node: yaml.Node, key: str, name: str) -> str:
    """The text of a mapping's entry; "" where there is none, or it is empty."""
    found = pair(node, key, name)
    return scalar(found[1], key, name).value if found else ""


def scalar(node: yaml.Node, key: str, name: str) -> yaml.ScalarNode:
    """`node`, where it is a value of one line that may be replaced."""
    if not isinstance(node, yaml.ScalarNode):
        raise InputError(f"{name}:{line(node)}: {key!r} is no single value")
    if node.style in ("|", ">") or node.start_mark.line != node.end_mark.line:
        raise InputError(f"{name}:{line(node)}: {key!r} has a value of several lines; write it in one")
    return node


def line(node: yaml.Node) -> int:
    """Where a node begins, from 1."""
    found: int = node.start_mark.line + 1
    return found


def replace(text: str, node: yaml.ScalarNode, value: str, name: str) -> str:
    """`text` with another value in the place of `node`, in the same kind of quotes."""
    start, end = node.start_mark.index, node.end_mark.index
    if text[start:end].startswith("!"):
        raise InputError(f"{name}:{line(node)}: the value has a YAML tag; take it out")
    blank = " " if start == end else ""
    return text[:start] + blank + _written(value, node.style) + text[end:]


def rename(text: str, entry: Pair, key: str, value: str, name: str) -> str:
    """`text` with the entry `key: value` in the place of another one."""
    old, node = entry
    text = replace(text, scalar(node, old.value, name), value, name)
    return text[: old.start_mark.index] + key + text[old.end_mark.index :]


def insert(text: str, node: yaml.MappingNode, key: str, value: str, name: str) -> str:
    """`text` with a new entry in a mapping, after the last of its entries that are single values."""
    singles = [each for each in node.value if isinstance(each[1], yaml.ScalarNode)]
    if not singles:
        raise InputError(f'{name}:{line(node)}: {key} cannot be put in here; write `{key}: ""` yourself first')
    last, content = singles[-1]
    end = scalar(content, last.value, name).end_mark.index
    written = f"{key}: {_written(value, None)}"
    if node.flow_style:
        return f"{text[:end]}, {written}{text[end:]}"
    rest = text.find("\n", end)
    if rest < 0:
        return f"{text}\n{' ' * last.start_mark.column}{written}"
    newline = "\r\n" if text[rest - 1] == "\r" else "\n"
    return f"{text[: rest + 1]}{' ' * last.start_mark.column}{written}{newline}{text[rest + 1 :]}"


def _written(value: str, style: str | None) -> str:
    """The value as YAML has it. No character of a reference to an image needs an escape in quotes."""
    if style in ("'", '"'):
        return f"{style}{value}{style}"
    return value if isinstance(yaml.safe_load(value), str) else f'"{value}"'
