"""The lineage at scale: loading it from the store, its memory, impact, and following a change.

Every figure of a size comes from one fresh process, so that its memory is the lineage's own. `python -m bench.graph
COUNT` is that process.
"""

import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import batched
from pathlib import Path
from typing import Any

import networkx as nx

from bench.lineages import HOST, registrations
from bench.result import Result
from graph.impact import impact
from graph.lineage import Lineage
from groundswell.lineage.catalog import IMAGE, PARTITION, TABLE, Catalog
from groundswell.lineage.model import to_json
from groundswell.store.port import MAX_COMMIT, Put
from groundswell.store.sqlite import SqliteStore

_ROUNDS = 5


def load_100k() -> Result:
    """Seconds from the store to a ready graph, against reading the same records and parsing their JSON alone."""
    return _result(100_000, "load", "reading the records alone", "read")


def load_1m() -> Result:
    """The same for a million images."""
    return _result(1_000_000, "load", "reading the records alone", "read")


def memory_100k() -> Result:
    """MiB of the whole process with the lineage loaded, against one that holds the same records parsed."""
    return _result(100_000, "memory", "the records, parsed", "memory_bare", unit="MiB")


def memory_1m() -> Result:
    """The same for a million images."""
    return _result(1_000_000, "memory", "the records, parsed", "memory_bare", unit="MiB")


def impact_largest_100k() -> Result:
    """Seconds to the impact of the base with the most dependants (about 35,000), against networkx alone."""
    return _result(100_000, "largest", "networkx descendants, sorted", "largest_bare")


def impact_typical_100k() -> Result:
    """Seconds to the impact of a base in the middle of the list, against the largest."""
    return _result(100_000, "typical", "impact of the largest", "largest")


def update_100k() -> Result:
    """Seconds until a loaded lineage shows what another worker registered, against loading it again."""
    return _result(100_000, "update", "loading again", "load")


def _result(count: int, name: str, baseline: str, baseline_name: str, *, unit: str = "s") -> Result:
    figures = _figures(count)
    return Result(value=figures[name], unit=unit, baseline=baseline, baseline_value=figures[baseline_name])


@cache
def _figures(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        _fill(path, count)
        figures: dict[str, float] = {}
        for part in ("bare", "lineage"):
            command = [sys.executable, "-m", "bench.graph", part, str(path)]
            figures |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return figures


def _fill(path: Path, count: int) -> None:
    """The records as `Catalog.register` leaves them, written without its checks: they are not what is measured."""
    store = SqliteStore(path)
    for part in batched(registrations(count), MAX_COMMIT, strict=False):
        store.commit(
            TABLE, PARTITION, [Put(row=IMAGE + item.name, value=to_json(item), etag=None) for item in part]
        )
    store.commit(TABLE, PARTITION, [Put(row="revision", value={"revision": 1_000_000}, etag=None)])
    store.close()


def measure_lineage(path: Path) -> dict[str, float]:
    """The product's own way: a catalog on the store."""
    store = SqliteStore(path)
    catalog = Catalog(store, time.time)
    start = time.perf_counter()
    with catalog.lineage() as lineage:
        loaded = time.perf_counter() - start
    figures = {"load": loaded, "memory": _peak()}
    sizes = _sizes(lineage)
    largest, typical = sizes[0][1], sizes[len(sizes) // 2][1]
    figures["largest"] = _median(lambda: impact(lineage, largest))
    figures["typical"] = _median(lambda: impact(lineage, typical), rounds=50)
    figures["images"] = float(len(impact(lineage, largest).images))
    figures["update"] = _update(store, catalog)
    store.close()
    return figures


def measure_bare(path: Path) -> dict[str, float]:
    """What the machine could do at best: reading, and networkx with no knowledge of tags, pins and order."""
    store = SqliteStore(path)
    start = time.perf_counter()
    values = [record.value for record in store.scan(TABLE, PARTITION, prefix=IMAGE)]
    figures = {"read": time.perf_counter() - start, "memory_bare": _peak()}
    store.close()
    published = {f"{v['registry']}/{v['repository']}:{tag}": v["name"] for v in values for tag in v["tags"]}
    edges = [(published.get(base, base), v["name"]) for v in values for base in (v["runtime"], *v["build"]) if base]
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    largest = max(graph, key=lambda name: graph.out_degree(name) if name.startswith(HOST) else 0)

    def bare() -> None:
        list(nx.topological_sort(graph.subgraph(nx.descendants(graph, largest))))

    return {**figures, "largest_bare": _median(bare)}


def _sizes(lineage: Lineage) -> list[tuple[int, str]]:
    """External bases, those with the most dependants first; the direct ones are counted, for ten of them all."""
    external = [base for base in lineage.bases() if lineage.publisher(base) is None]
    direct = sorted(((len(lineage.direct(base)), base) for base in external), reverse=True)
    return (
        sorted(((len(impact(lineage, base).images), base) for _, base in direct[:10]), reverse=True) + direct[10:]
    )


def _update(store: SqliteStore, catalog: Catalog) -> float:
    """Another worker changes one image of many; this one notices at its next look."""
    other = Catalog(store, time.time)
    rng = random.Random(2)  # noqa: S311  # made-up data
    names = [record.row.removeprefix(IMAGE) for record in store.scan(TABLE, PARTITION, prefix=IMAGE, limit=5000)]
    seconds = []
    for number in range(20):
        image = catalog.registration(rng.choice(names))
        other.register([replace(image, build=(f"{HOST}/mirror/new-{number}:1",))], who="bench")
        start = time.perf_counter()
        with catalog.lineage() as lineage:
            seconds.append(time.perf_counter() - start)
            if lineage.edges(image.name)[-1].base != f"{HOST}/mirror/new-{number}:1":
                raise RuntimeError("the change was not noticed: the figure would mean nothing")
    return statistics.median(seconds)


def _median(act: Callable[[], Any], *, rounds: int = _ROUNDS) -> float:
    act()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _peak() -> float:
    """MiB that this process held at most. Not ru_maxrss, which begins with what the parent used before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise RuntimeError("no VmHWM in /proc/self/status: this benchmark needs Linux")
    return int(found[1]) / 1024


if __name__ == "__main__":
    print(json.dumps({"bare": measure_bare, "lineage": measure_lineage}[sys.argv[1]](Path(sys.argv[2]))))
