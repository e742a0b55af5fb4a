"""What a pipeline is told of a build, and what it is never told."""

import pytest

from groundswell.build.parameters import parameters
from groundswell.build.port import BuildRequest, Source
from groundswell.errors import PermanentError


def request(**changes: object) -> BuildRequest:
    values: dict[str, object] = {
        "name": "gs-abc-1",
        "registry": "acr.azurecr.io",
        "repository": "team/app",
        "tag": "gs-abc-1",
        "source": Source(location="https://host/repo.git", ref="c0ffee", path="services/app"),
        **changes,
    }
    return BuildRequest(**values)  # type: ignore[arg-type]  # a test's own mixture of fields


def test_all_of_them() -> None:
    told = parameters(
        request(
            dockerfile="docker/Dockerfile.app",
            target="final",
            build_args={"B": "two words; rm -rf /", "A": "$x --no-cache"},
            platform="linux/arm/v7",
            no_cache=True,
        )
    )
    assert told == {
        "GS_NAME": "gs-abc-1",
        "GS_REGISTRY": "acr.azurecr.io",
        "GS_REPOSITORY": "team/app",
        "GS_TAG": "gs-abc-1",
        "GS_SOURCE": "https://host/repo.git",
        "GS_REF": "c0ffee",
        "GS_PATH": "services/app",
        "GS_DOCKERFILE": "docker/Dockerfile.app",
        "GS_TARGET": "final",
        "GS_BUILD_ARGS": "A=$x --no-cache\nB=two words; rm -rf /",
        "GS_PLATFORM": "linux/arm/v7",
        "GS_NO_CACHE": "true",
    }


def test_the_names_are_the_same_whatever_the_build() -> None:
    least = parameters(request(source=Source(location="https://host/repo.git")))
    assert set(least) == set(parameters(request(target="t", build_args={"A": "1"})))
    assert {name for name, value in least.items() if not value} == {
        "GS_REF",
        "GS_PATH",
        "GS_TARGET",
        "GS_BUILD_ARGS",
    }
    assert least["GS_NO_CACHE"] == "false"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a b"}, "build name 'a b'"),
        ({"registry": "-x"}, "registry '-x'"),
        ({"repository": "a$(b)"}, "repository"),
        ({"tag": "1\n2"}, "tag"),
        ({"platform": ""}, "platform ''"),
        ({"dockerfile": "../Dockerfile"}, "dockerfile '../Dockerfile' must be a path inside the source"),
        ({"target": "a b"}, "not the name of a build stage"),
        ({"build_args": {"A": "1\n--privileged"}}, "a value of one line"),
        ({"build_args": {"A B": "1"}}, "must have a plain name"),
        ({"source": Source(location="https://user:word@host/repo.git")}, "must not hold a user"),
        ({"source": Source(location="https://host/repo.git", ref="--upload-pack=x")}, "source ref"),
        ({"source": Source(location="https://host/source.tar.gz")}, "builds from a git repository"),
        ({"source": Source(location="file:///var/lib/jenkins/workspace/bank/.git")}, "must be at https://"),
    ],
)
def test_what_cannot_be_sent_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        parameters(request(**changes))
