"""groundswell runs: the build service's runs."""

from typing import Annotated
from urllib.parse import quote

import typer

from groundswell import printable
from groundswell.cli.client import segment

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
        _print(f"/cascades/{segment(run)}/logs/{segment(image)}")
    else:
        _print(f"/runs/{quote(run, safe='')}/log", registry=registry)


def _print(path: str, **query: str) -> None:
    """As much as there is by now, page by page."""
    from groundswell.cli.chosen import client

    api, offset = client().patient(), 0
    while (page := api.get(path, offset=offset, limit=_PAGE, **query))["text"]:
        typer.echo(printable.lines(page["text"]), nl=False)
        offset = page["next_offset"]
    typer.echo()
