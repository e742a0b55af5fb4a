"""groundswell hold, release and approve: what stops a rebuild at its next checkpoint, and what lets it go on."""

from typing import Annotated

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.cli.replay import Cascade, Image, Reason, act, report
from groundswell.errors import InputError


def hold(cascade: Cascade, image: Image = None, *, reason: Reason, as_json: Json = False) -> None:
    """Hold an image of a cascade, or all of it: nothing more is begun, promoted or rolled out.

    What has not begun is held at once, what is under way before its promotion or before its rollout.

    Example: groundswell hold 0k3v9xab2c --reason "the new base breaks TLS"
    """
    bulk = act(cascade, "hold", {"reason": reason} | ({"image": image} if image else {"all": True}))
    if image is None:
        report(bulk, "held", "hold", as_json=as_json)
        return
    _show(bulk, as_json=as_json)


def release(cascade: Cascade, image: Image = None, *, reason: Reason, as_json: Json = False) -> None:
    """End a hold by a person, of an image or in all of a cascade.

    What was held before its promotion is scanned again, and what stands on a base that moved is built again.

    Example: groundswell release 0k3v9xab2c shop/web --reason "it was our own proxy"
    """
    bulk = act(cascade, "release", {"reason": reason} | ({"image": image} if image else {"all": True}))
    if image is None:
        report(bulk, "released", "release", as_json=as_json)
        return
    _show(bulk, as_json=as_json)


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
    if bool(images) == everything:
        raise InputError("approve what? name IMAGEs of the cascade, or give --all")
    asked: Document = {"reason": reason, "despite_freeze": despite_freeze}
    bulk = act(cascade, "approve", asked | ({"images": images} if images else {"all": True}))
    report(bulk, "approved", "approval", as_json=as_json)
    if images and bulk["left"]:  # it was asked for by name
        raise typer.Exit(1)


def _show(bulk: Document, *, as_json: bool) -> None:
    (done,) = bulk["done"]
    if as_json:
        document = {"cascade": bulk["cascade"], "image": done["image"], "status": done["status"]}
        print_json({**document, "reason": done["why"]})
        return
    console.print(cell(f"{done['image']}: {done['status']}: {done['why']}"), soft_wrap=True)
