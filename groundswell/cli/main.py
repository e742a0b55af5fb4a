"""The `groundswell` command: parse, call the product, print. Exit codes are in `EXIT_CODES`."""

import errno
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated

import typer

from groundswell import printable
from groundswell.cli import (
    alerts,
    audit,
    backup,
    capacity,
    cascades,
    drift,
    freeze,
    hold,
    impact,
    lineage,
    notices,
    policy,
    push,
    pushes,
    replay,
    runs,
    scan,
    stale,
    token,
    verify,
    wait,
    why,
)
from groundswell.errors import ConflictError, GroundswellError, InputError, NotFoundError, TemporaryError

EXIT_CODES: Mapping[type[GroundswellError], int] = {
    InputError: 2,
    NotFoundError: 3,
    ConflictError: 4,
    TemporaryError: 5,
    GroundswellError: 1,
}
"""By the most special class: 2 wrong input, 3 not found, 4 somebody was faster, 5 try again later, 1 other.

`wait` has two of its own: 6, it ended, but not as it was waited for; 7, the same, and only because of the gate.
"""

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

app = typer.Typer(
    name="groundswell",
    help="When a base image is updated, everything that stands on it is rebuilt, scanned, promoted and rolled out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(lineage.app, name="lineage")
app.add_typer(policy.app, name="policy")
app.add_typer(runs.app, name="runs")
app.add_typer(freeze.app, name="freeze")
app.add_typer(drift.app, name="drift")
app.add_typer(token.app, name="token")
app.add_typer(notices.app, name="notices")
app.command("cascades")(cascades.cascades)
app.command("replay")(replay.replay)
app.command("cancel")(replay.cancel)
app.command("hold")(hold.hold)
app.command("release")(hold.release)
app.command("approve")(hold.approve)
app.command("push")(push.push)
app.command("pushes")(pushes.pushes)
app.command("alerts")(alerts.alerts)
app.command("rebuild")(alerts.rebuild)
app.command("audit")(audit.audit)
app.command("scan")(scan.scan)
app.command("impact")(impact.impact)
app.command("stale")(stale.stale)
app.command("wait")(wait.wait)
app.command("why")(why.why)
app.command("verify")(verify.verify)
app.command("key")(verify.key)
app.command("capacity")(capacity.capacity)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"groundswell {version('groundswell')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Run the command; an error is one line on stderr, never a stack trace."""
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk shows itself only here
    except GroundswellError as exc:
        sys.stderr.write(f"error: {printable.lines(str(exc))}\n")
        sys.exit(exit_code(exc))
    except OSError as exc:
        if exc.errno in _UNWRITTEN and not exc.filename:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains again at its end
            sys.stderr.write(f"error: the output cannot be written: {exc.strerror}\n")
        elif exc.errno != errno.EPIPE:  # whoever read us has seen enough
            sys.stderr.write(f"error: {printable.lines(str(exc))}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def exit_code(error: GroundswellError) -> int:
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


if __name__ == "__main__":
    main()
