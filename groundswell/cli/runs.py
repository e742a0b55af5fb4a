"""groundswell runs: the build service's runs."""

from typing import Annotated

import typer

from groundswell import printable
from groundswell.errors import InputError

app = typer.Typer(help="Look at the runs of ACR Tasks, or of a pipeline that builds.", no_args_is_help=True)


@app.command()
def logs(
    run: Annotated[str, typer.Argument(help="Id of the run, as `groundswell cascades ID --json` shows it.")],
    registry: Annotated[str, typer.Option(help="Login server; needed when several are configured.")] = "",
) -> None:
    """Print a run's log, control characters taken out."""
    from groundswell.build.router import builder_of
    from groundswell.wiring import app as product

    if builder_of(run):
        typer.echo(printable.lines(product().builder.log(registry, run)))
        return
    known = list(product().settings.registries)
    if not registry and len(known) != 1:
        raise InputError(f"--registry LOGIN_SERVER is needed: {len(known)} registries are configured")
    typer.echo(printable.lines(product().builder.log(registry or known[0], run)))
