"""Which service the command speaks to: contexts by name, in a file of the person's, and the tokens beside them.

Both files are the person's alone (0600). They are written whole, to another name first: a crash leaves the old one.
"""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from groundswell.errors import InputError, NotFoundError

LOCAL = "local"
"""The name that stands for no service: the store that the settings name, opened by the command itself."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A service. `ca` is a file with the certificates that it may be signed by, "" for the system's."""

    name: str
    url: str
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All contexts by name, and the one in use; "" where none is."""

    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""

    def named(self, name: str) -> Context:
        """Raises NotFoundError."""
        try:
            return self.contexts[name]
        except KeyError:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise NotFoundError(f"there is no context {name}; there are: {known}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`expires_at` is in seconds since the epoch, None where the text does not say.

    `entra` is how a new one is got: the authority, the tenant, the client and the scope.
    """

    text: str = field(repr=False)
    expires_at: float | None = None
    entra: Mapping[str, str] | None = None


def folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "groundswell"


def load() -> Book:
    """Raises InputError when the file is not as we write it."""
    document = _read("contexts.json")
    try:
        found = {name: Context(name=name, **each) for name, each in document.get("contexts", {}).items()}
        return Book(contexts=found, current=str(document.get("current", "")))
    except (AttributeError, TypeError) as exc:
        raise InputError(f"{folder() / 'contexts.json'} is not a file of contexts: mend or remove it") from exc


def save(book: Book) -> None:
    contexts = {name: {"url": each.url, "ca": each.ca} for name, each in sorted(book.contexts.items())}
    _write("contexts.json", {"current": book.current, "contexts": contexts})


def check_name(name: str) -> str:
    """Raises InputError when a context cannot be called so."""
    if not _NAME.fullmatch(name) or name == LOCAL:
        raise InputError(
            f"a context cannot be called {name!r}: small letters, digits, '.', '_' and '-', at most 63; "
            f"{LOCAL} is the store of the settings"
        )
    return name


def token(name: str) -> Token | None:
    found = _read("tokens.json").get(name)
    try:
        return None if found is None else Token(**found)
    except TypeError as exc:
        raise InputError(
            f"{folder() / 'tokens.json'} is not a file of tokens: remove it, and log in again"
        ) from exc


def keep_token(name: str, kept: Token | None) -> None:
    """Keep the token of a context, or forget it."""
    tokens = _read("tokens.json")
    tokens.pop(name, None)
    _write("tokens.json", tokens | ({name: asdict(kept)} if kept is not None else {}))


def _read(name: str) -> dict[str, Any]:
    file = folder() / name
    try:
        document = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no JSON"
        raise InputError(f"{file} cannot be read: {why}") from exc
    if not isinstance(document, dict):
        raise InputError(f"{file} is not as this command writes it: mend or remove it")
    return document


def _write(name: str, document: Mapping[str, Any]) -> None:
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=place, prefix=f".{name}.")  # 0600 from its first byte on
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(place / name)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()
        raise
