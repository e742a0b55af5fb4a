"""groundswell runs: the build service's runs."""

from typing import Annotated

import typer

from groundswell import printable
from groundswell.cli.client import segment
from groundswell.errors import InputError

_PAGE = 1024 * 1024

app = typer.Typer(help="Look at the runs of ACR Tasks, or of a pipeline that builds.", no_args_is_help=True)


@app.command()
def logs(
    run: Annotated[str, typer.Argument(metavar="CASCADE|RUN", help="Id of a cascade; without IMAGE, id of a run.")],
    image: Annotated[str | None, typer.Argument(metavar="[IMAGE]", help="The image of the cascade.")] = None,
    registry: Annotated[str, typer.Option(help="With RUN: login server; needed when several are configured.")] = "",
) -> None:
    """Print the log of a build, control characters taken out.

    Example: groundswell runs logs 0k3v9xab2c shop/web
    """
    if image is not None:
        _print(run, image)
        return
    from groundswell.build.router import builder_of
    from groundswell.cli.chosen import own_store as product

    if builder_of(run):
        typer.echo(printable.lines(product().builder.log(registry, run)))
        return
    known = list(product().settings.registries)
    if not registry and len(known) != 1:
        raise InputError(f"--registry LOGIN_SERVER is needed: {len(known)} registries are configured")
    typer.echo(printable.lines(product().builder.log(registry or known[0], run)))


def _print(cascade: str, image: str) -> None:
    """As much as there is by now, page by page."""
    from groundswell.cli.chosen import client

    api, offset = client(), 0
    path = f"/cascades/{segment(cascade)}/logs/{segment(image)}"
    while (page := api.get(path, offset=offset, limit=_PAGE))["text"]:
        typer.echo(printable.lines(page["text"]), nl=False)
        offset = page["next_offset"]
    typer.echo()
