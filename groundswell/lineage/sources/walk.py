"""Walks a tree as git sees it: what `.gitignore` names is left out, links to folders are not followed.

What a link points at inside the tree is met at its own place; a link that leads out, or around in a circle, is
told. A folder that a person names is walked although something ignores it.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from groundswell.errors import InputError
from groundswell.lineage.sources.files import Tree, read_text

VENDORED = frozenset(
    ".nox .terraform .tox .venv __pypackages__ bower_components dist-packages jspm_packages node_modules pods "
    "site-packages third-party third_party thirdparty vendor venv".split()
)
"""Names of folders (in any case) that hold what somebody else publishes."""

_NEVER = frozenset({".git", ".hg", ".svn"})
_MAX_IGNORE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something on the way that could not be walked, in one line."""

    path: Path
    problem: str


@dataclass(frozen=True, slots=True)
class _Rules:
    """One file of patterns, and the folder that they are relative to, with a slash at its end."""

    base: str
    spec: GitIgnoreSpec

    def ignores(self, path: str) -> bool | None:
        """None when no pattern says anything about it. A folder's path ends in a slash."""
        return self.spec.check_file(path[len(self.base) :]).include


def walk(tree: Tree, wanted: Callable[[str], bool], *, skip_vendored: bool) -> Iterator[Path | Trouble]:
    """The files below the folder `tree.given` whose names are wanted, in no particular order."""
    real = str(tree.given.resolve())
    outer: tuple[_Rules, ...] = ()
    try:
        outer = _outer_rules(tree.root, real)
    except InputError as exc:
        yield Trouble(path=tree.root, problem=f"what git ignores cannot be read: {exc}")
    waiting: list[tuple[str, str, tuple[_Rules, ...]]] = [(str(tree.given), real, outer)]
    while waiting:
        folder, actual, rules = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError as exc:
            yield Trouble(path=Path(folder), problem=f"the folder cannot be read: {exc.strerror}")
            continue
        own = next((entry for entry in entries if entry.name == ".gitignore"), None)
        if own is not None:
            try:
                rules = (*rules, _rules(Path(own.path), actual))
            except InputError as exc:
                yield Trouble(path=Path(own.path), problem=str(exc))
        for entry in entries:
            name = entry.name
            at = f"{actual}/{name}"
            if entry.is_symlink():
                yield from _link(entry, at, rules, wanted, real)
            elif entry.is_dir():
                skipped = name in _NEVER or (skip_vendored and name.lower() in VENDORED)
                if not skipped and not _ignored(at + "/", rules):
                    waiting.append((entry.path, at, rules))
            elif wanted(name) and not _ignored(at, rules):
                yield Path(entry.path)


def _link(
    entry: os.DirEntry[str], at: str, rules: Sequence[_Rules], wanted: Callable[[str], bool], real: str
) -> Iterator[Path | Trouble]:
    """A symbolic link: a wanted file, or a folder that is met elsewhere or told."""
    try:
        folder = stat.S_ISDIR(os.stat(entry.path).st_mode)
    except OSError as exc:
        loop = not isinstance(exc, FileNotFoundError)
        if (loop or wanted(entry.name)) and not _ignored(at, rules):
            yield Trouble(path=Path(entry.path), problem=f"a symbolic link that leads nowhere: {exc.strerror}")
        return
    if not folder:
        if wanted(entry.name) and not _ignored(at, rules):
            yield Path(entry.path)
        return
    # To git a link is a file, whatever it points at.
    if _ignored(at, rules):
        return
    goal = os.path.realpath(entry.path)
    if at.startswith(goal.rstrip("/") + "/"):
        yield Trouble(path=Path(entry.path), problem="a symbolic link to a folder above it: a loop, not followed")
    elif goal != real and not goal.startswith(real.rstrip("/") + "/"):
        yield Trouble(path=Path(entry.path), problem=f"a symbolic link out of the tree, to {goal}: not followed")


def _ignored(path: str, rules: Sequence[_Rules]) -> bool:
    """The innermost rules that say something decide."""
    for each in reversed(rules):
        answer = each.ignores(path)
        if answer is not None:
            return answer
    return False


def _outer_rules(root: Path, real: str) -> tuple[_Rules, ...]:
    """What git would apply from above the folder that is walked: none of it when that ignores the folder itself."""
    rules: list[_Rules] = []
    above = Path(real).parents
    for folder in reversed([each for each in (Path(real), *above) if each.is_relative_to(root)]):
        names = [folder / ".git" / "info" / "exclude"] if folder == root else []
        names += [folder / ".gitignore"] if str(folder) != real else []
        rules += [_rules(name, str(folder)) for name in names if name.is_file()]
        if str(folder) != real and _ignored(f"{folder}/{Path(real).relative_to(folder).parts[0]}/", rules):
            return ()
    return tuple(rules)


def _rules(file: Path, folder: str) -> _Rules:
    """The patterns of a file, without those that git would pass over. Raises InputError."""
    lines = read_text(file, _MAX_IGNORE).splitlines()
    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError:
        spec = GitIgnoreSpec.from_lines([line for line in lines if _valid(line)])
    return _Rules(folder.rstrip("/") + "/", spec)


def _valid(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
