"""The edges of a registration, from the text of its Dockerfile: the same however the two reached us."""

from dataclasses import replace

from graph.dockerfile import Resolution, resolve
from groundswell.errors import InputError
from groundswell.lineage.model import Registration
from groundswell.lineage.sources.build import Edges


def with_edges(registration: Registration, text: str) -> Registration:
    """The registration with what its Dockerfile stands on, for its target, build args and platforms.

    Raises DockerfileError for what BuildKit refuses, InputError for a base that cannot be resolved.
    """
    resolutions: list[Resolution] = []
    for platform in registration.platforms:
        resolution = resolve(
            text, build_args=registration.build_args, target=registration.target, platform=platform
        )
        if resolution.unresolved:
            first = resolution.unresolved[0]
            raise InputError(f"{first.raw!r} cannot be resolved: {first.why}; give a build arg")
        resolutions.append(resolution)
    edges = Edges.of(resolutions)
    return replace(registration, runtime=edges.runtime, build=edges.build, frontend=edges.frontend)
