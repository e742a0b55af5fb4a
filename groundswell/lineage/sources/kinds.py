"""Which files say how images are built, by their names.

Dockerfiles as Docker and VS Code know them: `Dockerfile` in any case (the docker command falls back to
`dockerfile`), the endings `.dockerfile` and `.containerfile` in any case, and `Dockerfile.SOMETHING`. In lower case
`dockerfile.go` is a program that parses Dockerfiles, so such endings do not count there.
"""

import re
from enum import StrEnum


class Kind(StrEnum):
    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"
    BAKE = "bake"
    TASK = "task"
    TREE = "tree"  # no file of builds: what went wrong on the way to them


_DOCKERFILE = re.compile(
    r"(?i:(?:docker|container)file|.*\.(?:docker|container)file)"
    r"|(?:Docker|Container)file\..+"
    r"|(?:docker|container)file\.(?!(?:go|py|pyi|js|ts|rb|rs|java|kt|c|h|cs|php|lua|md|rst|html|json|ya?ml|toml)$).+",
    re.DOTALL,
)
_IGNORE_FILE = ".dockerignore"
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[._-].*)?\.ya?ml", re.DOTALL)
_BAKE = re.compile(r"docker-bake(?:\..*)?\.(?:hcl|json)", re.DOTALL)
_TASK = re.compile(r"(?:acr-task|acb)\.ya?ml|.+\.acr\.ya?ml", re.DOTALL)
_YAML = (".yaml", ".yml")


def of_name(name: str) -> Kind | None:
    """What a file of this name is, when the name alone tells."""
    if _DOCKERFILE.fullmatch(name):
        return None if name.lower().endswith(_IGNORE_FILE) else Kind.DOCKERFILE
    if name.endswith(_YAML):
        if _COMPOSE.fullmatch(name):
            return Kind.COMPOSE
        return Kind.TASK if _TASK.fullmatch(name) else None
    return Kind.BAKE if _BAKE.fullmatch(name) else None


def is_yaml(name: str) -> bool:
    """Whether a look inside may show a task, or a manifest."""
    return name.endswith(_YAML)


def wanted(name: str) -> bool:
    """Whether a file of this name is worth a look."""
    return name.endswith(_YAML) or of_name(name) is not None


def of_given(name: str) -> Kind | None:
    """What a file is that a person named: a Dockerfile unless its ending says otherwise; None for YAML."""
    if kind := of_name(name):
        return kind
    if is_yaml(name):
        return None
    return Kind.BAKE if name.endswith((".hcl", ".json")) else Kind.DOCKERFILE
