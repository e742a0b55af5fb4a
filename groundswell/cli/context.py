"""groundswell context: which service the command speaks to."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from groundswell.cli import chosen, completing, contexts
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.over_http import HttpTransport, check_url

app = typer.Typer(help="Which service this command speaks to.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the context.", autocompletion=completing.contexts)]


@app.command("add")
def add(
    name: Name,
    *,
    url: Annotated[str, typer.Option(help="The address of the service; https, but for this machine.")],
    ca: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) that the service's is signed by, beside none others.")
    ] = None,
) -> None:
    """Add a service, or change the one of that name; the first one is in use at once.

    Example: groundswell context add prod --url https://groundswell.example.com
    """
    book = contexts.load()
    file = str(ca.resolve()) if ca is not None else ""
    made = contexts.Context(name=contexts.check_name(name), url=check_url(url), ca=file)
    HttpTransport(made.url, ca=made.ca).close()  # says so when the file holds no certificates
    moved = name in book.contexts and book.contexts[name].url != made.url
    if moved:
        contexts.keep_token(name, None)  # it was meant for the other service
    current = book.current or name
    contexts.save(replace(book, contexts={**book.contexts, name: made}, current=current))
    typer.echo(f"{name}: {made.url}{', in use' if current == name else ''}; next: `groundswell login`")


@app.command("use")
def use(name: Name) -> None:
    """Speak to this service from now on; `local` is the store of the settings.

    Example: groundswell context use prod
    """
    book = contexts.load()
    current = "" if name == contexts.LOCAL else book.named(name).name
    contexts.save(replace(book, current=current))
    typer.echo(f"{name} is in use")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the contexts, and which is in use.

    Example: groundswell context list
    """
    book = contexts.load()
    found = [_told(book, each) for each in sorted(book.contexts.values(), key=lambda each: each.name)]
    if as_json:
        print_json(found)
        return
    if not found:
        console.print(
            "no contexts: `groundswell context add NAME --url URL`; until then, the store of the settings"
        )
        return
    table = columns("in use", "context", "url", "logged in")
    for each in found:
        marks = ("*" if each["in_use"] else "", "yes" if each["logged_in"] else "no")
        table.add_row(marks[0], cell(each["name"]), cell(each["url"]), marks[1])
    console.print(table)


@app.command("show")
def show(as_json: Json = False) -> None:
    """Show which service a command would speak to now, and what decides it.

    Example: groundswell context show
    """
    choice = chosen.choice()
    if choice.context is None:
        document: dict[str, object] = {
            "name": contexts.LOCAL,
            "url": "",
            "ca": "",
            "in_use": True,
            "logged_in": True,
        }
    else:
        document = {**_told(contexts.load(), choice.context), "in_use": True}
    document["because"] = choice.why
    if as_json:
        print_json(document)
        return
    place = document["url"] or "the store of the settings"
    console.print(cell(f"{document['name'] or 'no name'}: {place} ({choice.why})"), soft_wrap=True)


@app.command("remove")
def remove(name: Name) -> None:
    """Remove a context, and forget its token.

    Example: groundswell context remove prod
    """
    book = contexts.load()
    book.named(name)
    contexts.keep_token(name, None)
    left = {key: each for key, each in book.contexts.items() if key != name}
    contexts.save(replace(book, contexts=left, current="" if book.current == name else book.current))
    typer.echo(f"{name}: removed")


def _told(book: contexts.Book, each: contexts.Context) -> dict[str, object]:
    logged_in = bool(each.name) and contexts.token(each.name) is not None
    found = {"name": each.name, "url": each.url, "ca": each.ca}
    return {**found, "in_use": each.name == book.current, "logged_in": logged_in}
