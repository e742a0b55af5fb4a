"""YAML that somebody else wrote: safe to load, and small however its aliases multiply.

Scalars are typed as Go's yaml.v3 types them, which is what compose and Kubernetes read with: `yes`, `on`, `22:22`
and dates are text.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from groundswell.errors import InputError

MAX_DEPTH = 100
MAX_VALUES = 200_000
"""How many values a document may have when every alias is written out."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # one of two classes, by whether libyaml is there
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own

    def text_of_node(self, node: yaml.Node) -> Any:
        """A local tag (`!override`, `!Ref`) adds nothing that is needed here; `!reset` takes the value away."""
        if node.tag == "!reset":
            return None
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), [*"~nN", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0[0-7]*|[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+)$"),
    [*"-+0123456789"],
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN))$"
    ),
    [*"-+.0123456789"],
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])
_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.text_of_node(node))


def load(text: str) -> Any:
    """The first document of a YAML text, None when there is none. Raises InputError, one line."""
    return next(load_all(text), None)


def load_all(text: str) -> Iterator[Any]:
    """Every document of a YAML text, one after another. Raises InputError, one line."""
    try:
        _refuse_depth(text)
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                _measure(node, {}, set())
                yield loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{where}not valid YAML: {exc.problem or exc.context}") from exc
    except (yaml.YAMLError, ValueError, TypeError) as exc:
        raise InputError(f"not valid YAML: {str(exc).splitlines()[0]}") from exc
    except RecursionError as exc:
        raise InputError("aliases nested too deeply") from exc


def scalar_text(value: object) -> str:
    """A scalar as Go prints it, which is what compose hands to a build: 1.10 is `1.1`, true is `true`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return "" if value is None else str(value)


def _refuse_depth(text: str) -> None:
    """Events are read without recursion; the C library's own composer would overflow the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InputError(f"line {line}: nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _measure(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """How many values a node stands for with all aliases written out."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise InputError(f"line {node.start_mark.line + 1}: an alias stands inside what it stands for")
    above.add(id(node))
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_measure(item, known, above) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise InputError(f"line {key.start_mark.line + 1}: {key.value[:100]!r} is given twice")
                seen.add(key.value)
            size += _measure(key, known, above) + _measure(value, known, above)
    above.discard(id(node))
    if size > MAX_VALUES:
        raise InputError(
            f"line {node.start_mark.line + 1}: more than {MAX_VALUES:,} values once its aliases are written out"
        )
    known[id(node)] = size
    return size
