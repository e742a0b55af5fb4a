"""Named build contexts that are other builds of the same file: `target:NAME` in bake, `service:NAME` in compose.

A Dockerfile is resolved with a reference of our own in the place of such a context, and what stands behind the
context takes its place where it was needed.
"""

from collections.abc import Mapping
from dataclasses import replace

from graph.dockerfile import Resolution, Unresolved, resolve
from groundswell.errors import InputError

NOTHING = Resolution(runtime=None, build=(), unneeded=(), unresolved=(), frontend=None)
IMAGE = "docker-image://"
_STAND_IN = "context.invalid/build"  # .invalid never names a registry (RFC 2606)

type Context = str | Resolution
"""What BuildKit takes (`docker-image://REF`, a path, a URL), or the images of the build behind the name."""


def resolve_build(
    text: str,
    *,
    args: Mapping[str, str],
    stage: str | None,
    platform: str,
    build_platform: str,
    contexts: Mapping[str, Context],
) -> Resolution:
    """The images that a build needs. Raises DockerfileError for what BuildKit would refuse."""
    plain: dict[str, str] = {}
    behind: dict[str, Resolution] = {}
    for number, (name, context) in enumerate(contexts.items()):
        if isinstance(context, str):
            plain[name] = context
        else:
            reference = f"{_STAND_IN}:{number}"
            behind[reference] = context
            plain[name] = IMAGE + reference
    found = resolve(
        text,
        build_args=args,
        target=stage,
        platform=platform,
        build_platform=build_platform,
        contexts=plain,
    )
    return _replaced(found, behind) if behind else found


def unresolvable(raw: str, why: str) -> Resolution:
    """A build of which nothing is known here but that it needs `raw`."""
    return replace(NOTHING, unresolved=(Unresolved(raw=raw, why=why),))


def check_circle(name: str, above: tuple[str, ...]) -> None:
    """Raises InputError when a build is reached from itself."""
    if name in above:
        path = " -> ".join((*above[above.index(name) :], name))
        raise InputError(f"builds stand on each other in a circle: {path}")


def _replaced(found: Resolution, behind: Mapping[str, Resolution]) -> Resolution:
    runtime = found.runtime
    build, unneeded, unresolved = set(found.build), set(found.unneeded), list(found.unresolved)
    for reference, other in behind.items():
        own = {image for image in (other.runtime, *other.build) if image}
        if reference == found.runtime:
            runtime = other.runtime
            build |= set(other.build)
        elif reference in build:
            build |= own
        else:
            if reference in unneeded:
                unneeded |= own
            continue
        unresolved += [each for each in other.unresolved if each not in unresolved]
    stand_ins = behind.keys()
    build -= stand_ins
    used = build | {runtime}
    return replace(
        found,
        runtime=runtime,
        build=tuple(sorted(build)),
        unneeded=tuple(sorted(unneeded - stand_ins - used)),
        unresolved=tuple(unresolved),
    )
