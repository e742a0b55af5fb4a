"""Reads fields of a JSON body, refusing what is missing or of the wrong type with the field's name."""

from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.local.tasks.errors import bad_request


class Fields:
    """One JSON object of a request; `where` is its path in the body, for messages."""

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, Mapping):
            raise bad_request(f"'{where or 'the body'}' must be an object")
        self._value: Mapping[str, Any] = value
        self._where = where

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def _get[T](self, name: str, kind: type[T], default: T | None) -> T:
        value = self._value.get(name)
        if value is None:
            if default is None:
                raise bad_request(f"'{self._path(name)}' is required")
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise bad_request(f"'{self._path(name)}' must be of type {kind.__name__}")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        return self._get(name, str, default)

    def optional(self, name: str) -> str | None:
        return self.text(name, "") or None

    def flag(self, name: str, *, default: bool) -> bool:
        return self._get(name, bool, default)

    def number(self, name: str, default: int) -> int:
        return self._get(name, int, default)

    def texts(self, name: str) -> tuple[str, ...]:
        values: Sequence[Any] = self._get(name, list, [])
        if not all(isinstance(value, str) for value in values):
            raise bad_request(f"'{self._path(name)}' must be a list of strings")
        return tuple(values)

    def child(self, name: str) -> "Fields":
        """The object under `name`, an empty one when it is missing."""
        return Fields(self._value.get(name) or {}, self._path(name))

    def children(self, name: str) -> list["Fields"]:
        values: Sequence[Any] = self._get(name, list, [])
        return [Fields(value, f"{self._path(name)}[{index}]") for index, value in enumerate(values)]

    def entries(self, name: str) -> dict[str, "Fields"]:
        """The objects of a mapping."""
        value = self._get(name, dict, {})
        return {key: Fields(entry, f"{self._path(name)}.{key}") for key, entry in value.items()}
