"""Which service the command speaks to, who decides that, and where tokens are kept."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell.cli import chosen, contexts, main
from groundswell.cli.over_http import HttpTransport, check_url
from groundswell.errors import InputError, NotFoundError

PROD = "https://groundswell.example.com"


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_contexts_are_added_used_shown_and_removed(config: Path) -> None:
    assert "no contexts" in run("context", "list").output
    assert run("context", "add", "prod", "--url", f"{PROD}/").output.startswith(f"prod: {PROD}, in use")
    run("context", "add", "dev", "--url", "http://127.0.0.1:7071")
    listed = json.loads(run("context", "list", "--json").output)
    assert [(each["name"], each["in_use"]) for each in listed] == [("dev", False), ("prod", True)]
    run("context", "use", "dev")
    assert run("context", "show").output == "dev: http://127.0.0.1:7071 (groundswell context use)\n"
    assert run("--context", "prod", "context", "show").output == f"prod: {PROD} (--context)\n"
    assert run("context", "list", "-o", "name").output == "dev\nprod\n"
    contexts.keep_token("dev", contexts.Token(text="secret"))
    run("context", "remove", "dev")
    assert contexts.token("dev") is None
    assert "the store of the settings" in run("context", "show").output
    assert isinstance(run("context", "use", "dev").exception, NotFoundError)
    assert {stat.S_IMODE(file.stat().st_mode) for file in config.iterdir()} == {0o600}
    assert sorted(file.name for file in config.iterdir()) == ["contexts.json", "tokens.json"]


def test_what_decides_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def why() -> str:
        return chosen.choice().why

    assert why() == "no context is in use"
    run("context", "add", "prod", "--url", PROD)
    run("context", "add", "dev", "--url", "http://localhost:1")
    assert why() == "groundswell context use"
    monkeypatch.setenv("GROUNDSWELL_STORE", "sqlite:///x")
    assert why() == "GROUNDSWELL_STORE"
    assert chosen.choice(stores=False).why == "groundswell context use"
    monkeypatch.setenv("GROUNDSWELL_URL", PROD)
    assert why() == "GROUNDSWELL_URL"
    monkeypatch.setenv("GROUNDSWELL_CONTEXT", "dev")
    assert why() == "GROUNDSWELL_CONTEXT"
    chosen.ask_for("local")
    assert (why(), chosen.choice().context) == ("--context", None)
    chosen.ask_for("nope")
    with pytest.raises(NotFoundError, match="there are: dev, prod"):
        chosen.choice()


def test_a_token_does_not_follow_a_context_to_another_address() -> None:
    run("context", "add", "prod", "--url", PROD)
    contexts.keep_token("prod", contexts.Token(text="secret"))
    run("context", "add", "prod", "--url", PROD)
    assert contexts.token("prod") is not None
    run("context", "add", "prod", "--url", "https://elsewhere.example.com")
    assert contexts.token("prod") is None


def test_a_token_is_in_no_message() -> None:
    assert "secret" not in repr(contexts.Token(text="secret"))


@pytest.mark.parametrize("name", ["local", "", "Prod", "a b", "../x"])
def test_a_name_that_cannot_be(name: str) -> None:
    assert isinstance(run("context", "add", name, "--url", PROD).exception, InputError)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://groundswell.example.com", "over https only"),
        ("ftp://x", "no address"),
        ("groundswell.example.com", "no address"),
        ("https://", "no address"),
        ("https://me:pw@x", "no user"),
        ("https://x?y=1", "no user, query"),
        ("https://x:99999", "no address"),
        ("https://x /y", "blanks"),
        ("https://[::1", "no address"),
    ],
)
def test_an_address_that_is_none(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:7071", "http://127.0.0.1/", "http://[::1]:80", f"{PROD}/api/v1/"]
)
def test_an_address_that_is_one(url: str) -> None:
    assert check_url(url) == url.rstrip("/").removesuffix("/api/v1")


@pytest.mark.parametrize(
    "token", ["gs_secret\nX-Role: admin", "gs_secret gs_other", "gs_secret\u2603", "gs_secret\x00"]
)
def test_what_can_be_no_token_is_refused_and_not_told(token: str) -> None:
    with pytest.raises(InputError, match="that is no token") as caught:
        HttpTransport("https://g.example.com", token=token)
    assert "gs_secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"contexts": {"a": {"uri": 1}}}', '{"contexts": []}'])
def test_a_file_that_is_not_ours_is_said(config: Path, text: str) -> None:
    config.mkdir()
    (config / "contexts.json").write_text(text)
    assert isinstance(run("context", "list").exception, InputError)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no")
    for file in ("ca.pem", "gone.pem"):
        refused = run("context", "add", "prod", "--url", PROD, "--ca", str(tmp_path / file)).exception
        assert isinstance(refused, InputError)
        assert file in str(refused)
    assert contexts.load().contexts == {}


def test_what_works_on_the_store_alone_does_not_look_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_URL", PROD)
    refused = run("backup", str(tmp_path / "state.gz"), "--reason", "r").exception
    assert isinstance(refused, InputError)
    assert f"not on {PROD} (GROUNDSWELL_URL)" in str(refused)


def test_who_has_neither_a_service_nor_a_store_is_told_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROUNDSWELL_SETTINGS", raising=False)
    error = run("cascades").exception
    assert isinstance(error, InputError)
    assert "groundswell context add" in str(error)
    assert "GROUNDSWELL_STORE is missing" in str(error)
    named = run("--context", "local", "cascades").exception
    assert isinstance(named, InputError)
    assert "context add" not in str(named)
