"""ACR task files: what their `build` steps build, and which images their `cmd` steps run.

A step's name is its `id`, else `acb_step_N` as ACR names it. Paths are relative to the source that the task gets,
which the file does not say: its own folder is tried, then the root of the tree.
Source of the rules: learn.microsoft.com, "ACR Tasks reference: YAML".
"""

import argparse
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from graph.dockerfile import Resolution, Unresolved
from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError
from groundswell.lineage.sources import yamls
from groundswell.lineage.sources.build import REMOTE, Build, Recipe, Source
from groundswell.lineage.sources.files import MAX_SOURCE, is_folder, read_bytes, read_text, shown

_ACTIONS = frozenset({"build", "cmd", "push"})
_ALIASES = frozenset({"acr", "az", "bash", "curl", "cssc"})
_RUN_VARIABLE = re.compile(r"\$[A-Za-z]|\{\{")
_STEPS = re.compile(rb"(?m)^(?:steps|\"steps\"|'steps')[ \t]*:")
_DOLLAR_ALIAS = "a variable or an alias of the run, known only when it runs"
# Options of `docker run` that stand alone; the others have a value.
_RUN_FLAGS = frozenset({"-d", "--detach", "-i", "--interactive", "-t", "--tty", "-it", "--rm", "--init", "-P"})
_RUN_FLAGS |= {"--publish-all", "--privileged", "--read-only", "--no-healthcheck", "--oom-kill-disable"}


def looks_like_task(path: Path) -> bool:
    """Whether a YAML file of any name has `steps` at its top that ACR would know.

    What cannot be read is no task: nothing says that it was one.
    """
    try:
        if _STEPS.search(read_bytes(path, MAX_SOURCE)) is None:
            return False
        document = yamls.load(read_text(path, MAX_SOURCE))
    except InputError:
        return False
    steps = document.get("steps") if isinstance(document, dict) else None
    if not isinstance(steps, list) or not steps:
        return False
    return all(isinstance(step, dict) and len(_ACTIONS & step.keys()) == 1 for step in steps)


def read(source: Source) -> list[Build]:
    """A row for each build step, and one for the task itself when it runs images."""
    try:
        document = yamls.load(source.tree.text(source.path, MAX_SOURCE))
        steps = document.get("steps") if isinstance(document, dict) else None
        if not isinstance(steps, list):
            return [source.failed("not a task: it has no list of `steps`")]
    except InputError as exc:
        return [source.failed(str(exc))]
    rows: list[Build] = []
    images: set[str] = set()
    unresolved: list[Unresolved] = []
    for number, step in enumerate(steps):
        if not isinstance(step, dict):
            rows.append(source.failed(f"step {number} must be a mapping"))
            continue
        name = str(step.get("id") or f"acb_step_{number}")
        try:
            if "build" in step:
                recipe = _recipe(source, step, document)
                rows += source.builds(name, lambda recipe=recipe: recipe)  # type: ignore[misc]  # mypy infers no lambda with a default
            elif "cmd" in step:
                _run(_words(step["cmd"], "cmd"), images, unresolved)
        except InputError as exc:
            rows.append(source.failed(str(exc), name))
    if images or unresolved:
        found = Resolution(
            runtime=None,
            build=tuple(sorted(images)),
            unneeded=(),
            unresolved=tuple(unresolved),
            frontend=None,
        )
        platform = source.options.platform
        rows.append(
            Build(kind=source.kind, path=shown(source.path), target=None, platform=platform, resolution=found)
        )
    return rows


def _words(value: object, key: str) -> list[str]:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{key}: must be a command line")
    try:
        return shlex.split(value)
    except ValueError as exc:
        raise InputError(f"{key}: {str(exc).lower()}") from exc


def _run(words: list[str], images: set[str], unresolved: list[Unresolved]) -> None:
    """Note the image that a `cmd` runs: its first word after the options of `docker run`."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 1 if "=" in words[at] or words[at] in _RUN_FLAGS else 2
    if at >= len(words):
        raise InputError("cmd: names no image")
    image = words[at]
    if image in _ALIASES:
        return
    if _RUN_VARIABLE.search(image):
        missing = Unresolved(raw=image, why=_DOLLAR_ALIAS)
        if missing not in unresolved:
            unresolved.append(missing)
        return
    try:
        images.add(str(Reference.parse(image)))
    except InvalidReferenceError as exc:
        raise InputError(f"cmd: {image!r} is no image: {exc}") from exc


def _recipe(source: Source, step: Mapping[str, Any], task: Mapping[str, Any]) -> Recipe:
    """The build of a step, its options being those of `docker build`. Raises InputError."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-f", "--file", dest="file")
    parser.add_argument("--target")
    parser.add_argument("--platform")
    parser.add_argument("--build-arg", dest="args", action="append", default=[])
    parser.add_argument("--build-context", dest="contexts", action="append", default=[])
    for option in ("--no-cache", "--pull", "-q", "--quiet", "--rm", "--force-rm", "--squash", "--compress"):
        parser.add_argument(option, action="store_true")
    for option in ("-t", "--tag", "--image"):
        parser.add_argument(option, action="append")
    words = _words(step["build"], "build")
    given, rest = parser.parse_known_args(words)
    context = _context(rest)
    remote = context if context.startswith(REMOTE) else None
    for value in (context, given.file or "", given.target or ""):
        if remote is None and _RUN_VARIABLE.search(value):
            remote = value
    root = source.tree.root
    inner = str(step.get("workingDirectory") or task.get("workingDirectory") or "").strip("/")
    folders = tuple(folder / inner for folder in (source.path.parent, root))
    return Recipe(
        dockerfile=lambda: source.tree.dockerfile(folders, context, given.file, of_context=False),
        remote=remote,
        context=None if remote else next((f / context for f in folders if is_folder(f / context)), folders[0]),
        stage=given.target,
        args=_pairs(given.args, source.options.environment),
        contexts=_pairs(given.contexts, {}),
        platforms=(given.platform,) if given.platform else (),
    )


def _context(rest: list[str]) -> str:
    """The one word that is no option. Options that matter to nobody here may have a value of their own."""
    plain = [word for number, word in enumerate(rest) if not word.startswith("-") and not _is_value(rest, number)]
    if len(plain) != 1:
        raise InputError(f"build: names {len(plain)} build contexts, must be one")
    return plain[0]


def _is_value(rest: list[str], number: int) -> bool:
    before = rest[number - 1] if number else ""
    return before.startswith("-") and "=" not in before


def _pairs(given: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    """NAME=VALUE; a NAME alone has the environment's value, if there is one."""
    split = [one.partition("=") for one in given]
    found = {name: value if equals else environment.get(name) for name, equals, value in split}
    return {name: value for name, value in found.items() if value is not None}


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"build: {message}")
