"""Settings: every one documented, every mistake named."""

import ast
import json
import os
import re
from pathlib import Path

import pytest

from groundswell import settings
from groundswell.errors import InputError

ROOT = Path(__file__).parents[2]
MINIMAL = {"GROUNDSWELL_STORE": "sqlite:///x.db"}


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    return values


def test_the_example_shows_every_setting_that_is_read_and_no_other() -> None:
    source = (ROOT / "groundswell/settings.py").read_text()
    read = set(re.findall(r'"(GROUNDSWELL_[A-Za-z_]+)"', source)) - {"GROUNDSWELL_SETTINGS"}
    assert read == {name for name in example() if name.startswith("GROUNDSWELL_")}


def test_the_example_shows_what_the_stack_and_the_sdks_read() -> None:
    tree = ast.parse((ROOT / "groundswell/local/stack.py").read_text())
    written = {
        keyword.arg
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._write_settings"
        for keyword in call.keywords
    }
    assert {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "REQUESTS_CA_BUNDLE"} < written
    adapters = (ROOT / "groundswell/adapters.py").read_text()
    read = set(re.findall(r'environ.get\("(\w+)"\)', adapters))
    assert "AZURE_CLIENT_ID" in read
    assert written | read <= set(example())


def rows() -> dict[str, str]:
    """What docs/settings.md says of each setting to go without it."""
    found: dict[str, str] = {}
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if line.startswith("| `"):
            names, without, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
            for name in re.findall(r"`(\w+)`", names):
                assert name not in found, f"{name} has two rows"
                found[name] = without
    return found


def test_every_setting_has_a_row_in_the_docs_and_no_other() -> None:
    assert set(rows()) == set(example())


@pytest.mark.parametrize("name", sorted(name for name, text in rows().items() if re.fullmatch(r"`[^`]+`", text)))
def test_what_the_docs_say_goes_without_a_setting_does(name: str) -> None:
    """Said outright it is the same."""
    assert settings.parse({**MINIMAL, name: rows()[name].strip("`")}) == settings.parse(MINIMAL)


def test_the_example_is_valid() -> None:
    parsed = settings.parse(example())
    assert parsed.registries["contoso.azurecr.io"].name == "contoso"
    assert parsed.clusters["production"].server.startswith("https://")


def test_a_reference_that_was_not_resolved_is_no_secret() -> None:
    """Whoever knows the vault's name could write it."""
    reference = "@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/webhook)"
    assert settings.parse({**MINIMAL, "GROUNDSWELL_WEBHOOK_SECRET": reference}).webhook_secret == ""


def test_defaults() -> None:
    parsed = settings.parse(MINIMAL)
    assert (parsed.slots, parsed.poll_seconds, parsed.webhook_header) == (4, 5.0, "Authorization")
    assert parsed.webhook_secret == ""
    assert (parsed.keep_cascades_days, parsed.keep_pushes_days) == (90, 90)
    assert (parsed.archive, parsed.keep_archive_days) == (True, 730)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        (" , ", ()),
        ("GitHub.com", ("github.com",)),
        ("github.com, *.visualstudio.com,git.x:8443", ("github.com", "*.visualstudio.com", "git.x:8443")),
    ],
)
def test_source_hosts(text: str, hosts: tuple[str, ...]) -> None:
    assert settings.parse({**MINIMAL, "GROUNDSWELL_SOURCE_HOSTS": text}).source_hosts == hosts


@pytest.mark.parametrize(
    "wrong", ["*", "*.", "https://github.com", "github.com/contoso", "a.*.b", ".x", "a b", "x:y"]
)
def test_a_source_host_that_is_none(wrong: str) -> None:
    said = f"setting GROUNDSWELL_SOURCE_HOSTS: {re.escape(repr(wrong))} must be a host such as github.com"
    with pytest.raises(InputError, match=said):
        settings.parse({**MINIMAL, "GROUNDSWELL_SOURCE_HOSTS": f"github.com,{wrong}"})


