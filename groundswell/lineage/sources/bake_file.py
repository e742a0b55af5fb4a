"""One bake definition: the blocks of its HCL and JSON files, merged as buildx merges them, computed on demand.

Source of the rules: docker/buildx, bake/bake.go and bake/hclparser. An attribute of a target is computed only when
it matters here, so that what cannot be computed costs that target alone.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from groundswell.errors import InputError
from groundswell.lineage.sources import hcl
from groundswell.lineage.sources.hcl_functions import FUNCTIONS, KNOWN_ONLY, call
from groundswell.lineage.sources.hcl_values import HclError, Value, to_bool, to_number, to_object, to_text

_MAX_MATRIX = 1000
_MAX_CALLS = 20
_EVALUATOR_ONLY = frozenset({"try", "can"})

type _Expression = hcl.Node | _Json


@dataclass(frozen=True, slots=True)
class _Json:
    """A value of a JSON file; its texts are templates."""

    value: Any


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a file, or one member of an object in JSON."""

    kind: str
    label: str
    attributes: Mapping[str, _Expression]


@dataclass(slots=True)
class BakeFile:
    """The blocks of one or several files, in the order in which they are merged."""

    environment: Mapping[str, str]
    builtin: Mapping[str, str]
    _evaluator: hcl.Evaluator = field(default_factory=hcl.Evaluator)
    _blocks: list[Block] = field(default_factory=list)
    _locals: dict[str, _Expression] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)
    _running: list[str] = field(default_factory=list)
    _calls: int = 0

    def add_hcl(self, text: str) -> None:
        """Raises InputError with the line of what is not HCL."""
        body = hcl.parse(text)
        for kind, labels, inner in hcl.blocks(body):
            if len(labels) != 1:
                raise InputError(f"a block `{kind}` must have one name")
            self._blocks.append(Block(kind, labels[0], dict(hcl.attributes(inner))))
        self._locals.update(hcl.attributes(body))

    def add_json(self, text: str) -> None:
        """Raises InputError for what is not a JSON object of objects."""
        try:
            document = json.loads(text.removeprefix("\ufeff"))
        except ValueError as exc:
            raise InputError(f"not valid JSON: {exc}") from exc
        except RecursionError as exc:
            raise InputError("nested too deeply") from exc
        if not isinstance(document, dict):
            raise InputError("not a bake file: it must be an object")
        for kind, members in document.items():
            if kind not in {"variable", "group", "target", "function"}:
                self._locals[kind] = _Json(members)
                continue
            for group in members if isinstance(members, list) else [members]:
                if not isinstance(group, dict):
                    raise InputError(f"`{kind}` must be an object")
                for label, body in group.items():
                    for each in body if isinstance(body, list) else [body]:
                        if not isinstance(each, dict):
                            raise InputError(f"{kind} {label!r} must be an object")
                        self._blocks.append(Block(kind, label, {key: _Json(value) for key, value in each.items()}))

    def blocks(self, kind: str) -> Iterator[Block]:
        return (block for block in self._blocks if block.kind == kind)

    @property
    def scope(self) -> hcl.Scope:
        return hcl.Scope(self._variable, self._function)

    def value(self, block: Block, attribute: str, scope: hcl.Scope | None = None) -> Value:
        """What an attribute of a block is, None when it is not given. Raises HclError."""
        expression = block.attributes.get(attribute)
        return None if expression is None else self._evaluate(expression, scope or self.scope)

    def check(self, block: Block) -> None:
        """Raises HclError when a block calls a function that bake does not have, wherever in it."""
        own = {function.label for function in self.blocks("function")}
        known = own | FUNCTIONS.keys() | KNOWN_ONLY | _EVALUATOR_ONLY
        for expression in block.attributes.values():
            if not isinstance(expression, _Json):
                for name, line in hcl.calls(expression):
                    if name not in known:
                        raise HclError(f"there is no function {name}()", line=line)

    def matrix(self, block: Block) -> list[hcl.Scope]:
        """The scopes of a target, one for each combination of its matrix. Raises HclError."""
        if "matrix" not in block.attributes:
            return [self.scope]
        combinations: list[dict[str, Value]] = [{}]
        for name, values in sorted(to_object(self.value(block, "matrix")).items()):
            if not isinstance(values, list):
                raise HclError("the values of a matrix must be lists")
            if len(combinations) * len(values) > _MAX_MATRIX:
                raise HclError(f"the matrix has more than {_MAX_MATRIX:,} combinations")
            combinations = [{**each, name: value} for each in combinations for value in values]
        return [self.scope.having(each) for each in combinations]

    def _evaluate(self, expression: _Expression, scope: hcl.Scope) -> Value:
        if not isinstance(expression, _Json):
            return self._evaluator.value(expression, scope)
        return self._from_json(expression.value, scope)

    def _from_json(self, value: Any, scope: hcl.Scope) -> Value:
        if isinstance(value, str):
            return self._evaluator.template(value, scope)
        if isinstance(value, list):
            return [self._from_json(item, scope) for item in value]
        if isinstance(value, dict):
            return {
                to_text(self._evaluator.template(key, scope)): self._from_json(item, scope)
                for key, item in value.items()
            }
        return value

    def _variable(self, name: str) -> Value:
        if name in self._values:
            return self._values[name]
        if name == "target":
            return self._targets()
        if name in self._running:
            raise HclError(f"the variable {name} stands on itself")
        self._running.append(name)
        try:
            self._values[name] = value = self._compute(name)
        finally:
            self._running.pop()
        return value

    def _compute(self, name: str) -> Value:
        if name in self.builtin:
            return self.builtin[name]
        if name in self._locals:
            return self._evaluate(self._locals[name], self.scope)
        declared = [block for block in self.blocks("variable") if block.label == name]
        if not declared:
            raise HclError(f"there is no variable {name}")
        attributes = {key: value for block in declared for key, value in block.attributes.items()}
        default: Value = None
        if "default" in attributes:
            default = self._evaluate(attributes["default"], self.scope)
        given = self.environment.get(name)
        if given is not None:
            return _from_environment(name, given, default)
        # Without a default and a type it is empty text.
        return "" if default is None and "default" not in attributes and "type" not in attributes else default

    def _targets(self) -> Mapping[str, Value]:
        """`target.NAME.ATTRIBUTE` as another target's own block has it."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks("target"):
            found.setdefault(block.label, []).append(block)
        return {label: _OnDemand(self, blocks) for label, blocks in found.items()}

    def _function(self, name: str) -> hcl.Function:
        definition = next((block for block in self.blocks("function") if block.label == name), None)
        if definition is not None:
            return self._defined(definition)
        if name in FUNCTIONS:
            return call(name, FUNCTIONS[name])
        if name in KNOWN_ONLY:
            raise HclError(f"the function {name}() is not offered here")
        raise HclError(f"there is no function {name}()")

    def _defined(self, block: Block) -> hcl.Function:
        """A function of the file itself."""
        names = _names(block.attributes.get("params"))
        variadic = _names(block.attributes.get("variadic_params"))

        def run(*arguments: Value) -> Value:
            if len(arguments) < len(names) or (len(arguments) > len(names) and not variadic):
                raise HclError(f"{block.label}() takes {len(names)} arguments")
            own = dict(zip(names, arguments, strict=False))
            if variadic:
                own[variadic[0]] = list(arguments[len(names) :])
            self._calls += 1
            try:
                if self._calls > _MAX_CALLS:
                    raise HclError("functions call each other too deeply")
                return self.value(block, "result", self.scope.having(own))
            finally:
                self._calls -= 1

        return run


class _OnDemand(Mapping[str, Value]):
    """The attributes of a target, computed when they are asked for; of two blocks of a name the later one's."""

    def __init__(self, file: BakeFile, blocks: list[Block]) -> None:
        self._file = file
        self._by_name = {name: block for block in blocks for name in block.attributes}

    def __getitem__(self, name: str) -> Value:
        return self._file.value(self._by_name[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _names(expression: _Expression | None) -> list[str]:
    """The names in `params = [a, b]`, or the one of `variadic_params = a`."""
    if expression is None:
        return []
    if isinstance(expression, _Json):
        given = expression.value if isinstance(expression.value, list) else [expression.value]
        return [str(name) for name in given]
    node = next(hcl.trees(expression))
    return [
        hcl.name_of(next(hcl.trees(item), item)) for item in (hcl.trees(node) if node.data == "tuple" else [node])
    ]


def _from_environment(name: str, given: str, default: Value) -> Value:
    """A variable's value from the environment, of the type its default has."""
    convert: Callable[[str], Value] = to_text
    if isinstance(default, bool):
        convert = to_bool
    elif isinstance(default, int | float):
        convert = to_number
    elif isinstance(default, list):
        convert = _csv
    elif isinstance(default, dict):
        convert = json.loads
    try:
        return convert(given)
    except (HclError, ValueError, RecursionError) as exc:
        raise HclError(f"the variable {name} is {given[:100]!r} in the environment: {exc}") from exc


def _csv(text: str) -> list[Value]:
    return [cell for row in csv.reader([text]) for cell in row]
