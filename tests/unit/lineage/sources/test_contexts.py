"""Contexts that are other builds: what stands behind them is needed only where they are."""

from collections.abc import Mapping

import pytest

from graph.dockerfile import Resolution, Unresolved
from groundswell.lineage.sources.contexts import Context, resolve_build

BEHIND = Resolution(
    runtime="r.io/run:1",
    build=("r.io/tool:1",),
    unneeded=("r.io/odd:1",),
    unresolved=(Unresolved(raw="x", why="y"),),
    frontend=None,
)
SCRATCH = Resolution(runtime=None, build=("r.io/tool:1",), unneeded=(), unresolved=(), frontend=None)


def resolved(text: str, contexts: Mapping[str, Context]) -> Resolution:
    return resolve_build(
        text,
        args={},
        stage=None,
        platform="linux/amd64",
        build_platform="linux/amd64",
        contexts=contexts,
    )


@pytest.mark.parametrize(
    ("text", "contexts", "runtime", "build", "unneeded"),
    [
        ("FROM a", {"a": BEHIND}, "r.io/run:1", ("r.io/tool:1",), ()),
        ("FROM a", {"a": SCRATCH}, None, ("r.io/tool:1",), ()),
        ("FROM scratch\nCOPY --from=a / /", {"a": BEHIND}, None, ("r.io/run:1", "r.io/tool:1"), ()),
        ("FROM scratch\nCOPY --from=a / /", {"a": SCRATCH}, None, ("r.io/tool:1",), ()),
        ("FROM a AS x\nFROM r.io/b:1", {"a": BEHIND}, "r.io/b:1", (), ("r.io/run:1", "r.io/tool:1")),
        ("FROM r.io/b:1", {"a": BEHIND}, "r.io/b:1", (), ()),
        ("FROM a\nCOPY --from=b / /", {"a": BEHIND, "b": SCRATCH}, "r.io/run:1", ("r.io/tool:1",), ()),
        ("FROM a AS x\nFROM r.io/run:1", {"a": BEHIND}, "r.io/run:1", (), ("r.io/tool:1",)),
        ("FROM x AS a\nFROM a", {"a": BEHIND}, "r.io/run:1", ("r.io/tool:1",), ()),
        ("FROM a", {"a": "docker-image://r.io/c:1"}, "r.io/c:1", (), ()),
    ],
)
def test_what_stands_behind_takes_the_place_of_the_context(
    text: str,
    contexts: Mapping[str, Context],
    runtime: str | None,
    build: tuple[str, ...],
    unneeded: tuple[str, ...],
) -> None:
    found = resolved(text, contexts)
    assert (found.runtime, found.build, found.unneeded) == (runtime, build, unneeded)


def test_what_is_unresolved_behind_is_so_here_when_it_is_needed() -> None:
    assert resolved("FROM a", {"a": BEHIND}).unresolved == BEHIND.unresolved
    assert resolved("FROM b", {"a": BEHIND}).unresolved == ()
