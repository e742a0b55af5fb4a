"""JSON documents kept in a folder, so that runs, tasks and task runs outlive a restart of the stack."""

import json
from collections.abc import Iterator
from pathlib import Path

from groundswell.local.tasks.model import Json


class Shelf:
    """Documents by key, in order of first arrival. Keys are safe file names (the callers check them)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # tasks may hold secret values
        self._folder = folder
        files = sorted(folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        self._documents: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in files}

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        return iter(list(self._documents.items()))

    def get(self, key: str) -> Json | None:
        return self._documents.get(key)

    def put(self, key: str, document: Json) -> None:
        path = self._folder / f"{key}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(document), "utf-8")
        fresh.replace(path)
        self._documents[key] = document

    def delete(self, key: str) -> bool:
        """Whether there was such a document."""
        if self._documents.pop(key, None) is None:
            return False
        (self._folder / f"{key}.json").unlink()
        return True
