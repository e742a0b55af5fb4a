"""schemathesis over the OpenAPI document: whatever it makes up, no answer is a 5xx or an undocumented one.

In this process, against a small world; the examples are the same each time, so that CI is, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.cascade.freezes import from_json
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.api.conftest import PREFIX, token
from tests.unit.api.test_every_operation import Operation, each

load_all_checks()  # type: ignore[no-untyped-call]  # without annotations
_CHECKS = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
    )
]
_FREEZE = {"name": "nights", "environment": "*", "zone": "UTC", "days": ["fri"], "from": "18:00", "until": "06:00"}
_EXAMPLES = 25


@dataclass
class Service:
    world: World
    schema: Any
    headers: dict[str, str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    world = World(
        tmp_path_factory.mktemp("world"),
        registration("top", BASE, deployments=[workload("web")], approval="required", owner="shop"),
        registration("team/app", ref("top"), owner="shop"),
        registration("broken", BASE),
    )
    world.drive()
    world.broken = {"broken"}
    world.push_base()
    world.drive()
    world.app.freezes.add(from_json({**_FREEZE, "why": "nobody is on call"}), who="test")
    vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", create(world.app))
    yield Service(world=world, schema=schema, headers={"Authorization": f"Bearer {token(world, Role.ADMIN)}"})
    world.close()


@each()
def test_what_fits_the_document(service: Service, operation: Operation) -> None:
    check(service, operation, GenerationMode.POSITIVE)


@each(given=True)
def test_what_does_not(service: Service, operation: Operation) -> None:
    check(service, operation, GenerationMode.NEGATIVE)


def check(service: Service, operation: Operation, mode: GenerationMode) -> None:
    described = service.schema[PREFIX + operation.path][operation.method]

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any) -> None:
        _aim(case, service.world)
        case.call_and_validate(headers=service.headers, checks=_CHECKS)

    run()


def _aim(case: Any, world: World) -> None:
    """Half of what could name something names something that is there: 404 alone would test little.

    What could not (`a//b`, or too long) stays: it is what has to be refused.
    """
    places = case.path_parameters or {}
    for name, there in (("cascade", world.cascade), ("name", "nights" if "freezes" in case.path else "top")):
        if re.fullmatch("[0-9a-z]{1,40}", str(places.get(name, ""))) and len(places[name]) % 2:
            places[name] = there
