"""Reads registrations from a checkout: the lineage file, and the Dockerfiles it names, resolved to edges."""

from pathlib import Path

from graph.dockerfile import DockerfileError
from groundswell.errors import InputError
from groundswell.lineage.dockerfile import with_edges
from groundswell.lineage.document import MAX_BYTES, Entry, parse
from groundswell.lineage.model import Registration
from groundswell.lineage.sources.files import MAX_DOCKERFILE, read_text

NAMES = ("lineage.yaml", "lineage.yml")


def read(path: Path) -> tuple[Registration, ...]:
    """The registrations of a lineage file, or of the folder that holds one.

    Raises InputError that names file and line of what is wrong.
    """
    file = _find(path)
    entries = parse(_text(file, MAX_BYTES), name=file.name)
    return tuple(_resolved(file, entry) for entry in entries)


def folder_of(path: Path) -> Path:
    """The folder to which a lineage file's paths are relative. Raises InputError as `read`."""
    return _find(path).resolve().parent


def _find(path: Path) -> Path:
    if path.is_dir():
        found = next((path / name for name in NAMES if (path / name).is_file()), None)
        if found is None:
            raise InputError(f"{path}: no {NAMES[0]} in this folder; name the file, or write one")
        return found
    return path


def _text(path: Path, limit: int) -> str:
    try:
        return read_text(path, limit)
    except InputError as exc:
        raise InputError(f"{path}: {exc}") from exc


def _resolved(file: Path, entry: Entry) -> Registration:
    registration = entry.registration
    where = f"{file.name}:{entry.line}: {registration.name}"
    root = file.resolve().parent
    dockerfile = root / entry.path / registration.dockerfile
    if not dockerfile.resolve().is_relative_to(root):
        raise InputError(f"{where}: {entry.path}/{registration.dockerfile} leads out of the folder of {file.name}")
    shown = dockerfile.relative_to(root)
    if not dockerfile.is_file():
        raise InputError(f"{where}: there is no file {shown}; set `path` and `dockerfile`")
    text = _text(dockerfile, MAX_DOCKERFILE)
    try:
        return with_edges(registration, text)
    except DockerfileError as exc:
        raise InputError(f"{where}: {shown}:{exc.line}: {exc.reason}") from exc
    except InputError as exc:
        raise InputError(f"{where}: {shown}: {exc}") from exc
