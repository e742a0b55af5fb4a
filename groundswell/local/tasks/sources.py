"""Where a build's files come from: a git repository, a tarball by URL or uploaded before, or nothing at all.

Whatever a source holds, nothing is read or written outside the run's own folder, and what is missing (a ref, a
folder, a tarball) fails the run with a message that names it.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from groundswell.local.tasks.archives import unpack
from groundswell.local.tasks.download import download
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.model import Limits
from groundswell.local.tasks.process import CommandError, capture, environment

_NOTHING = ("", "/dev/null")
_UPLOADED = re.compile(r"source/[0-9a-f]{32}\.tar\.gz")
_NO_SHALLOW = "does not support shallow"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """`url#ref:path`."""

    url: str
    ref: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A fetched source: its folder, and for git what was checked out."""

    folder: Path
    commit: str = ""
    branch: str = ""


def parse_git(location: str) -> GitSource | None:
    """The parts of a git location; None when `location` is no git repository."""
    url, _, fragment = location.partition("#")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file"):
        return None
    if not parts.path.endswith(".git") and "/_git/" not in parts.path:
        return None
    ref, _, path = fragment.partition(":")
    return GitSource(url=url, ref=ref, path=path)


async def fetch(location: str, folder: Path, *, uploads: Path, limits: Limits) -> Context:
    """Bring the source into `folder`, which is made. RunError says why it cannot be had."""
    folder.mkdir(parents=True)
    if location in _NOTHING:
        return Context(folder=folder)
    if git := parse_git(location):
        return await _fetch_git(git, folder)
    if urlsplit(location).scheme in ("http", "https"):
        archive = folder.with_suffix(".tar.gz")
        await download(location, archive, limit=limits.source_bytes)
    elif _UPLOADED.fullmatch(location):
        archive = uploads / Path(location).name
        if not archive.is_file():
            raise RunError(f"the source {location} was not uploaded")
    else:
        raise RunError(
            f"the source {location!r} is not understood: give a git URL (….git#ref:folder), "
            "the URL of a tarball, or the path of an upload"
        )
    await asyncio.to_thread(
        unpack, archive, folder, max_bytes=limits.unpacked_bytes, max_files=limits.unpacked_files
    )
    return Context(folder=folder)


def within(folder: Path, path: str, what: str) -> Path:
    """`path` inside `folder`, symbolic links followed. RunError when it leads out of it or is not there."""
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise RunError(f"{what} {path!r} leads out of the source")
    if not found.exists():
        raise RunError(f"{what} {path!r} is not in the source")
    return found


async def _fetch_git(source: GitSource, folder: Path) -> Context:
    """Fetch one ref (a branch, a tag, a full ref or a commit) of the repository, as shallow as its server can."""
    if source.ref.startswith("-"):
        raise RunError(f"git ref {source.ref!r} is not valid")
    git = _Git(folder)
    ref = source.ref or "HEAD"
    await git.run("init", "--quiet", "--template=", ".")
    try:
        await git.fetch(source.url, ref)
    except CommandError as exc:
        raise RunError(f"git cannot fetch {ref!r} of {_shown(source.url)}: {_last_line(exc)}") from exc
    await git.run("checkout", "--quiet", "--detach", "FETCH_HEAD")
    commit = (await git.run("rev-parse", "HEAD")).strip()
    found = within(folder, source.path, "folder") if source.path else folder
    if not found.is_dir():
        raise RunError(f"folder {source.path!r} is not a folder in the source")
    return Context(folder=found, commit=commit, branch="" if source.ref == commit else source.ref)


class _Git:
    """git in one folder, without anybody's settings, hooks, questions, or protocols that run programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        config = folder.with_suffix(".gitconfig")
        # The bare repository of the stack may belong to the developer while builds run as root.
        config.write_text("[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n", "utf-8")
        self._env = environment(
            GIT_ALLOW_PROTOCOL="file:http:https",
            GIT_CONFIG_GLOBAL=str(config),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
        )

    async def run(self, *words: str) -> str:
        return await capture(["git", *words], env=self._env, folder=self._folder)

    async def fetch(self, url: str, ref: str) -> None:
        try:
            await self.run("fetch", "--quiet", "--depth=1", "--no-tags", "--", url, ref)
        except CommandError as exc:
            if _NO_SHALLOW not in str(exc):
                raise
            await self.run("fetch", "--quiet", "--no-tags", "--", url, ref)


def _last_line(exc: CommandError) -> str:
    return str(exc).strip().rpartition("\n")[2]


def _shown(url: str) -> str:
    """The URL without a user or token in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
