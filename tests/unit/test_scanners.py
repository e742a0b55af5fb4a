"""How scanners are set up: what is read, and every mistake by the name of its scanner and field."""

import json
import re
from typing import Any

import pytest

from groundswell import settings
from groundswell.errors import InputError
from groundswell.scanners import Kind, read
from tests.support.scan_fakes import ORAS, SCANNER_IMAGE, TRIVY, command

MINIMAL = {"GROUNDSWELL_STORE": "sqlite:///x.db"}


def test_every_kind() -> None:
    found = read(
        {
            "trivy": {"kind": "binary"},
            "run": {**TRIVY, "covers": ["debian 14"], "database": "acr.example.com/trivy-db:2"},
            "other": command("sarif", env={"A": "b"}, secrets={"TOKEN": "hush"}, ignore_exit=True),
            "defender": {"kind": "defender", "subscriptions": ["00000000-0000-0000-0000-000000000001"]},
        },
        setting="S",
    )
    assert [each.kind for each in found.values()] == [Kind.BINARY, Kind.TRIVY, Kind.COMMAND, Kind.DEFENDER]
    assert [each.in_a_run for each in found.values()] == [False, True, True, False]
    assert found["run"].covers == ("debian 14",)
    assert "hush" not in repr(found["other"])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "kind is one of binary, trivy, command, defender"),
        ([], "it must be an object"),
        ({"kind": "clair"}, "kind is one of"),
        ({"kind": "defender", "image": SCANNER_IMAGE}, "defender has no 'image'; it has subscriptions"),
        ({"kind": "binary", "image": SCANNER_IMAGE}, "binary has no 'image'; it has nothing else"),
        ({"kind": "defender", "subscriptions": ["mine"]}, "'mine' is not the id of a subscription"),
        ({"kind": "defender", "subscriptions": "mine"}, "subscriptions must be a list of texts"),
        ({"kind": "trivy"}, "the image is missing"),
        ({**TRIVY, "image": "aquasec/trivy:0.59.1"}, "must name a digest"),
        ({**TRIVY, "image": "not an image"}, "'not an image' is no image"),
        ({**TRIVY, "timeout": 5}, "timeout must be from 60 to 2400 seconds, not 5"),
        ({**TRIVY, "timeout": "900"}, "timeout must be of type int, not '900'"),
        ({**TRIVY, "timeout": True}, "timeout must be of type int"),
        ({**TRIVY, "database": "a;b"}, "'a;b' is not where a database of Trivy can be"),
        ({**TRIVY, "java_database": "--insecure"}, "'--insecure' is not where a database"),
        ({**TRIVY, "covers": ["debian\n14"]}, "is no part of Trivy's database"),
        ({**TRIVY, "pool": "a b"}, "pool 'a b' is not the name of an agent pool"),
        ({**TRIVY, "env": {"A B": "c"}}, "'A B' is not the name of a variable"),
        ({**TRIVY, "env": {"A": "$(id)"}}, "the value of A has characters that a shell reads"),
        ({**TRIVY, "env": {"A": "~root"}}, "the value of A has characters that a shell reads"),
        ({**TRIVY, "env": {"A": ""}}, "the value of A has characters"),
        ({**TRIVY, "env": {"A": 1}}, "env must be an object of texts"),
        ({**TRIVY, "env": []}, "env must be an object of texts"),
        ({**TRIVY, "env": {"A": "1"}, "secrets": {"A": "2"}}, "A is in env and in secrets"),
        (command("csv"), "format must be one of aqua, cyclonedx, sarif, twistcli, not 'csv'"),
        (command("sarif") | {"command": "{image}"}, "must say where the report goes"),
        (command("sarif") | {"command": "{report}"}, "must say what to scan"),
        (command("sarif") | {"command": "{image} {report} && id"}, "command: '&&' has characters"),
        (command("sarif") | {"command": "{image} {report} {{.Run.ID}}"}, "command: '{{.Run.ID}}' has characters"),
        (command("sarif") | {"command": "{image} {report} $ID"}, re.escape("command: '$ID' has characters")),
        (command("sarif") | {"command": "{image} {report} {TOKEN}"}, "'{TOKEN}' has characters"),
        (command("sarif") | {"ignore_exit": "yes"}, "ignore_exit must be of type bool"),
    ],
)
def test_mistakes_are_named(entry: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read({"mine": entry}, setting="GROUNDSWELL_SCANNERS")
    assert str(caught.value).startswith("setting GROUNDSWELL_SCANNERS: mine: ")


def test_the_value_of_a_secret_is_not_told() -> None:
    with pytest.raises(InputError) as caught:
        read({"mine": {**TRIVY, "secrets": {"TOKEN": "hush hush"}}}, setting="S")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Trivy", "a b", "-a", "a" * 41, "a=b"])
def test_names(name: str) -> None:
    with pytest.raises(InputError, match="a scanner is named by a-z, 0-9 and -"):
        read({name: TRIVY}, setting="S")


def test_the_binary_is_called_trivy() -> None:
    with pytest.raises(InputError, match="whose reports are of `trivy`"):
        read({"mine": {"kind": "binary"}}, setting="S")


def parsed(scanners: dict[str, Any], oras: str = "") -> settings.Settings:
    return settings.parse({**MINIMAL, "GROUNDSWELL_SCANNERS": json.dumps(scanners), "GROUNDSWELL_ORAS_IMAGE": oras})


def test_runs_need_the_image_that_attaches_their_reports() -> None:
    assert parsed({"trivy": TRIVY}, ORAS).oras_image == ORAS
    assert parsed({"defender": {"kind": "defender"}}).oras_image == ""
    assert settings.parse(MINIMAL).scanners == {}
    for oras, said in (("", "the image is missing"), ("oras:1", "must name a digest")):
        with pytest.raises(InputError, match=f"setting GROUNDSWELL_ORAS_IMAGE: {said}|{said}"):
            parsed({"trivy": TRIVY}, oras)
