"""A registrar registers images of the own teams, and crosses into no other team's, by no field of the body."""

from typing import Any

import pytest

from graph.reference import Reference
from groundswell.access.principal import Role
from groundswell.errors import ConflictError
from tests.support.world import BASE, HOST, World
from tests.unit.api.conftest import Api, sent, token

WORKLOAD = {"cluster": "c", "namespace": "n", "kind": "Deployment", "name": "web", "container": "app"}
FILE = {"kind": "git", "repository": "https://github.com/bank/fleet", "branch": "main", "path": "apps/core.yaml"}
OWN, THEIRS = "/lineage/images/shop/web", "/lineage/images/bank/core"


@pytest.fixture
def registrar(world: World) -> str:
    return token(world, Role.REGISTRAR, teams=["shop", "stall"])


@pytest.fixture
def theirs(api: Api) -> dict[str, Any]:
    body = sent(owner="bank", deployments=[WORKLOAD])
    assert api.put(THEIRS, json=body).status_code == 201
    return body


def test_the_own_teams_images(api: Api, registrar: str) -> None:
    assert api.put(OWN, token=registrar, json=sent(owner="shop")).status_code == 201
    assert api.put(OWN, token=registrar, json=sent(owner="stall", tags=["2"])).status_code == 200
    assert api.get(OWN, token=registrar).json()["owner"] == "stall"
    assert api.delete(f"{OWN}?reason=old", token=registrar).status_code == 204


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_of_no_other_team_and_of_none(api: Api, world: World, registrar: str, query: str) -> None:
    for owner in ("bank", "", None, "SHOP", "shop "):
        answer = api.put(f"{OWN}{query}", token=registrar, json=sent(owner=owner))
        assert answer.status_code == 403
        assert "shop, stall" in answer.json()["detail"]
    assert world.app.catalog.registrations() == ()


def test_another_teams_image_is_neither_taken_nor_changed_nor_removed(
    api: Api, world: World, registrar: str, theirs: dict[str, Any]
) -> None:
    before = world.app.catalog.stored("bank/core")
    assert api.put(THEIRS, token=registrar, json=theirs).status_code == 403
    assert api.put(THEIRS, token=registrar, json=sent(owner="shop")).status_code == 403
    assert api.put(f"{THEIRS}?dry_run=true", token=registrar, json=sent(owner="shop")).status_code == 403
    assert api.delete(f"{THEIRS}?reason=x", token=registrar).status_code == 403
    assert world.app.catalog.stored("bank/core") == before


def test_an_own_image_is_not_given_away(api: Api, registrar: str) -> None:
    assert api.put(OWN, token=registrar, json=sent(owner="shop")).status_code == 201
    assert api.put(OWN, token=registrar, json=sent(owner="bank")).status_code == 403


@pytest.mark.usefixtures("theirs")
def test_nothing_is_pushed_to_another_teams_repository(api: Api, registrar: str) -> None:
    body = sent(owner="shop", repository="bank/core", tags=["9"])
    answer = api.put(OWN, token=registrar, json=body)
    assert answer.status_code == 403
    assert "repository bank/core is pushed to by bank/core" in answer.json()["detail"]
    assert api.put(OWN, json=body).status_code == 201  # an admin may


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("changes", [{}, {"container": "sidecar"}, {"environment": "prod"}])
def test_nothing_is_rolled_out_to_another_teams_workload(api: Api, registrar: str, changes: dict[str, str]) -> None:
    body = sent(owner="shop", deployments=[{**WORKLOAD, **changes}])
    answer = api.put(OWN, token=registrar, json=body)
    assert answer.status_code == 403
    assert "runs bank/core" in answer.json()["detail"]
    own = sent(owner="shop", deployments=[{**WORKLOAD, "namespace": "shop"}])
    assert api.put(OWN, token=registrar, json=own).status_code == 201


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("registry", [HOST, HOST.upper()])
def test_nothing_is_pushed_to_what_another_team_stands_on(api: Api, registrar: str, registry: str) -> None:
    mirror = Reference.parse(BASE)
    body = sent(owner="shop", registry=registry, repository=mirror.repository, tags=[mirror.tag])
    answer = api.put(OWN, token=registrar, json=body | {"dockerfile_content": "FROM scratch\n"})
    assert answer.status_code == 403
    assert "repository mirror/debian is what bank/core stands on" in answer.json()["detail"]


