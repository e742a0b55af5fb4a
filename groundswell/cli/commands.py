"""The commands by name, each imported when it is run: the help of all of them reads none of their modules.

`about` says in short what the first sentence of the command's own help says; a test holds the two together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`name` is a function, or a typer app with commands of its own, of the module."""

    module: str
    name: str
    about: str


def _entry(place: str, about: str) -> Entry:
    module, _, name = place.partition(":")
    return Entry(module=f"groundswell.cli.{module}", name=name, about=about)


COMMANDS = {
    "cascades": _entry("cascades:cascades", "List cascades, or show one, or one image of it."),
    "failures": _entry("failures:failures", "List what failed or was rejected and was not healed since, by cause."),
    "compare": _entry("compare:compare", "Compare a rebuild with the last good one of its image."),
    "why": _entry("why:why", "Explain why an image was, or was not, rebuilt, and what it waits for now."),
    "wait": _entry("wait:wait", "Wait until a cascade has ended."),
    "replay": _entry("replay:replay", "Run a rebuild again from a stage."),
    "cancel": _entry("replay:cancel", "Stop a rebuild that has promoted nothing yet."),
    "hold": _entry("hold:hold", "Hold an image of a cascade, or all of it."),
    "release": _entry("hold:release", "End a hold by a person, of an image or in all of a cascade."),
    "approve": _entry("hold:approve", "Let images be rolled out that wait for an approval."),
    "push": _entry("push:push", "Tell that a base was pushed."),
    "pushes": _entry("pushes:pushes", "List the pushes seen, newest first, and what became of each."),
    "impact": _entry("impact:impact", "Show what a push of REF would rebuild, in which order, how long it takes."),
    "stale": _entry("stale:stale", "Show images, and workloads that run, which stand on an older base."),
    "alerts": _entry("alerts:alerts", "List what runs although the gate refuses it by now."),
    "rebuild": _entry("alerts:rebuild", "Build an image anew, past every cache, and what stands on it."),
    "drift": _entry("drift:app", "Workloads that somebody else changed: they are left alone."),
    "lineage": _entry("lineage:app", "Register images and look at what stands on what."),
    "scan": _entry("scan:scan", "Show which images the Dockerfiles, compose, bake and ACR task files build on."),
    "policy": _entry("policy:app", "The policy of the gate: for every image, for a team, in force."),
    "freeze": _entry("freeze:app", "Freeze windows: when nothing is rolled out to an environment."),
    "runs": _entry("runs:app", "Look at the runs of ACR Tasks, or of a pipeline that builds."),
    "notices": _entry("notices:app", "What people were told of, and whether it arrived."),
    "statistics": _entry("statistics:statistics", "Show by month what the cascades came to that have ended."),
    "audit": _entry("audit:audit", "List the audit trail, newest first."),
    "verify": _entry("verify:verify", "Show what is attached to an image, and check that it is signed."),
    "key": _entry("verify:key", "Print the public key that promoted images are signed with."),
    "capacity": _entry("capacity:capacity", "Print what so many images and pushes ask for."),
    "backup": _entry("backup:backup", "Write all documents of the store into FILE."),
    "restore": _entry("backup:restore", "Put a backup into an empty store."),
    "doctor": _entry("doctor:doctor", "Check settings, permissions, services, and tell the fix for what is wrong."),
    "context": _entry("context:app", "Which service this command speaks to."),
    "login": _entry("login:login", "Log in to the service of the context."),
    "logout": _entry("login:logout", "Forget the token of a context."),
    "token": _entry("token:app", "API tokens: make, list and revoke them."),
}


class LazyGroup(TyperGroup):
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return TyperCommand(cmd_name, help=entry.about) if self._listing else loaded(cmd_name, entry)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with self._list():
            super().format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._list():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _list(self) -> Iterator[None]:
        """Names and what they are about are enough meanwhile."""
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def loaded(name: str, entry: Entry) -> Any:
    """The command itself, its module imported."""
    from groundswell.cli.completing import add_completion
    from groundswell.cli.output import add_output, formed

    found = getattr(import_module(entry.module), entry.name)
    if isinstance(found, typer.Typer):
        for each in found.registered_commands:
            if each.callback is not None:
                add_completion(each.callback)
        add_output(found)
        found.rich_markup_mode = None
        command: Any = typer.main.get_group(found)
    else:
        add_completion(found)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(formed(found))
        command = typer.main.get_command(app)
    command.name = name
    return command