def test_identity_based_storage_needs_both_addresses() -> None:
    both = {
        "GROUNDSWELL_STORE__queueServiceUri": "https://a.queue.core.windows.net",
        "GROUNDSWELL_STORE__tableServiceUri": "https://a.table.core.windows.net",
    }
    assert settings.parse(both).queue_uri == "https://a.queue.core.windows.net"
    for missing in both:
        with pytest.raises(InputError, match="GROUNDSWELL_STORE is missing"):
            settings.parse({name: value for name, value in both.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GROUNDSWELL_REGISTRIES", "{"),
        ("GROUNDSWELL_REGISTRIES", "[]"),
        ("GROUNDSWELL_REGISTRIES", '{"a": {"nope": 1}}'),
        ("GROUNDSWELL_REGISTRIES", '{"a": 3}'),
        ("GROUNDSWELL_CLUSTERS", '{"a": {}}'),
        ("GROUNDSWELL_CLUSTERS", '{"a": {"aks": "/subscriptions/x"}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"token": 1}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"token": "t", "app": "a", "installation": "1", "private_key": "k"}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"app": "a"}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"app": "a", "installation": "../1", "private_key": "k"}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"token": "t", "api": "http://a"}}'),
        ("GROUNDSWELL_GIT", '{"github.com": {"token": "t", "kind": "gitlab"}}'),
        ("GROUNDSWELL_GIT", '{"git.contoso.example": {"token": "t"}}'),
        ("GROUNDSWELL_GIT", '{"https://github.com": {"token": "t"}}'),
        ("GROUNDSWELL_GIT", '{"dev.azure.com": {"app": "a", "installation": "1", "private_key": "k"}}'),
        ("GROUNDSWELL_CLUSTERS", '{"a": {"server": "s", "token": "t", "discover": "yes"}}'),
        ("GROUNDSWELL_SLOTS", "many"),
        ("GROUNDSWELL_SLOTS", "0"),
        ("GROUNDSWELL_AGENT_POOLS", "[]"),
        ("GROUNDSWELL_AGENT_POOLS", '{"large": 0}'),
        ("GROUNDSWELL_AGENT_POOLS", '{"large": true}'),
        ("GROUNDSWELL_AGENT_POOLS", '{"large": 1.5}'),
        ("GROUNDSWELL_POLL_SECONDS", "-1"),
        ("GROUNDSWELL_POLL_SECONDS", "nan"),
        ("GROUNDSWELL_POLL_SECONDS", "inf"),
        ("GROUNDSWELL_SETTLE_SECONDS", "-1"),
        ("GROUNDSWELL_SETTLE_SECONDS", "soon"),
        ("GROUNDSWELL_SETTLE_SECONDS", "nan"),
        ("GROUNDSWELL_SETTLE_SECONDS", "86401"),
        ("GROUNDSWELL_SETTLE_BASES", "[]"),
        ("GROUNDSWELL_SETTLE_BASES", '{"alpine": "5"}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"alpine": true}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"alpine": -1}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"alpine": NaN}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"*": 86401}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"Alpine": 5}'),
        ("GROUNDSWELL_SETTLE_BASES", '{"": 5}'),
        ("GROUNDSWELL_KEEP_CASCADES_DAYS", "-1"),
        ("GROUNDSWELL_KEEP_PUSHES_DAYS", "1.5"),
        ("GROUNDSWELL_KEEP_ARCHIVE_DAYS", "99999999999"),
        ("GROUNDSWELL_ARCHIVE", "perhaps"),
        ("GROUNDSWELL_SIGNING_CHAIN", "/chain.pem"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        settings.parse({**MINIMAL, name: value})


@pytest.mark.parametrize("name", ["GROUNDSWELL_DOCKER_CONFIG", "GROUNDSWELL_GIT"])
def test_another_reference_that_was_not_resolved_is_named(name: str) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/webhook/0123)"
    with pytest.raises(
        InputError, match=f"{name} is a reference to Key Vault that Azure could not resolve"
    ) as said:
        settings.parse({**MINIMAL, name: reference})
    assert "kv.vault" not in str(said.value)


def test_a_base_waits_for_the_window_of_the_first_entry_that_fits() -> None:
    bases = {
        "alpine:3.20": 0,
        "docker.io/library/*": 120,
        "mcr.microsoft.com/dotnet/*:8.0": 600.5,
        "docker.io/library/debian:12": 7,
    }
    parsed = settings.parse(MINIMAL | {"GROUNDSWELL_SETTLE_BASES": json.dumps(bases)})
    assert parsed.settle("docker.io/library/alpine:3.20") == 0
    assert parsed.settle("docker.io/library/alpine:3.21") == 120
    assert parsed.settle("docker.io/library/debian:12") == 120
    assert parsed.settle("mcr.microsoft.com/dotnet/aspnet:8.0") == 600.5
    assert parsed.settle("ghcr.io/alpine:3.20") == 30
    none = settings.parse(MINIMAL | {"GROUNDSWELL_SETTLE_SECONDS": "0"})
    assert none.settle("docker.io/library/alpine:3.20") == 0


@pytest.mark.parametrize(("text", "kept"), [("no", False), ("False", False), ("Yes", True), ("true", True)])
def test_old_things_are_kept_as_long_as_is_asked_for(text: str, kept: bool) -> None:
    asked = {
        "GROUNDSWELL_KEEP_CASCADES_DAYS": "0",
        "GROUNDSWELL_KEEP_PUSHES_DAYS": "7",
        "GROUNDSWELL_ARCHIVE": text,
    }
    parsed = settings.parse(MINIMAL | asked)
    assert (parsed.keep_cascades_days, parsed.keep_pushes_days, parsed.archive) == (0, 7, kept)


def test_the_file_is_put_under_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"Values": {**MINIMAL, "GROUNDSWELL_SLOTS": "7", "GROUNDSWELL_TEST_ONLY": "x"}}))
    monkeypatch.setenv("GROUNDSWELL_SETTINGS", str(file))
    monkeypatch.setenv("GROUNDSWELL_SLOTS", "9")
    monkeypatch.setenv("GROUNDSWELL_STORE", "sqlite:///mine.db")
    monkeypatch.setenv("GROUNDSWELL_TEST_ONLY", "mine")
    loaded = settings.load()
    assert (loaded.store, loaded.slots) == ("sqlite:///mine.db", 9)


