"""What builds: ACR Tasks of each registry, and pipelines."""

from collections.abc import Iterator

from groundswell.build.port import Builder
from groundswell.build.router import Pipeline
from groundswell.doctor.check import Check, ok


def tasks(registry: str, builder: Builder) -> Iterator[Check]:
    yield ok(
        f"builds in {registry}", f"ACR Tasks answers; builds that have a name there: {len(builder.named(registry))}"
    )


def pipeline(name: str, server: Pipeline) -> Iterator[Check]:
    yield ok(f"builder {name}", f"it answers; builds under way: {len(server.going_on())}")
