"""Dockerfiles as BuildKit's frontend (dockerfile 1.x) reads them: which images a build stands on, and needs."""

from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.resolution import resolve
from graph.dockerfile.stages import Resolution, Unresolved

__all__ = ["DockerfileError", "Resolution", "Unresolved", "resolve"]