def test_another_team_may_stand_on_what_is_ones_own(api: Api, registrar: str) -> None:
    assert api.put(OWN, token=registrar, json=sent(owner="shop")).status_code == 201
    standing = sent(owner="bank", dockerfile_content=f"FROM {HOST}/shop/web:1\n")
    assert api.put(THEIRS, json=standing).status_code == 201
    assert api.put(OWN, token=registrar, json=sent(owner="shop", tags=["1", "2"])).status_code == 200
    beside = sent(owner="shop", repository="shop/web", tags=["3"])
    assert api.put("/lineage/images/shop/beside", token=registrar, json=beside).status_code == 201


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("registry", [HOST.upper(), f"{HOST}:443"])
def test_another_spelling_of_the_registry_leads_to_the_same_repository(
    api: Api, registrar: str, registry: str
) -> None:
    body = sent(owner="shop", registry=registry, repository="bank/core", tags=["9"])
    assert api.put(OWN, token=registrar, json=body).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"field": "image.digest"},
        {"repository": "https://github.com/Bank/Fleet"},
        {"repository": "https://GitHub.com:443/bank/fleet"},
        {"repository": "https://github.com/bank/fle%65t.git"},
        {"path": "apps//core.yaml"},
        {"branch": "refs/heads/main"},
    ],
    ids=str,
)
def test_another_spelling_of_a_file_in_git_is_the_same_file(
    api: Api, registrar: str, changes: dict[str, str]
) -> None:
    assert api.put(THEIRS, json=sent(owner="bank", deployments=[FILE])).status_code == 201
    answer = api.put(OWN, token=registrar, json=sent(owner="shop", deployments=[{**FILE, **changes}]))
    assert answer.status_code == 403
    own = sent(owner="shop", deployments=[{**FILE, "path": "apps/web.yaml"}])
    assert api.put(OWN, token=registrar, json=own).status_code == 201


def test_the_repository_of_a_project_in_azure_repos_has_two_addresses(api: Api, registrar: str) -> None:
    long, short = (f"https://dev.azure.com/contoso/{path}" for path in ("fleet/_git/fleet", "_git/fleet"))
    theirs = sent(owner="bank", deployments=[{**FILE, "repository": long}])
    assert api.put(THEIRS, json=theirs).status_code == 201
    body = sent(owner="shop", deployments=[{**FILE, "repository": short}])
    assert api.put(OWN, token=registrar, json=body).status_code == 403


@pytest.mark.parametrize("name", ["web/../core", "web ", "Web", "web[app]", "<b>", "web\n", ""])
@pytest.mark.parametrize("field", ["namespace", "name", "container"])
def test_a_workload_is_named_as_kubernetes_names_it(api: Api, field: str, name: str) -> None:
    answer = api.put(OWN, json=sent(deployments=[{**WORKLOAD, field: name}]))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#/deployments/0/{field}"


def test_whose_it_is_may_not_change_in_between(
    api: Api, world: World, registrar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.put(OWN, token=registrar, json=sent(owner="shop")).status_code == 201
    register = world.app.catalog.register

    def late(*args: Any, etags: Any, **rest: Any) -> Any:
        monkeypatch.undo()
        api.put(OWN, json=sent(owner="bank"))
        return register(*args, etags=etags, **rest)

    monkeypatch.setattr(world.app.catalog, "register", late)
    answer = api.put(OWN, token=registrar, json=sent(owner="shop", tags=["2"]))
    assert answer.status_code == 409
    assert world.app.catalog.registration("shop/web").owner == "bank"


def test_an_admin_comes_last_and_wins(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    register, calls = world.app.catalog.register, []

    def busy(*args: Any, **rest: Any) -> Any:
        calls.append(rest["etags"])
        if len(calls) == 1:
            raise ConflictError("somebody else was faster")
        return register(*args, **rest)

    monkeypatch.setattr(world.app.catalog, "register", busy)
    assert api.put(OWN, json=sent()).status_code == 201
    assert calls == [{}, {}]
