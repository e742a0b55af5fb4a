"""A webhook that reached nobody, found in the registry's own record: the adapter and the look-alikes."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from groundswell.errors import PermanentError
from groundswell.local.tasks.model import RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from groundswell.registry.acr_events import AcrEvents
from groundswell.settings import AcrRegistry
from tests.support import oci
from tests.support.acr import Acr, Credential, running
from tests.support.polling import until

pytestmark = pytest.mark.stack

IDS = AcrRegistry(subscription="sub", resource_group="group", name="acr", webhook="groundswell")


@pytest.fixture
def acr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acr]:
    with running(tmp_path) as started:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


def events(acr: Acr, folder: Path, ids: AcrRegistry = IDS) -> AcrEvents:
    login_server = acr.registry.login_server
    tasks = AcrTasks(
        folder=folder / "tasks",
        identity=acr.identity,
        registries={IDS: RegistryAccess(login_server=login_server)},
        webhooks={IDS.webhook: lambda: acr.registry.deliveries},
    )
    endpoint = f"https://localhost:{acr.servers.serve(tasks.app)}"
    return AcrEvents(Credential(acr.identity), endpoint, {login_server: ids})


def await_deliveries(acr: Acr, count: int) -> None:
    until(lambda: len(acr.registry.deliveries) == count, seconds=10)


def test_what_was_sent_in_vain_is_found(acr: Acr, tmp_path: Path) -> None:
    answers = iter([202, 500, 202])

    async def take(_: web.Request) -> web.Response:
        return web.Response(status=next(answers))

    def receiver() -> web.Application:
        app = web.Application()
        app.router.add_post("/webhooks/acr", take)
        return app

    acr.registry.webhook_url = f"https://localhost:{acr.servers.serve(receiver)}/webhooks/acr"
    digests = []
    with contextlib.closing(events(acr, tmp_path)) as adapter:
        for number in range(3):
            digests.append(acr.client.push(oci.image(b"%d" % number), "team/base", str(number)))
            await_deliveries(acr, number + 1)
        (failed,) = adapter.failed(acr.registry.login_server)
        assert failed.reference == acr.reference("team/base:1")
        assert failed.digest == digests[1]
        assert abs(failed.at - time.time()) < 60
        acr.registry.webhook_url = "https://localhost:1/webhooks/acr"  # nobody there
        acr.client.push(oci.image(b"4"), "team/base", "4")
        await_deliveries(acr, 4)
        found = adapter.failed(acr.registry.login_server)
        assert [each.reference.tag for each in found] == ["4", "1"]


def test_pages_are_followed(acr: Acr, tmp_path: Path) -> None:
    acr.registry.webhook_url = "https://localhost:1/webhooks/acr"
    content = oci.image(b"one")
    for number in range(101):
        acr.client.push(content, "team/base", str(number))
    await_deliveries(acr, 101)
    with contextlib.closing(events(acr, tmp_path)) as adapter:
        assert len(adapter.failed(acr.registry.login_server)) == 101


def test_a_webhook_that_is_not_there(acr: Acr, tmp_path: Path) -> None:
    wrong = AcrRegistry(subscription="sub", resource_group="group", name="acr", webhook="another")
    with (
        contextlib.closing(events(acr, tmp_path, wrong)) as adapter,
        pytest.raises(PermanentError, match="answered 404: see `webhook`"),
    ):
        adapter.failed(acr.registry.login_server)
