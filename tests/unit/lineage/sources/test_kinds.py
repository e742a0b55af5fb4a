"""Which names are those of builds."""

import pytest

from groundswell.lineage.sources.kinds import Kind, of_given, of_name, wanted


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Kind.DOCKERFILE,
            "Dockerfile dockerfile DOCKERFILE Containerfile Dockerfile.web Dockerfile.go web.Dockerfile "
            "web.dockerfile WEB.DOCKERFILE dockerfile.web Containerfile.x app.containerfile a.b.Dockerfile",
        ),
        (
            Kind.COMPOSE,
            "compose.yaml compose.yml docker-compose.yml docker-compose.prod.yaml compose.override.yml "
            "compose-a.yml docker-compose_ci.yml",
        ),
        (Kind.BAKE, "docker-bake.hcl docker-bake.json docker-bake.override.hcl docker-bake.ci.hcl"),
        (Kind.TASK, "acr-task.yaml acr-task.yml acb.yaml build.acr.yaml"),
        (
            None,
            "Dockerfile.dockerignore web.Dockerfile.dockerignore dockerfile.go dockerfile.md Dockerfiles "
            "mydockerfile composer.yaml compose.json bake.go x.yaml package.json .acr.yamlx Dockerfile-x",
        ),
    ],
)
def test_names(kind: Kind | None, names: str) -> None:
    assert {name: of_name(name) for name in names.split()} == dict.fromkeys(names.split(), kind)


def test_a_yaml_of_any_name_is_worth_a_look() -> None:
    assert wanted("x.yaml")
    assert wanted("Dockerfile")
    assert not wanted("main.go")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("my.df", Kind.DOCKERFILE), ("x.hcl", Kind.BAKE), ("x.yml", None), ("compose.yml", Kind.COMPOSE)],
)
def test_a_file_that_a_person_names_is_a_dockerfile_unless_it_says_otherwise(name: str, kind: Kind | None) -> None:
    assert of_given(name) is kind
