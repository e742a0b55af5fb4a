"""Whom an Azure token is shown to."""

import pytest

from graph.reference import Reference
from groundswell.errors import PermanentError
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.login import DockerLogin
from groundswell.registry.trust import trust
from tests.support.acr import Credential


@pytest.mark.parametrize("host", ["contoso.azurecr.io", "x.azurecr.cn", "x.azurecr.us", "localhost:5443"])
def test_named_ones_and_azures_own_are_trusted(host: str) -> None:
    trust({"localhost:5443"})(host)


@pytest.mark.parametrize(
    "host",
    [
        "docker.io",
        "evilazurecr.io",
        "azurecr.io.evil.example",
        "localhost:5444",
        "contoso.azurecr.io:444",
        "azurecr.io",
    ],
)
def test_nobody_else_is(host: str) -> None:
    with pytest.raises(PermanentError, match=r"is not asked: .* GROUNDSWELL_REGISTRIES"):
        trust({"localhost:5443"})(host)


class Asked(Credential):
    def get_token(self, *scopes: str, **_: object) -> None:  # type: ignore[override]
        raise AssertionError(f"a token was asked for: {scopes}")


def test_no_token_is_even_asked_for() -> None:
    registry = AcrRegistry(Asked(None), trust(()))
    with pytest.raises(PermanentError, match=r"evil\.example is not asked"):
        registry.digest(Reference.parse("evil.example/base:1"))
    with pytest.raises(PermanentError, match=r"evil\.example is not asked"):
        registry.repositories("evil.example")
    with pytest.raises(PermanentError, match=r"evil\.example is not asked"):
        DockerLogin(Asked(None), trust(()))("evil.example")
