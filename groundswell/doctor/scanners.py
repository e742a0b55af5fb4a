"""The gate's scanners: each is there, and knows what it has to. What cannot be scanned is never promoted."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from graph.reference import Reference
from groundswell.clock import Clock
from groundswell.doctor.check import Check, bad, lasted, ok, skipped
from groundswell.registry.port import NotAllowedError, NotAnImageError, Registry
from groundswell.scan.database import check_age, read_contents
from groundswell.scan.port import NotYetError, Scanner
from groundswell.scan.trivy import MAX_AGE


def binary(program: str, cache: str, clock: Clock) -> Iterator[Check]:
    """Trivy beside the app, and its database."""
    name = "scanner trivy"
    if shutil.which(program) is None:
        yield bad(name, f"there is no program {program!r}", "set GROUNDSWELL_TRIVY to its path")
        return
    contents = read_contents(Path(cache))
    check_age(contents.updated_at, now=clock(), max_age=MAX_AGE)
    yield ok(name, f"its database is {lasted(clock() - contents.updated_at.timestamp())} old")


def in_a_run(name: str, image: str, registry: Registry) -> Iterator[Check]:
    """The image that a step of a run is made of."""
    fix = "push it there, or name another digest in GROUNDSWELL_SCANNERS (GROUNDSWELL_ORAS_IMAGE for oras)"
    try:
        there = registry.digest(Reference.parse(image)) is not None
    except NotAllowedError:
        yield skipped(name, f"{image} is in a registry that we do not ask; the run will")
        return
    except NotAnImageError:
        there = False
    yield ok(name, "its image is there") if there else bad(name, f"there is no image {image}", fix)


def defender(name: str, scanner: Scanner, registry: str) -> Iterator[Check]:
    """Asked about an image that there is not: an answer without findings is one."""
    asked = Reference(registry=registry, repository="groundswell/doctor", tag=None, digest=f"sha256:{'0' * 64}")
    with contextlib.suppress(NotYetError):  # as it should be: it knows nothing of it
        scanner.scan(asked)
    yield ok(f"scanner {name}", "Azure Resource Graph answers")
