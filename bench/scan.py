"""How fast Dockerfiles are resolved, beside the PyPI package `dockerfile-parse`, which lists what FROM says."""

import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]  # without annotations

from bench.result import Result
from graph.dockerfile import DockerfileError, resolve

_CASES = Path(__file__).parent.parent / "tests" / "unit" / "graph" / "cases"
_FILES = ("dockerfile_generated.json", "dockerfile_references.json")
_GENERATED = 400
_ROUNDS = 7
_BASES = (
    "python:3.13-slim",
    "node:22-alpine",
    "golang:1.24",
    "mcr.microsoft.com/dotnet/sdk:9.0",
    "registry.example.com/platform/base:2025.3",
    "debian:bookworm-slim",
)
_ARGUMENTS = ("ARG VERSION=1.4.2", "ARG REGISTRY=registry.example.com", "ARG TARGETARCH")
_STEPS = (
    "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends \\\n        ca-certificates \\\n"
    "        curl \\\n        libpq5 \\\n    && rm -rf /var/lib/apt/lists/*",
    "RUN --mount=type=cache,target=/root/.cache/pip \\\n    pip install --no-deps -r requirements.txt",
    "COPY package.json package-lock.json ./",
    "COPY --chown=app:app src/ /srv/app/",
    "ENV PATH=/opt/app/bin:$PATH \\\n    LANG=C.UTF-8",
    'LABEL org.opencontainers.image.source="https://example.com/app" org.opencontainers.image.vendor="Example"',
    "WORKDIR /srv/app",
    "EXPOSE 8080",
    "USER 10001",
    "ARG BUILD_ID",
    "# what follows changes often, so it comes last",
    "",
)


def scan() -> Result:
    """Dockerfiles a second on one core, rounds of the two in turn, medians."""
    corpus = _corpus()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(_ROUNDS):
        ours.append(_rate(resolve, corpus))
        theirs.append(_rate(_parent_images, corpus))
    return Result(
        value=statistics.median(ours),
        unit="1/s",
        baseline="dockerfile-parse, parent_images",
        baseline_value=statistics.median(theirs),
    )


def _rate(read: Callable[[str], object], corpus: Sequence[str]) -> float:
    begin = time.perf_counter()
    for text in corpus:
        read(text)
    return len(corpus) / (time.perf_counter() - begin)


def _parent_images(text: str) -> list[str]:
    images: list[str] = DockerfileParser(fileobj=BytesIO(text.encode())).parent_images
    return images


def _corpus() -> list[str]:
    """The cases of the tests that build as they are, and Dockerfiles as people write them; the same every time."""
    texts = [case["dockerfile"] for name in _FILES for case in json.loads((_CASES / name).read_text())["cases"]]
    made_up = [_dockerfile(random.Random(seed)) for seed in range(_GENERATED)]  # noqa: S311  # made-up data
    return [*filter(_builds, texts), *made_up]


def _builds(text: str) -> bool:
    try:
        resolve(text)
    except DockerfileError:
        return False
    return True


def _dockerfile(chance: random.Random) -> str:
    """One to three stages, the last with what people end with: 10 to 60 rows."""
    rows = ["# syntax=docker/dockerfile:1", *chance.sample(_ARGUMENTS, chance.randint(0, 2))]
    stages = chance.randint(1, 3)
    for number in range(stages):
        rows += ["", f"FROM {chance.choice(_BASES)} AS stage{number}"]
        rows += (chance.choice(_STEPS) for _ in range(chance.randint(3, 12)))
    if stages > 1:
        rows.append("COPY --from=stage0 /srv/app/dist /srv/app/dist")
    rows += ['ENTRYPOINT ["/usr/bin/tini", "--"]', 'CMD ["python", "-m", "app"]', ""]
    return "\n".join(rows)
