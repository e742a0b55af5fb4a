"""What runs, over the API: alerts, drift and its release, a rebuild anew, and the logs of runs."""

from dataclasses import replace
from typing import Any

import pytest

from groundswell.audit import entries
from groundswell.cascade.alerts import Alert, Remedy
from groundswell.errors import TemporaryError
from groundswell.scan.verdict import Line
from tests.support.world import BASE, HOST, World, digest_of, ref, registration, workload
from tests.unit.api.conftest import Api
from tests.unit.api.test_every_operation import IDS

FLAW = Line(id="CVE-1", package="p", installed="1", fixed="2", severity="CRITICAL", refused=True)
PLACE = str(workload("web"))


@pytest.fixture
def api(world: World) -> Api:
    world.register(registration("top", BASE, deployments=[workload("web")]), registration("app", ref("top")))
    world.push_base()
    world.drive()
    return Api(world)


def alert(world: World, name: str, **rest: Any) -> Alert:
    digest = digest_of(name)
    found = Alert(image=name, digest=digest, reference=f"{ref(name)}@{digest}", workloads=(PLACE,), **rest)
    world.app.alerts.put(found, None)
    return found


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["image"] for each in answer.json()["alerts"]]


def test_alerts(api: Api, world: World) -> None:
    remedy = Remedy(image="top", why="a build may bring newer packages")
    alert(world, "bad", findings=(FLAW,), first_seen=world.time, looked_at=world.time, remedy=remedy)
    alert(world, "blind", trouble="no report", first_seen=world.time)
    alert(world, "clean", looked_at=world.time)
    alert(world, "past", findings=(FLAW,), resolved_at=world.time)
    answer = api.get("/alerts")
    assert names(answer) == ["bad", "blind"]
    told = answer.json()["alerts"][0]
    assert (told["kind"], told["open"], told["remedy"]["image"]) == ("refused", True, "top")
    assert told["findings"][0]["id"] == "CVE-1"
    assert told["looked_at"].endswith("Z")
    assert (told["resolved_at"], told["awaited"]) == (None, None)
    assert names(api.get("/alerts?all=true")) == ["bad", "blind", "clean", "past"]
    assert names(api.get("/alerts?kind=unscannable")) == ["blind"]
    assert names(api.get("/alerts?all=true&image=past")) == ["past"]


def test_alerts_in_pages(api: Api, world: World) -> None:
    for name in "abcde":
        alert(world, name, trouble="no report", first_seen=1.0)
    seen, cursor = [], ""
    while cursor is not None:
        answer = api.get(f"/alerts?limit=2&cursor={cursor}")
        seen += names(answer)
        cursor = answer.json()["next_cursor"]
    assert seen == list("abcde")


def test_drift_as_it_was_noted_and_as_it_is(api: Api, world: World) -> None:
    assert api.get("/drift").json() == {"drift": [], "unread": [], "next_cursor": None}
    world.deployer.running[PLACE] = f"{HOST}/top:hotfix"
    assert api.get("/drift").json()["drift"] == []
    (looked,) = api.get("/drift?look=true").json()["drift"]
    assert (looked["workload"], looked["image"], looked["runs"]) == (PLACE, "top", f"{HOST}/top:hotfix")
    world.push_base("sha256:base2")
    world.drive()
    (noted,) = api.get("/drift").json()["drift"]
    assert (noted["runs"], noted["cascade"]) == (f"{HOST}/top:hotfix", world.cascade)
    assert noted["ours"][0].startswith(f"{HOST}/top")


def test_what_cannot_be_looked_at_is_said(api: Api, world: World) -> None:
    del world.deployer.running[PLACE]
    answer = api.get("/drift?look=true").json()
    assert answer["drift"] == []
    assert answer["unread"] == [f"{PLACE} does not exist"]


def test_looking_goes_in_pages_of_workloads(api: Api, world: World) -> None:
    (known,) = world.app.workloads.all()
    for number in range(4):
        target = str(workload(f"x{number}"))
        world.deployer.running[target] = "other"
        world.app.workloads._put([replace(known, workload=target)])
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        answer = api.get(f"/drift?look=true&limit=2&cursor={cursor}").json()
        seen += [each["workload"] for each in answer["drift"]]
        cursor, pages = answer["next_cursor"], pages + 1
    assert seen == [str(workload(f"x{number}")) for number in range(4)]
    assert pages == 3


def test_a_workload_is_released(api: Api, world: World) -> None:
    world.deployer.running[PLACE] = "other"
    world.push_base("sha256:base2")
    world.drive()
    body = {"workload": PLACE, "reason": " in the image "}
    once = {"Idempotency-Key": "a"}
    answer = api.post("/drift/release", json=body, headers=once)
    assert answer.json() == {"workload": PLACE, "image": "top", "released": True}
    assert api.post("/drift/release", json=body, headers=once).headers["Idempotency-Replayed"] == "true"
    assert api.get("/drift").json()["drift"] == []
    (entry,) = (each for each in entries(world.app.store) if each["action"] == "release")
    assert (entry["who"], entry["why"], entry["subject"]) == (api.who, "in the image", f"workload {PLACE}")
    for unknown in ("no", "n" * 1000, " é" * 400):
        assert api.post("/drift/release", json={**body, "workload": unknown}).status_code == 404


def test_an_image_is_built_anew(api: Api, world: World) -> None:
    body = {"image": "top", "reason": "CVE-1 has a fix"}
    answer = api.post("/rebuilds", json=body, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 202
    again = api.post("/rebuilds", json=body, headers={"Idempotency-Key": "a"})
    assert again.json() == answer.json()
    world.drive()
    cascade = answer.json()["cascade"]
    assert world.cascade == cascade
    assert world.statuses()["top"] in ("done", "unchanged")
    newest = next(entry for entry in entries(world.app.store) if entry["action"] == "rebuild")
    assert (newest["who"], newest["subject"], newest["why"]) == (api.who, "top", "CVE-1 has a fix")
    assert api.post("/rebuilds", json={**body, "image": "nobody"}).status_code == 404


def test_the_log_of_a_run(api: Api, world: World) -> None:
    world.app.settings = replace(world.app.settings, registries={HOST: IDS})
    world.builder.log_text = "one\x1b[31m\ntwo\n"
    first = api.get("/runs/r0/log?limit=4").json()
    assert first["text"].startswith("one")
    assert first["next_offset"] == 4
    rest = api.get(f"/runs/r0/log?offset=4&registry={HOST}").json()
    assert "\x1b" not in first["text"] + rest["text"]
    assert (first["text"] + rest["text"]).endswith("two\n")
    assert rest["next_offset"] == rest["length"] == first["length"]
    assert api.get("/runs/r99/log").status_code == 404


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("/runs/r0/log", "registry"),
        ("/runs/r0/log?registry=other.example.com", "registry"),
        ("/runs/no:1/log", "run"),
    ],
)
def test_whose_run_it_is_must_be_known(api: Api, address: str, parameter: str) -> None:
    answer = api.get(address)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_while_clusters_do_not_answer(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise TemporaryError("the cluster is away")

    monkeypatch.setattr(world.deployer, "observe", away)
    assert api.get("/drift?look=true").json()["unread"] == ["the cluster is away"]
