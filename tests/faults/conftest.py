"""Folders in memory, and no pauses."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from groundswell.cascade import reconcile
from groundswell.lineage.model import Registration
from groundswell.store import conflicts
from tests.faults.effort import SOAK
from tests.faults.harness import Plant

MEMORY = Path("/dev/shm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these tests is many: they have more time than others, and in a soak all they want.

    Coverage is not measured in them: it takes several times as long, and what they run has unit tests.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(0 if SOAK else 280))
            item.add_marker(pytest.mark.no_cover)


class OneByOne(Executor):
    """Threads that are none, so that the order of calls is the same every time."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def submit(self, act: Callable[..., Any], /, *args: Any, **rest: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(act(*args, **rest))
        return done


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who meets another's write tries again without a pause, and what is asked at once is asked one by one."""
    monkeypatch.setattr(reconcile, "ThreadPoolExecutor", OneByOne)
    monkeypatch.setattr(conflicts, "wait_random", lambda low, high: wait_none())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a thing: what is tested is the order of calls, not the disk."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(prefix="groundswell-", dir=MEMORY))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def make_plant(folder: Path) -> Iterator[Callable[..., Plant]]:
    """Makes plants on the images given; the next one takes the place of the last."""
    made: list[Plant] = []

    def make(*images: Registration, **rest: Any) -> Plant:
        while made:
            made.pop().close()
        for path in folder.iterdir():
            path.unlink()
        made.append(Plant(folder, *images, **rest))
        return made[-1]

    yield make
    for plant in made:
        plant.close()
