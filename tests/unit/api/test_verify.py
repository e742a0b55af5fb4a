"""What hangs on an image, over the API, and by which key."""

import pytest

from groundswell.registry.port import NotAllowedError
from tests.support.signing import FakeSigner
from tests.support.world import BASE, World, ref, registration
from tests.unit.api.conftest import Api


@pytest.fixture
def api(world: World) -> Api:
    vars(world.app).update(signer=FakeSigner())
    world.register(registration("top", BASE))
    world.push_base()
    world.drive()
    return Api(world)


def test_a_promoted_image(api: Api, world: World) -> None:
    answer = api.request("GET", "/verify", params={"reference": ref("top")}).json()
    digest = world.registry.tags[ref("top")]
    assert (answer["image"], answer["verified"]) == (f"{ref('top')}@{digest}", True)
    assert [each["form"] for each in answer["attached"]] == [
        *("signature", "attestation", "attestation", "artifact", "artifact")
    ]
    key = api.get("/key").json()["public_key"]
    assert key.encode() == FakeSigner().public_key()
    assert api.request("GET", "/verify", params={"reference": ref("top"), "key": key}).json() == answer


def test_by_another_key_and_without_one(api: Api, world: World) -> None:
    other = FakeSigner(secret=7).public_key().decode()
    answer = api.request("GET", "/verify", params={"reference": ref("top"), "key": other}).json()
    assert answer["verified"] is False
    assert answer["attached"][0]["why"] == "not by this key, or not of this image"
    vars(world.app).update(signer=None)
    answer = api.request("GET", "/verify", params={"reference": ref("top")}).json()
    assert (answer["verified"], answer["attached"][0]["holds"]) == (False, None)
    assert api.get("/key").status_code == 404


def test_what_is_no_reference_no_key_or_not_there(api: Api) -> None:
    for query, parameter in (("reference=UPPER", "reference"), (f"reference={ref('top')}&key=x", "key")):
        answer = api.get(f"/verify?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == parameter
    assert api.get("/verify?reference=acr.example.com/none:1").status_code == 404


def test_no_registry_is_asked_that_is_not_allowed(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise NotAllowedError("inner.example.com is not in the setting GROUNDSWELL_EXTERNAL_REGISTRIES")

    monkeypatch.setattr(world.registry, "digest", refuse)
    answer = api.get("/verify?reference=inner.example.com/x:1")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "reference"
