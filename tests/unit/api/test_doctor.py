"""/doctor: what was found, for those who can mend it."""

from dataclasses import replace

from groundswell.access.principal import Role
from groundswell.errors import PermanentError
from groundswell.settings import AcrRegistry
from tests.support.world import HOST, World
from tests.unit.api.conftest import Api, token


def test_what_was_found_and_the_fix(api: Api, world: World) -> None:
    ids = AcrRegistry(subscription="s", resource_group="g", name="acr")
    world.app.settings = replace(world.app.settings, registries={HOST: ids})
    world.rights.down = PermanentError("the registry answered 401 to the exchange")
    found = api.get("/doctor").json()
    assert found["outcome"] == "bad"
    checks = {each["name"]: each for each in found["checks"]}
    assert checks["store"]["outcome"] == "ok"
    assert checks[f"registry {HOST}"]["says"] == "the registry answered 401 to the exchange"
    assert "AcrPush" in checks[f"registry {HOST}"]["fix"]


def test_it_is_kept_for_a_while(api: Api, world: World) -> None:
    first = api.get("/doctor").json()
    world.time += 1.0
    assert api.get("/doctor").json() == first


def test_readers_are_not_told(api: Api, world: World) -> None:
    for role, status in ((Role.READER, 403), (Role.REGISTRAR, 403), (Role.OPERATOR, 200)):
        teams = ["shop"] if role is Role.REGISTRAR else []
        assert api.get("/doctor", token=token(world, role, teams=teams)).status_code == status