def test_what_is_empty_in_the_file_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"Values": {**MINIMAL, "IDENTITY_ENDPOINT": ""}}))
    monkeypatch.setattr("os.environ", {"GROUNDSWELL_SETTINGS": str(file)})
    settings.load()
    assert "IDENTITY_ENDPOINT" not in os.environ  # the Azure SDKs look only whether it is there


@pytest.mark.parametrize(
    "text", ["[]", "null", '{"Values": []}', '{"Values": {"A": {}}}', '{"Values": {"A": null}}']
)
def test_a_file_of_another_form_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    monkeypatch.setenv("GROUNDSWELL_SETTINGS", str(file))
    with pytest.raises(InputError, match=r"s\.json .*local\.settings\.example\.json"):
        settings.load()


@pytest.mark.parametrize("text", ["{", None])
def test_a_bad_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    file = tmp_path / "s.json"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("GROUNDSWELL_SETTINGS", str(file))
    with pytest.raises(InputError, match=r"s\.json cannot be read"):
        settings.load()


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDSWELL_SETTINGS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert settings.find_file() is None
    (tmp_path / ".groundswell").mkdir()
    (tmp_path / ".groundswell/local.settings.json").write_text("{}")
    assert settings.find_file() == Path(".groundswell/local.settings.json")
    (tmp_path / "local.settings.json").write_text("{}")
    assert settings.find_file() == Path("local.settings.json")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{"username": "u"}', "username and password go together"),
        ('{"username": 5, "password": 5}', "must be texts"),
        ('{"private": "yes"}', "private true or false"),
        ('{"user": "u"}', "user"),
    ],
)
def test_an_external_registry_that_is_wrong(entry: str, said: str) -> None:
    with pytest.raises(InputError, match=f"GROUNDSWELL_EXTERNAL_REGISTRIES: .*{said}"):
        settings.parse({**MINIMAL, "GROUNDSWELL_EXTERNAL_REGISTRIES": f'{{"ghcr.io": {entry}}}'})


def test_the_password_of_an_external_registry_is_not_shown() -> None:
    parsed = settings.parse(example())
    assert parsed.external["docker.io"].password not in repr(parsed.external)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("index.docker.io", r"no host .*did you mean docker\.io"),
        ("https://index.docker.io/v1/", "no host"),
        ("ghcr", "no host"),
        ("GHCR.IO/team", "no host"),
        ("contoso.azurecr.io", "in GROUNDSWELL_REGISTRIES too"),
    ],
)
def test_an_external_registry_that_no_reference_would_name(host: str, said: str) -> None:
    registries = example()["GROUNDSWELL_REGISTRIES"]
    external = json.dumps({host: {}})
    values = {**MINIMAL, "GROUNDSWELL_REGISTRIES": registries, "GROUNDSWELL_EXTERNAL_REGISTRIES": external}
    with pytest.raises(InputError, match=f"GROUNDSWELL_EXTERNAL_REGISTRIES: .*{said}"):
        settings.parse(values)


