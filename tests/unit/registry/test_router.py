"""Whom a reference is asked of."""

from pathlib import Path
from typing import Any

import pytest

from graph.reference import Reference
from groundswell import settings
from groundswell.registry.router import RoutedRegistry
from groundswell.wiring import App


class Recorder:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.asked.append(name)


ARGUMENTS: dict[str, tuple[object, ...]] = {
    "digest": (),
    "image": (),
    "provenance": (),
    "repositories": (),
    "tagged": ("r",),
    "untagged": ("r", 1),
    "promote": (["1"],),
    "untag": (),
}


@pytest.mark.parametrize("host", ["mine", "theirs"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_method_goes_to_one_side(name: str, host: str) -> None:
    ours, external = Recorder(), Recorder()
    routed = RoutedRegistry(ours=ours, external=external, is_ours=lambda host: host == "mine")
    lists = name in ("repositories", "tagged", "untagged")
    subject = host if lists else Reference(registry=host, repository="r", tag="1")
    getattr(routed, name)(subject, *ARGUMENTS[name])
    assert (ours.asked, external.asked) == (([name], []) if host == "mine" else ([], [name]))


@pytest.mark.parametrize("host", ["mine", "theirs"])
def test_an_image_is_rebased_where_it_is(host: str) -> None:
    ours, external = Recorder(), Recorder()
    routed = RoutedRegistry(ours=ours, external=external, is_ours=lambda host: host == "mine")
    base = Reference(registry="elsewhere", repository="b", tag="1")
    routed.rebase(Reference(registry=host, repository="r", tag="1"), old=base, new=base, tag="t")
    assert (ours.asked, external.asked) == ((["rebase"], []) if host == "mine" else ([], ["rebase"]))


@pytest.mark.parametrize(
    ("host", "mine"),
    [
        ("contoso.azurecr.io", True),
        ("other.azurecr.cn", True),
        ("partner.azurecr.io", False),
        ("registry.contoso.example", True),
        ("docker.io", False),
        ("evilazurecr.io", False),
    ],
)
def test_who_is_ours(tmp_path: Path, host: str, mine: bool) -> None:
    ids = '{"subscription": "s", "resource_group": "g", "name": "n"}'
    values = settings.parse(
        {
            "GROUNDSWELL_STORE": f"sqlite:///{tmp_path}/x.db",
            "GROUNDSWELL_REGISTRIES": f'{{"registry.contoso.example": {ids}}}',
            "GROUNDSWELL_EXTERNAL_REGISTRIES": '{"partner.azurecr.io": {"username": "u", "password": "p"}}',
        }
    )
    registry = App(values).registry
    assert isinstance(registry, RoutedRegistry)
    assert registry._is_ours(host) is mine
