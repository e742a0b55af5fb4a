"""One target under libFuzzer, in this process, which it ends."""

import contextlib
import hashlib
import io
import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import atheris

# It names every module that it instruments.
with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["graph", "groundswell"]):
    from fuzz.law import hold
    from fuzz.targets import CORPUS, TARGETS, words

MAX_LENGTH = 4096
_MAX_MIB = 1536
_HANGS = 20


def fuzz(name: str, *, seconds: int, seed: int, folder: Path, files: Sequence[Path] = ()) -> NoReturn:
    """Try inputs for so many seconds; with `files` only these, once.

    `folder/grown` takes what covers new code, and the next run begins with it too; `folder` takes the input that
    broke the law (`crash-…`). Where the process was ended from outside, `now` holds what it was at, behind its
    length. What libFuzzer prints last says how many inputs it tried.
    """
    target = TARGETS[name]
    grown = folder / "grown"
    grown.mkdir(parents=True, exist_ok=True)
    dictionary = folder / "words"
    dictionary.write_text("".join(f"{_quoted(word)}\n" for word in words(name)), "utf-8")
    options = (
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={MAX_LENGTH}",
        f"-timeout={_HANGS}",
        f"-rss_limit_mb={_MAX_MIB}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        "-verbosity=0",
    )
    if words(name):
        options += (f"-dict={dictionary}",)  # libFuzzer refuses an empty one
    (folder / "now").write_bytes(bytes(8 + MAX_LENGTH))
    with (folder / "now").open("r+b") as file:
        now = mmap.mmap(file.fileno(), 0)

    def one(data: bytes) -> None:
        now[: 8 + len(data[:MAX_LENGTH])] = len(data).to_bytes(8) + data[:MAX_LENGTH]  # it outlives the process
        try:
            hold(target, data)
        except BaseException:
            (folder / f"crash-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    inputs = [str(path) for path in files or (grown, CORPUS / name)]
    atheris.Setup(["fuzz", *options, *inputs], one)
    atheris.Fuzz()
    raise SystemExit(0)


def _quoted(word: str) -> str:
    """As libFuzzer's dictionaries have it: JSON's text, but for line ends."""
    return json.dumps(word).replace("\\n", "\\x0a")
