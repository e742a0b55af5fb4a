"""The look-alike's rules that need no server: scopes, locks, which webhooks are sent, the storage's layout."""

from pathlib import Path

import pytest

from groundswell.local.acr import scopes
from groundswell.local.acr.layout import Layout
from groundswell.local.acr.locks import Locks, manifest_request
from groundswell.local.acr.webhooks import Target

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/", None),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
        ("GET", "/acr/v1/_catalog", "registry:catalog:*"),
        ("GET", "/v2/a/b/manifests/1", "repository:a/b:pull"),
        ("HEAD", f"/v2/a/blobs/{DIGEST}", "repository:a:pull"),
        ("PUT", "/v2/a/manifests/1", "repository:a:pull,push"),
        ("POST", "/v2/a/blobs/uploads/", "repository:a:pull,push"),
        ("PATCH", "/v2/a/blobs/uploads/0-1-2", "repository:a:pull,push"),
        ("DELETE", f"/v2/a/manifests/{DIGEST}", "repository:a:delete"),
        ("GET", "/v2/a/tags/list", "repository:a:pull"),
        ("GET", "/v2/a/tags/b/blobs/manifests/1", "repository:a/tags/b/blobs:pull"),
        ("GET", "/acr/v1/a/b", "repository:a/b:metadata_read"),
        ("GET", "/acr/v1/a/b/_tags/1", "repository:a/b:metadata_read"),
        ("PATCH", "/acr/v1/a/_manifests/x", "repository:a:metadata_write"),
        ("DELETE", "/acr/v1/a/_tags/1", "repository:a:delete"),
    ],
)
def test_what_a_request_needs(method: str, path: str, scope: str | None) -> None:
    needed = scopes.needed(method, path)
    assert (str(needed) if needed else None) == scope


@pytest.mark.parametrize(
    ("method", "path", "source", "scope"),
    [
        ("POST", "/v2/a/blobs/uploads/", "b/c", "repository:b/c:pull"),
        ("POST", "/v2/a/blobs/uploads/", "", None),
        ("POST", "/v2/a/blobs/uploads/", "a", None),
        ("GET", "/v2/a/blobs/uploads/", "b", None),
        ("POST", "/v2/", "b", None),
    ],
)
def test_what_a_mount_needs_beside(method: str, path: str, source: str, scope: str | None) -> None:
    needed = scopes.mounted(method, path, source)
    assert (str(needed) if needed else None) == scope


def test_scopes_are_asked_one_by_one_or_together() -> None:
    asked = ["repository:a:pull repository:b/c:pull,push", "registry:catalog:*", "nonsense"]
    assert [str(each) for each in scopes.parse(asked)] == [
        "repository:a:pull",
        "repository:b/c:pull,push",
        "registry:catalog:*",
    ]


def test_actions_add_up_within_one_repository() -> None:
    held = [each.as_claim() for each in scopes.parse(["repository:a:pull", "repository:a:push", "repository:b:*"])]
    both = scopes.Access(kind="repository", name="a", actions=("pull", "push"))
    assert scopes.allows(held, both)
    assert not scopes.allows(held[:1], both)
    assert scopes.allows(held, scopes.Access(kind="repository", name="b", actions=("delete",)))
    assert not scopes.allows(held, scopes.Access(kind="repository", name="c", actions=("pull",)))


@pytest.mark.parametrize(
    ("scope", "repository", "tag", "sent"),
    [
        ("", "a", "1", True),
        ("", "a", "", True),
        ("a:1", "a", "1", True),
        ("a:1", "a", "2", False),
        ("a:1", "b", "1", False),
        ("a:*", "a", "2", True),
        ("a:*", "a", "", True),
        ("a:*", "a/b", "1", False),
        ("a", "a", "latest", True),
        ("a", "a", "1", False),
        ("a", "a", "", False),
    ],
)
def test_the_scope_of_a_webhook(scope: str, repository: str, tag: str, sent: bool) -> None:
    target = Target(url="http://127.0.0.1/hook", header="X", secret="hidden", scope=scope)
    assert target.covers(repository, tag) is sent
    assert "hidden" not in repr(target)


def test_locks() -> None:
    locks = Locks()
    locks.change("a", "1", {"writeEnabled": False, "nonsense": False})
    assert locks.attributes("a", "1") == {
        "deleteEnabled": True,
        "writeEnabled": False,
        "readEnabled": True,
        "listEnabled": True,
    }
    assert locks.forbid("writeEnabled", "a", ["1"])
    assert not locks.forbid("writeEnabled", "a", ["2"])
    locks.change("a", "", {"writeEnabled": False})
    assert locks.forbid("writeEnabled", "a", ["2"])
    locks.forget("a", "")
    locks.forget("a", "1")
    assert not locks.forbid("writeEnabled", "a", ["1"])


@pytest.mark.parametrize(
    ("method", "path", "decides"),
    [
        ("PUT", "/v2/a/b/manifests/1", ("writeEnabled", "a/b", "1")),
        ("DELETE", f"/v2/a/manifests/{DIGEST}", ("deleteEnabled", "a", DIGEST)),
        ("GET", "/v2/a/manifests/1", ("readEnabled", "a", "1")),
        ("PUT", "/v2/a/blobs/uploads/1", None),
        ("OPTIONS", "/v2/a/manifests/1", None),
    ],
)
def test_requests_that_a_lock_decides(method: str, path: str, decides: tuple[str, ...] | None) -> None:
    assert manifest_request(method, path) == decides


def test_a_storage_that_is_empty_or_half_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.repositories() == []
    assert layout.tags("a") == []
    link = tmp_path / "docker/registry/v2/repositories/a/_manifests/tags/1/current/link"
    link.parent.mkdir(parents=True)
    link.write_text("")  # the registry truncates before it writes
    assert layout.tag("a", "1") is None
    link.write_text(DIGEST)
    tag = layout.tag("a", "1")
    assert tag is not None
    assert tag.digest == DIGEST
    assert layout.manifest("a", DIGEST) is None  # a tag alone is no manifest


@pytest.mark.parametrize("name", ["../a", "a/../b", "A", "", "/a", "_a"])
def test_names_that_no_registry_takes(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path)
    assert layout.tags(name) == []
    assert not layout.has(name)
    assert layout.manifest(name, DIGEST) is None
    assert layout.tag("a", f"..{name}/") is None
