"""groundswell hold, release and approve: what stops a rebuild at its next checkpoint, and what lets it go on."""

from typing import TYPE_CHECKING, Annotated

import typer

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Cascade, Image, Reason, report
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.cascade.model import Rebuild


def hold(cascade: Cascade, image: Image = None, *, reason: Reason, as_json: Json = False) -> None:
    """Hold an image of a cascade, or all of it: nothing more is begun, promoted or rolled out.

    What has not begun is held at once, what is under way before its promotion or before its rollout.

    Example: groundswell hold 0k3v9xab2c --reason "the new base breaks TLS"
    """
    from groundswell.wiring import app as product

    operator = product().operator
    if image is None:
        report(operator.hold_all(cascade, who=who(), why=reason), "held", "hold", as_json=as_json)
        return
    _show(operator.hold(cascade, image, who=who(), why=reason), as_json=as_json)


def release(cascade: Cascade, image: Image = None, *, reason: Reason, as_json: Json = False) -> None:
    """End a hold by a person, of an image or in all of a cascade.

    What was held before its promotion is scanned again, and what stands on a base that moved is built again.

    Example: groundswell release 0k3v9xab2c shop/web --reason "it was our own proxy"
    """
    from groundswell.wiring import app as product

    operator = product().operator
    if image is None:
        report(operator.release_all(cascade, who=who(), why=reason), "released", "release", as_json=as_json)
        return
    _show(operator.release(cascade, image, who=who(), why=reason), as_json=as_json)


def approve(
    cascade: Cascade,
    images: Annotated[list[str] | None, typer.Argument(metavar="IMAGE", help="Names of images in it.")] = None,
    *,
    reason: Reason,
    everything: Annotated[bool, typer.Option("--all", help="All that wait for an approval.")] = False,
    despite_freeze: Annotated[
        bool, typer.Option("--despite-freeze", help="Roll out although an environment is frozen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let images be rolled out that wait for an approval, of the digest that they have now.

    One that is also frozen is rolled out when the freeze ends, or at once with --despite-freeze.

    Example: groundswell approve 0k3v9xab2c shop/web --despite-freeze --reason "CVE-2026-1 is exploited"
    """
    from groundswell.wiring import app as product

    if bool(images) == everything:
        raise InputError("approve what? name IMAGEs of the cascade, or give --all")
    bulk = product().operator.approve(cascade, images or (), who=who(), why=reason, despite_freeze=despite_freeze)
    report(bulk, "approved", "approval", as_json=as_json)
    if images and bulk.left:  # it was asked for by name
        raise typer.Exit(1)


def _show(state: "Rebuild", *, as_json: bool) -> None:
    from groundswell.cascade.holds import marked

    why = "; ".join(filter(None, (state.reason, marked(state))))
    if as_json:
        print_json({"cascade": state.cascade, "image": state.image, "status": state.status, "reason": why})
        return
    console.print(cell(f"{state.image}: {state.status}: {why}"), soft_wrap=True)
