"""What git's protocol says of refs: the question for some of them, and the answers of both versions. Pure.

See gitprotocol-v2 (ls-refs) and gitprotocol-pack (reference discovery). Lines are the contents of pkt-lines.
"""

import re
from collections.abc import Iterator

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""The id of a commit, by SHA-1 or SHA-256."""

_PEELED = "^{}"


def names_of(ref: str) -> tuple[str, ...]:
    """The full names that a ref may have, in git's own order (gitrevisions): a tag goes before a branch."""
    return (ref, f"refs/{ref}", f"refs/tags/{ref}", f"refs/heads/{ref}") if ref else ("HEAD",)


def question(capabilities: list[str], names: tuple[str, ...]) -> bytes:
    """The command ls-refs of version 2."""
    hashing = [word for word in capabilities if word == "object-format=sha256"]  # SHA-1 goes without saying
    head = b"".join(_line(text) for text in ("command=ls-refs", *hashing))
    rest = b"".join(_line(text) for text in ("peel", *(f"ref-prefix {name}" for name in names)))
    return head + b"0001" + rest + b"0000"


def _line(text: str) -> bytes:
    data = f"{text}\n".encode()
    return f"{len(data) + 4:04x}".encode() + data


def told_by_2(lines: Iterator[bytes]) -> dict[str, str]:
    """`ID NAME`, for an annotated tag with ` peeled:COMMIT`."""
    found = {}
    for commit, name, *more in _words(lines):
        peeled = [word.removeprefix("peeled:") for word in more if word.startswith("peeled:")]
        found[name] = peeled[0] if peeled else commit
    return _commits(found)


def told_by_0(first: bytes, lines: Iterator[bytes]) -> dict[str, str]:
    """`ID NAME`, the first with capabilities behind it; for an annotated tag then `COMMIT NAME^{}`."""
    if first.strip() == b"version 1":
        first = next(lines, b"")
    found = {name: commit for commit, name, *_ in _words(iter((first.partition(b"\0")[0], *lines)))}
    peeled = {name.removesuffix(_PEELED): commit for name, commit in found.items() if name.endswith(_PEELED)}
    return _commits(found | peeled)


def _words(lines: Iterator[bytes]) -> Iterator[list[str]]:
    for line in lines:
        words = line.decode("utf-8", "replace").split()
        if len(words) > 1:
            yield words


def _commits(found: dict[str, str]) -> dict[str, str]:
    return {name: commit for name, commit in found.items() if COMMIT.fullmatch(commit)}
