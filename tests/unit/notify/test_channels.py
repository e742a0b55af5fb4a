"""GROUNDSWELL_NOTIFY: what it takes, what it refuses, and that neither addresses nor secrets are ever shown."""

import json
from typing import Any

import pytest

from groundswell import settings
from groundswell.channels import Channel, Kind, Service, Severity
from groundswell.errors import InputError

SECRET = "whsec_" + "QUFB" * 8
HOOK = {"kind": "webhook", "url": "https://hooks.example/x?sig=tell-nobody", "secret": SECRET}


def parse(channels: Any, **more: str) -> dict[str, Channel]:
    values = {"GROUNDSWELL_STORE": "sqlite:///x.db", "GROUNDSWELL_NOTIFY": json.dumps(channels), **more}
    return dict(settings.parse(values).notify)


def test_what_is_read() -> None:
    found = parse(
        {
            "hook": HOOK,
            "shop": {
                "kind": "slack",
                "url": "env:SLACK_URL",
                "teams": ["shop"],
                "severity": "warning",
                "kinds": ["failed", "rolled-back"],
                "private": True,
            },
            "all": {"kind": "teams", "url": "https://prod-1.westeurope.logic.azure.com/workflows/1?sig=x"},
        },
        SLACK_URL="https://hooks.slack.com/services/T/B/x",
    )
    assert found["hook"].keys == (b"AAA" * 8,)
    assert found["shop"] == Channel(
        service=Service.SLACK,
        url="https://hooks.slack.com/services/T/B/x",
        teams=("shop",),
        severity=Severity.WARNING,
        kinds=(Kind.FAILED, Kind.ROLLED_BACK),
        private=True,
    )
    assert "tell-nobody" not in repr(found)
    assert "AAA" not in repr(found)
    assert len(parse({"hook": {**HOOK, "secret": f"{SECRET} whsec_{'QkJC' * 8}"}})["hook"].keys) == 2


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("x", "must be an object whose kind is one of webhook, teams, slack"),
        ({**HOOK, "kind": "mail"}, "kind is one of"),
        ({**HOOK, "color": "red"}, "no 'color'"),
        ({**HOOK, "private": "yes"}, "private must be true or false"),
        ({**HOOK, "teams": "shop"}, "teams must be a list"),
        ({**HOOK, "kinds": ["healed"]}, "kinds must be of failed, "),
        ({**HOOK, "severity": "loud"}, "severity must be one of info, warning, critical"),
        ({**HOOK, "secret": ""}, "secret is missing"),
        ({**HOOK, "secret": 7}, "secret must be a text"),
        ({**HOOK, "secret": "hunter2-hunter2"}, "secret must be whsec_"),
        ({**HOOK, "secret": "whsec_QUFB"}, "24 to 64 bytes"),
        ({**HOOK, "secret": "whsec_%%%%"}, "in base64"),
        ({**HOOK, "secret": "env:NOT_THERE"}, "app setting NOT_THERE, which is not set"),
        ({**HOOK, "kind": "slack"}, "slack signs nothing"),
        ({**HOOK, "url": "http://hooks.example/x?sig=tell-nobody"}, "url must begin with https://"),
        ({**HOOK, "url": "https://tell-nobody@hooks.example/"}, "without a user"),
        ({**HOOK, "url": "https:///tell-nobody"}, "https:// and a host"),
        ({**HOOK, "url": "https://[tell-nobody/"}, "https:// and a host"),
        ({**HOOK, "url": "https://hooks.example:tell-nobody/"}, "https:// and a host"),
        ({**HOOK, "url": "https://hooks.example/tell nobody"}, "https:// and a host"),
        ({**HOOK, "url": "@Microsoft.KeyVault(SecretUri=https://tell-nobody)"}, "a setting of its own"),
        ({"kind": "webhook", "secret": SECRET}, "url must begin with"),
    ],
)
def test_what_is_refused(channel: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse({"hook": channel})
    assert str(caught.value).startswith("setting GROUNDSWELL_NOTIFY: hook: ")
    assert said in str(caught.value)
    assert not any(each in str(caught.value) for each in ("tell-nobody", "tell nobody", "hunter2", "QUFB"))


def test_names_and_number_of_channels() -> None:
    with pytest.raises(InputError, match="not 'On Call'"):
        parse({"On Call": HOOK})
    with pytest.raises(InputError, match="20 channels are the most"):
        parse({f"c{number}": HOOK for number in range(21)})


@pytest.mark.parametrize(
    "url", ["http://g.example", "g.example", "https://", "https://g.example/?x=1", "https://[x"]
)
def test_the_address_for_people(url: str) -> None:
    with pytest.raises(InputError, match="GROUNDSWELL_PUBLIC_URL must be https"):
        parse({}, GROUNDSWELL_PUBLIC_URL=url)
    values = {"GROUNDSWELL_STORE": "sqlite:///x.db", "GROUNDSWELL_PUBLIC_URL": "https://g.example/x/"}
    assert settings.parse(values).public_url == "https://g.example/x"


@pytest.mark.parametrize(
    ("changes", "kind", "teams", "wanted"),
    [
        ({}, Kind.ORPHAN, [], True),
        ({"severity": Severity.WARNING}, Kind.ORPHAN, [], False),
        ({"severity": Severity.WARNING}, Kind.FAILED, [], True),
        ({"severity": Severity.CRITICAL}, Kind.ROLLED_BACK, [], True),
        ({"kinds": (Kind.DRIFT,)}, Kind.FAILED, [], False),
        ({"kinds": (Kind.DRIFT,)}, Kind.DRIFT, [], True),
        ({"teams": ("shop",)}, Kind.FAILED, ["shop", "web"], True),
        ({"teams": ("shop",)}, Kind.FAILED, ["web"], False),
        ({"teams": ("shop",)}, Kind.POISON, [], False),
    ],
)
def test_what_a_channel_is_told(changes: dict[str, Any], kind: Kind, teams: list[str], *, wanted: bool) -> None:
    assert Channel(service=Service.SLACK, url="https://x", **changes).wants(kind, teams) is wanted