def test_the_kind_of_a_git_host_is_known_or_given() -> None:
    given = {
        "github.com/contoso": {"token": "very-secret"},
        "dev.azure.com": {},
        "git.contoso.example": {"kind": "github", "app": "a", "installation": "1", "private_key": "very-secret"},
    }
    parsed = settings.parse({**MINIMAL, "GROUNDSWELL_GIT": json.dumps(given)})
    assert {place: host.kind for place, host in parsed.git.items()} == {
        "github.com/contoso": "github",
        "dev.azure.com": "azure-devops",
        "git.contoso.example": "github",
    }
    assert "very-secret" not in repr(parsed)


AZURE = {"kind": "azure-pipelines", "url": "https://dev.azure.com/contoso", "project": "images", "pipeline": 12}
JENKINS = {
    "kind": "jenkins",
    "url": "https://jenkins.contoso.example",
    "job": "a/b",
    "user": "u",
    "token": "secret-1",
}


def builders(**entries: object) -> dict[str, settings.BuildServer]:
    return dict(settings.parse({**MINIMAL, "GROUNDSWELL_BUILDERS": json.dumps(entries)}).builders)


def test_builders_and_their_pools() -> None:
    values = {
        "GROUNDSWELL_BUILDERS": json.dumps({"azure": {**AZURE, "slots": 3}, "jenkins": {**JENKINS, "slots": 2}}),
        "GROUNDSWELL_AGENT_POOLS": '{"large": 5}',
    }
    parsed = settings.parse({**MINIMAL, **values})
    assert parsed.builders["azure"].pipeline == 12
    assert "secret-1" not in repr(parsed)
    assert parsed.pools == {"large": 5, "builder:azure": 3, "builder:jenkins": 2}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**AZURE, "kind": "teamcity", "slots": 1}, "kind must be azure-pipelines or jenkins, not 'teamcity'"),
        ({**AZURE, "slots": 0}, "slots must be a whole number greater than 0"),
        ({**AZURE, "slots": True}, "slots must be a whole number"),
        ({**AZURE, "slots": 1, "pipeline": "12"}, "pipeline a whole number"),
        ({**AZURE, "slots": 1, "pipeline": 0}, "needs project and the number of the pipeline"),
        ({**AZURE, "slots": 1, "project": 7}, "must be texts"),
        ({**AZURE, "slots": 1, "url": "http://dev.azure.com/contoso"}, "url must begin with https://"),
        ({**AZURE, "slots": 1, "url": "https://u:p@dev.azure.com/contoso"}, "without a user"),
        ({**AZURE, "slots": 1, "url": "https://devops.contoso.example/c"}, "devops.contoso.example needs a token"),
        ({**JENKINS, "slots": 1, "token": ""}, "needs job, user and token"),
        ({**JENKINS, "slots": 1, "job": "/"}, "needs job, user and token"),
        (AZURE, "slots"),
        ({**AZURE, "slots": 1, "organisation": "contoso"}, "organisation"),
    ],
)
def test_a_builder_that_is_wrong_is_told(entry: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=f"setting GROUNDSWELL_BUILDERS: .*{re.escape(said)}"):
        builders(azure=entry)


def test_a_builder_on_this_machine_may_do_without_tls_and_one_elsewhere_has_a_token() -> None:
    local = {**AZURE, "slots": 1, "url": "http://localhost:8080/contoso"}
    server = {**AZURE, "slots": 1, "url": "https://devops.contoso.example/collection", "token": "t"}
    assert set(builders(local=local, server=server)) == {"local", "server"}


@pytest.mark.parametrize("name", ["Azure", "a:b", "", "-a", "a" * 33])
def test_a_builder_has_a_plain_name(name: str) -> None:
    with pytest.raises(InputError, match=r"GROUNDSWELL_BUILDERS: .* must have up to 32 of the characters"):
        builders(**{name: {**AZURE, "slots": 1}})
