"""The corpus of `make fuzz` as ordinary tests, for machines without atheris too, and the law that it is held to."""

import itertools
from pathlib import Path

import pytest

from fuzz import law
from fuzz.law import BrokenLawError, hold
from fuzz.targets import CORPUS, TARGETS, Target, corpus, words
from groundswell.errors import InputError

CASES = [(name, path) for name in TARGETS for path in corpus(name)]
NASTY = [
    b"",
    b"\0",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    b"null",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"9" * 100_000,
    b'{"schemaVersion": ' + b"9" * 5_000 + b"}",
    b'{"events": [' + b"1e999, " * 1000 + b"NaN]}",
    b"a: " * 3000,
    b"- " * 3000,
    b"&a [" * 300,
    b"${" * 20_000,
    b"a: !!python/object/apply:os.system [id]",
    b"FROM " + b"${A:-" * 2_000,
    b"\n" * 100_000,
    "\u202e\u2066\x1b]8;;http://x\x07".encode() * 100,
]


def test_every_target_has_a_corpus_and_nothing_else_has() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert all(len(corpus(name)) >= 4 for name in TARGETS)
    assert sum(path.stat().st_size for _, path in CASES) < 256 * 1024
    assert all(words(name) or name in ("reference", "git-refs", "challenge") for name in TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_keeps_the_law(name: str) -> None:
    for path in corpus(name):
        hold(TARGETS[name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_corpus_has_what_is_taken(name: str) -> None:
    """Else the fuzzer begins where nothing is read."""
    taken = 0
    for path in corpus(name):
        try:
            TARGETS[name].run(path.read_bytes())
        except TARGETS[name].allowed:
            continue
        taken += 1
    assert taken


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nasty_anywhere_keeps_the_law(name: str) -> None:
    for data in NASTY:
        hold(TARGETS[name], data)


def fake(run: object, allowed: tuple[type[Exception], ...] = (InputError,)) -> Target:
    return Target(name="fake", run=run, allowed=allowed)  # type: ignore[arg-type]  # a function that raises


def fails(error: Exception) -> object:
    def run(_: bytes) -> None:
        raise error

    return run


def test_the_law_lets_pass_what_is_allowed_and_nothing_else() -> None:
    hold(fake(fails(InputError("x" * law.MAX_MESSAGE))), b"")
    with pytest.raises(KeyError):
        hold(fake(fails(KeyError("x"))), b"")
    with pytest.raises(BrokenLawError, match="an error of 20001 characters"):
        hold(fake(fails(InputError("x" * (law.MAX_MESSAGE + 1)))), b"")


def test_the_law_bounds_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=6)
    with monkeypatch.context() as patch:
        patch.setattr(law.time, "process_time", lambda: next(seconds))
        with pytest.raises(BrokenLawError, match=r"fake: 6\.0 s of processor time"):
            hold(fake(len), b"")
    peaks = itertools.count(step=600)
    monkeypatch.setattr(law, "_peak", lambda: next(peaks))
    with pytest.raises(BrokenLawError, match="fake: 600 MiB more"):
        hold(fake(len), b"")


def test_the_corpus_is_of_files_alone() -> None:
    assert all(
        path.is_file() and not path.is_symlink() for path in Path(CORPUS).rglob("*") if path.parent != CORPUS
    )
