"""A tree of files to scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from groundswell.lineage.sources.build import Build, Options
from groundswell.lineage.sources.scan import builds, find


@dataclass(frozen=True)
class Files:
    root: Path

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def scan(self, *names: str, skip_vendored: bool = False, **options: Any) -> list[Build]:
        found = find([self.root / name for name in names or ("",)], skip_vendored=skip_vendored)
        return builds(found, Options(**options))

    def short(self, rows: list[Build]) -> dict[str, Any]:
        """`path#target` (and `@platform` when not the usual one) to (runtime, build), or to what is wrong."""
        return {self.name(row): self.outcome(row) for row in rows}

    def name(self, row: Build) -> str:
        path = Path(row.path).relative_to(self.root).as_posix() if Path(row.path) != self.root else "."
        target = "" if row.target is None else f"#{row.target}"
        return path + target + ("" if row.platform == "linux/amd64" else f"@{row.platform}")

    def outcome(self, row: Build) -> Any:
        if row.resolution is None:
            assert row.error
            assert "\n" not in row.error
            return row.error.replace(f"{self.root}/", "")
        if row.resolution.unresolved:
            return [(each.raw, each.why) for each in row.resolution.unresolved]
        return row.resolution.runtime, row.resolution.build

    def all(self, **options: Any) -> dict[str, Any]:
        return self.short(self.scan(**options))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def environment() -> Mapping[str, str]:
    return {"NAME": "value", "EMPTY": ""}
