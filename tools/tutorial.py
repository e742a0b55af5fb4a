"""Writes docs/tutorial.md: what a newcomer types, run for real on a local stack of its own, and the answers.

`python -m tools.tutorial` writes the page, `--check` says whether a run still gives the same (a test does, too).
What differs from run to run (ids, digests, times, ports, folders) stands in the page as one value of its kind.
"""

import argparse
import contextlib
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from groundswell.local import paths

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"

_SECONDS = 180.0
_MARK = "ended-with"
_WIDEST = 180
_ID, _DIGEST, _TIME = "0k3v9xab2c", "5f0c1d2e3a4b", "2026-11-30 07:00:00Z"


_AUTHOR = {f"GIT_{who}_{what}": "me@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class WrongError(Exception):
    """A command did not do what the page says it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`says`: what its output must hold, so that a page that is written anew is not written wrong."""

    prose: str
    command: str
    says: tuple[str, ...] = ()
    status: int = 0


STEPS = (
    Step(
        prose="## A base\n\nA Dockerfile, and its push; as a function of the shell, for it is pushed again.",
        command="""\
mkdir -p base shop/web
printf 'FROM scratch\\nCOPY release /release\\n' > base/Dockerfile
push() {
  date +%N > base/release
  buildah build --quiet -t base base > base.id
  SSL_CERT_FILE=$CERTIFICATE buildah push --quiet --creds "admin:$PASSWORD" base docker://$REGISTRY/mirror/base:1
}
push""",
    ),
    Step(
        prose="## The first image\n\nIt stands on the base, and is in a git repository. (Its Dockerfile has a "
        "mistake, which will show.) `os: none`: there is no operating system in it to be scanned.",
        command="""\
printf "FROM $REGISTRY/mirror/base:1\\nCOPY pages /pages\\n" > shop/web/Dockerfile
echo hello > shop/web/page
cat > shop/lineage.yaml <<END
version: 1
registry: $REGISTRY
source: {git: "file://$PWD/shop/.git"}
images:
  - {name: shop/web, tags: ["1"], path: web, gate: {os: none}}
END
git init --quiet -b main shop
git -C shop add .
git -C shop commit --quiet -m "A shop\"""",
    ),
    Step(
        prose="What would be registered, then the registration. Its edge comes from the Dockerfile:",
        command="groundswell lineage register shop --dry-run",
        says=("1 would be registered",),
    ),
    Step(prose="", command="groundswell lineage register shop", says=("1 registered",)),
    Step(
        prose="",
        command="groundswell lineage show --format tree",
        says=("localhost:5443/mirror/base:1", "  shop/web"),
    ),
    Step(
        prose="## What a push would do\n\nBefore anybody pushes. (What was never built is taken to need a minute.)",
        command="groundswell impact $REGISTRY/mirror/base:1",
        says=("rebuilds 1 images",),
    ),
    Step(
        prose="## The base moves\n\nThe registry announces the push, and what stands on it is built. `wait` ends "
        "when all has.",
        command="""\
push
until ID=$(groundswell cascades -o name | head -n 1) && [ -n "$ID" ]; do sleep 0.2; done
groundswell wait $ID""",
        status=6,
        says=("shop/web is failed", "0 of 1 as asked"),
    ),
    Step(
        prose="## Why it failed\n\nThe status 6 says: ended, and not as asked. What failed, by cause:",
        command="groundswell failures",
        says=("shop/web",),
    ),
    Step(
        prose="The end of the build's log, and how it came to be:",
        command="groundswell runs logs $ID shop/web | tail -n 4",
        says=("no such file or directory",),
    ),
    Step(prose="", command="groundswell why shop/web", says=("failed at build", "through")),
    Step(
        prose="## Mend it, and replay\n\nIt is `page`, not `pages`. A replay needs a reason, which is kept.",
        command="""\
sed -i 's/pages/page/g' shop/web/Dockerfile
git -C shop commit --quiet -am "Copy the page that there is"
groundswell replay $ID shop/web --from build --reason "its Dockerfile is mended\"""",
        says=("shop/web: ready",),
    ),
    Step(prose="", command="groundswell wait $ID", says=("1 of 1 as asked",)),
    Step(prose="", command="groundswell cascades $ID", says=("done", "promoted; nothing runs it")),
    Step(
        prose="",
        command="groundswell audit --limit 2 -o json | grep -e action -e why",
        says=("replay", "its Dockerfile is mended"),
    ),
    Step(
        prose="## And by itself\n\nThe base is pushed once more: nothing else is typed but the wait. `why` "
        "tells on what proof the image is done.",
        command="""\
push
until NEXT=$(groundswell cascades -o name | head -n 1) && [ "$NEXT" != "$ID" ]; do sleep 0.2; done
groundswell wait $NEXT""",
        says=("1 of 1 as asked",),
    ),
    Step(prose="", command="groundswell why shop/web | grep -A 2 proof", says=("begins with its layers",)),
    Step(
        prose="## When something does not work\n\n[The doctor](doctor.md) looks at settings, services, "
        "permissions, clock, queues and webhooks, and tells the fix for what is not well. How it begins:",
        command="groundswell doctor | head -n 6",
        says=("written, read and deleted",),
    ),
)

_HEAD = """\
# Tutorial

From nothing to the first registered image, a look at what a push would do, and a failed build that is mended and
replayed. All of it was typed as it stands here, and answered so, by `python -m tools.tutorial`; a test runs it
again. Ids, digests and times will be others with you.

`make up` starts everything on this machine (a registry, builds, a cluster; [more](operations.md)) and prints
addresses and the registry's password. In another terminal, in an empty folder; `groundswell` is
`.venv/bin/groundswell` of the clone:

```sh
REGISTRY=localhost:5443
PASSWORD=...                                        # of `registry login`, as make up printed it
CERTIFICATE=CLONE/.groundswell/certs/ca.crt
export GROUNDSWELL_SETTINGS=CLONE/.groundswell/local.settings.json
export GROUNDSWELL_URL=... GROUNDSWELL_TOKEN=...    # the line that make up printed
```
"""


@contextlib.contextmanager
def stack(home: Path) -> Iterator[dict[str, str]]:
    """The local stack, as `make up` runs it; gives what a newcomer reads off its output."""
    environment = {**_clean(), "GROUNDSWELL_HOME": str(home)}
    command = [sys.executable, "-m", "groundswell.local.up", "--free-ports"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    timer = threading.Timer(_SECONDS, process.kill)
    timer.start()
    try:
        assert process.stdout
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        said = "".join(lines)
        registry = re.search(r"^registry +https://(\S+)$", said, re.MULTILINE)
        password = re.search(r"password: (\S+)$", said, re.MULTILINE)
        service = re.search(r"export GROUNDSWELL_URL=(\S+) GROUNDSWELL_TOKEN=(\S+)$", said, re.MULTILINE)
        if registry is None or password is None or service is None:
            raise WrongError(f"the stack did not start:\n{said}")
        yield {
            "REGISTRY": registry[1],
            "PASSWORD": password[1],
            "GROUNDSWELL_URL": service[1],
            "GROUNDSWELL_TOKEN": service[2],
        }
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        timer.cancel()
        if process.stdout:
            process.stdout.close()


def _clean() -> dict[str, str]:
    """Our environment without what would hide the settings of the stack."""
    hiding = ("GROUNDSWELL_", "IDENTITY_", "REQUESTS_CA_BUNDLE", "AZURE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hiding)}


class Shell:
    """One bash, as a terminal that stays open: functions, variables and the folder are kept."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._timer = threading.Timer(_SECONDS, self._bash.kill)
        self._timer.start()

    def close(self) -> None:
        self._timer.cancel()
        self._bash.kill()
        self._bash.communicate()

    def run(self, command: str) -> tuple[int, str]:
        """The status and all that was printed."""
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f"{command}\necho {_MARK} $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(_MARK):
                return int(line.split()[1]), "".join(lines)
            lines.append(line)
        raise WrongError(f"no end within {_SECONDS:.0f} s: {command}")


def page() -> str:
    """The whole page. Raises WrongError when a command does something else than it should."""
    with tempfile.TemporaryDirectory(prefix="tutorial-") as name:
        folder = Path(name)
        home, work, programs = folder / "home", folder / "work", folder / "bin"
        for each in (home, work, programs):
            each.mkdir()
        if (kept := paths.home() / "tools").is_dir():  # Trivy as an image, which takes long to pack
            (home / "tools").symlink_to(kept)
        (programs / "groundswell").write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m groundswell.cli.main "$@"\n'
        )
        (programs / "groundswell").chmod(0o755)
        with stack(home) as read:
            environment = {
                **_clean(),
                **_AUTHOR,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "COLUMNS": "400",
                "XDG_CONFIG_HOME": str(folder / "config"),
                "GROUNDSWELL_SETTINGS": str(home / "local.settings.json"),
                "CERTIFICATE": str(home / "certs" / "ca.crt"),
                **read,
            }
            shell = Shell(work, environment)
            try:
                parts = [_HEAD, *(_told(step, *shell.run(step.command), folder) for step in STEPS)]
            finally:
                shell.close()
    return "\n".join(parts)


def _told(step: Step, status: int, output: str, folder: Path) -> str:
    said = same(output, folder)
    missing = [text for text in step.says if text not in said]
    if status != step.status or missing:
        raise WrongError(f"$ {step.command}\n{output}\nended with {status}; it does not say {missing}")
    typed = "$ " + step.command.replace("\n", "\n> ")
    prose = "".join(f"{textwrap.fill(part, 118)}\n\n" for part in step.prose.split("\n\n") if part)
    return f"{prose}```\n{typed}\n{cut(said)}```\n"


def same(text: str, folder: Path) -> str:
    """What was printed, with one value of its kind for all that differs from run to run. Columns stay columns.

    A minute stays what it is: it is taken for what was never built.
    """
    text = text.replace(f"{folder}/home", "CLONE/.groundswell").replace(f"{folder}/work", "~")
    text = re.sub(r"localhost:\d{5}(\S*)(  +)", r"localhost:5443\1\2 ", text)
    text = re.sub(r"localhost:\d{5}", "localhost:5443", text)
    text = re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:7071", text)
    text = re.sub(r"\b0[0-9a-z]{9}\b", _ID, text)
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + (_DIGEST * 6)[:64], text)
    text = re.sub(r"(?<![\w:])[0-9a-f]{12}\b", _DIGEST, text)
    text = re.sub(r"\d{4}-\d\d-\d\d( |T)\d\d:\d\d:\d\dZ", lambda found: _TIME.replace(" ", found[1]), text)
    text = re.sub(r" +(?!60\.0\b)\d+\.\d\b(?! s|\.)", lambda found: "5.0".rjust(len(found[0])), text)
    text = re.sub(r"\d+\.\d s\b", "5.0 s", text)
    text = re.sub(r"after \d+s", "after 1s", text)
    text = re.sub(r"\b\d+ documents in \d+ tables", "20 documents in 12 tables", text)
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def cut(text: str) -> str:
    """Lines as wide as a page."""
    return "".join(f"{line if len(line) <= _WIDEST else line[: _WIDEST - 1] + '…'}\n" for line in text.splitlines())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tutorial", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a run gives another page")
    asked = parser.parse_args(arguments)
    try:
        made = page()
    except WrongError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    if not asked.check:
        PAGE.write_text(made, "utf-8")
        return 0
    before = PAGE.read_text("utf-8")
    if made == before:
        return 0
    sys.stderr.writelines(
        difflib.unified_diff(before.splitlines(keepends=True), made.splitlines(keepends=True), "page", "run")
    )
    sys.stderr.write("docs/tutorial.md is not what a run gives: run python -m tools.tutorial\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
