"""The `groundswell` command: parse, ask the API, print. Exit codes are in `EXIT_CODES`."""

import errno
import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from groundswell import printable
from groundswell.access.principal import ForbiddenError, UnauthenticatedError
from groundswell.cli import completing
from groundswell.cli.commands import LazyGroup
from groundswell.errors import ConflictError, GroundswellError, InputError, NotFoundError, TemporaryError

EXIT_CODES: Mapping[type[GroundswellError], int] = {
    InputError: 2,
    NotFoundError: 3,
    ConflictError: 4,
    TemporaryError: 5,
    UnauthenticatedError: 8,
    ForbiddenError: 8,
    GroundswellError: 1,
}
"""By the most special class: 2 wrong input, 3 not found, 4 somebody was faster, 5 try again later, 8 not allowed,
1 other.

`wait` has two of its own: 6, it ended, but not as it was waited for; 7, the same, and only because of the gate.
"""

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

_HELP = """\
When a base image is updated, everything that stands on it is rebuilt, scanned, promoted and rolled out.

Exit codes: 0 done, 1 it failed, 2 wrong input, 3 not found, 4 somebody was faster, 5 try again later,
8 not allowed; `wait` also ends with 6 (not as asked) and 7 (the gate alone refused).

Example: groundswell cascades --output name
"""

app = typer.Typer(
    name="groundswell",
    cls=LazyGroup,
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:
    if asked:
        from groundswell.version import version

        typer.echo(f"groundswell {version()}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    context: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The service to speak to (`groundswell context list`), or `local`.",
            autocompletion=completing.contexts,
        ),
    ] = "",
) -> None:
    from groundswell.cli import chosen

    chosen.ask_for(context)
    ctx.call_on_close(chosen.close)


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
