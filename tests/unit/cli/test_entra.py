"""Tokens of Entra ID: no service talks the command into a token for something else, and old ones are renewed."""

import time
from typing import Any

import pytest

from groundswell.access.principal import UnauthenticatedError
from groundswell.cli import contexts, entra
from groundswell.errors import InputError

TOLD = {"authority": "https://login.microsoftonline.com", "tenant": "t", "audience": "api://groundswell"}
ARM = "https://management.azure.com"


class Credential:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_token(self, scope: str) -> Any:
        from azure.core.credentials import AccessToken

        self.asked.append(scope)
        return AccessToken("new", int(time.time()) + 3600)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> Credential:
    made = Credential()
    monkeypatch.setattr(entra, "credential", lambda how, tell: made)
    return made


def test_a_token_is_for_the_services_own_application() -> None:
    how = entra.details(TOLD, "", entra.AZURE_CLI)
    assert how["scope"] == "api://groundswell/.default"
    assert entra.details({**TOLD, "audience": "1-2"}, "1-2", entra.DEVICE)["scope"] == "1-2/.default"


@pytest.mark.parametrize(
    ("told", "audience", "says"),
    [
        (None, "", "takes no tokens of Entra ID"),
        ({**TOLD, "audience": ARM}, "", f"asks for a token for {ARM}"),
        ({**TOLD, "audience": "797f4846-ba00-4fd7-ba43-dac1f8f63013"}, "", "asks for a token"),
        (TOLD, "api://other", "not for api://other"),
        ({**TOLD, "authority": "https://login.microsoftonline.com.evil.example"}, "", "not Microsoft's"),
        ({**TOLD, "authority": "http://login.microsoftonline.com"}, "", "not Microsoft's"),
    ],
)
def test_what_a_service_may_not_ask_for(told: dict[str, str] | None, audience: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        entra.details(told, audience, entra.DEVICE)


def test_a_token_is_renewed_where_that_needs_nobody(credential: Credential) -> None:
    how = entra.details(TOLD, "", entra.AZURE_CLI)
    good = contexts.Token(text="good", expires_at=time.time() + 600, entra=how)
    assert entra.fresh("prod", good) is good
    old = contexts.Token(text="old", expires_at=time.time() + 60, entra=how)
    assert entra.fresh("prod", old).text == "new"
    kept = contexts.token("prod")
    assert kept is not None
    assert (kept.text, credential.asked) == ("new", ["api://groundswell/.default"])
    by_code = contexts.Token(text="old", expires_at=0.0, entra=entra.details(TOLD, "", entra.DEVICE))
    with pytest.raises(UnauthenticatedError, match="has expired"):
        entra.fresh("prod", by_code)


def test_no_token_is_no_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    class Fails:
        def get_token(self, scope: str) -> Any:
            raise ClientAuthenticationError("Please run 'az login'")

    monkeypatch.setattr(entra, "credential", lambda how, tell: Fails())
    with pytest.raises(UnauthenticatedError, match="az login"):
        entra.get(entra.details(TOLD, "", entra.AZURE_CLI), lambda _: None)
