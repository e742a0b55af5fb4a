"""The run request of ACR Tasks, and the parts of a build that cannot be sent safely."""

import pytest

from groundswell.build.acr_request import docker_build, task_run_name
from groundswell.build.checks import source_location
from groundswell.build.port import BuildRequest, Source
from groundswell.errors import PermanentError

GIT = "https://host/repo.git"


def request(**changes: object) -> BuildRequest:
    values: dict[str, object] = {
        "name": "gs-abc-1",
        "registry": "acr.azurecr.io",
        "repository": "team/app",
        "tag": "gs-abc-1",
        "source": Source(location=GIT, ref="main", path="services/app"),
        **changes,
    }
    return BuildRequest(**values)  # type: ignore[arg-type]  # a test's own mixture of fields


def test_the_whole_request() -> None:
    built = docker_build(
        request(
            dockerfile="docker/Dockerfile.app",
            target="final",
            build_args={"B": "two words", "A": "$x --no-cache"},
            platform="linux/arm/v7",
            no_cache=True,
            timeout=600,
            pool="big",
        )
    )
    assert built.as_dict() == {
        "type": "DockerBuildRequest",
        "imageNames": ["team/app:gs-abc-1"],
        "isPushEnabled": True,
        "noCache": True,
        "sourceLocation": "https://host/repo.git#main:services/app",
        "dockerFilePath": "docker/Dockerfile.app",
        "target": "final",
        "arguments": [
            {"name": "A", "value": "$x --no-cache", "isSecret": False},
            {"name": "B", "value": "two words", "isSecret": False},
        ],
        "platform": {"os": "Linux", "architecture": "arm", "variant": "v7"},
        "timeout": 600,
        "agentPoolName": "big",
    }


def test_the_same_build_is_the_same_request() -> None:
    one, other = request(build_args={"A": "1", "B": "2"}), request(build_args={"B": "2", "A": "1"})
    assert docker_build(one).as_dict() == docker_build(other).as_dict()


@pytest.mark.parametrize(
    ("source", "location"),
    [
        (Source(location=GIT), GIT),
        (Source(location=GIT, ref="v1.2"), f"{GIT}#v1.2"),
        (Source(location=GIT, path="a/b"), f"{GIT}#:a/b"),
        (Source(location="file:///srv/repo.git", ref="feature/x+1"), "file:///srv/repo.git#feature/x+1"),
        (Source(location="https://dev.azure.com/o/p/_git/r", ref="b"), "https://dev.azure.com/o/p/_git/r#b"),
        (Source(location="https://host/src.tar.gz?sig=a%20b"), "https://host/src.tar.gz?sig=a%20b"),
        (Source(location="source/202601/ab.tar.gz"), "source/202601/ab.tar.gz"),
    ],
)
def test_source_locations(source: Source, location: str) -> None:
    assert source_location(source) == location


@pytest.mark.parametrize(
    "source",
    [
        Source(location=""),
        Source(location="-oProxyCommand=x"),
        Source(location="ssh://host/repo.git"),
        Source(location="ext::sh -c id"),
        Source(location=f"{GIT}#main"),
        Source(location=f"{GIT} --config=x"),
        Source(location="source/../other.tar.gz"),
        Source(location="https://host/src.tar.gz", ref="main"),
        Source(location="https://host/src.tar.gz", path="dir"),
        Source(location="https://host/repo", ref="main"),
        Source(location="https://host/a/_git/b", ref="main"),
        Source(location=f"{GIT}?x=1", ref="main"),
        Source(location="https://ann:s3cret@host/repo.git", ref="main"),
        Source(location="https://ann@host/src.tar.gz"),
        *[
            Source(location=GIT, ref=ref)
            for ref in ("-x", "a b", "a:b", "a#b", "a..b", "a\nb", "$(id)", "/a", ".a", "a\x00")
        ],
        *[
            Source(location=GIT, path=path)
            for path in ("-x", "../a", "a/../b", "/a", "a b", "a:b", "a#b", "a//b", "a/", "a\n", "a;b")
        ],
    ],
)
def test_sources_that_could_mean_another_are_refused(source: Source) -> None:
    with pytest.raises(PermanentError, match="source"):
        source_location(source)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dockerfile": "../Dockerfile"}, "dockerfile '../Dockerfile'"),
        ({"dockerfile": "/etc/passwd"}, "dockerfile"),
        ({"dockerfile": "--secret"}, "dockerfile"),
        ({"dockerfile": ""}, "dockerfile"),
        ({"target": "a --push"}, "target"),
        ({"build_args": {"A B": "x"}}, "build argument 'A B'"),
        ({"build_args": {"A=1": "x"}}, "build argument"),
        ({"build_args": {"A": "x\ny"}}, "build argument 'A'"),
        ({"platform": "amd64"}, "platform 'amd64'"),
        ({"platform": "plan9/amd64"}, "platform"),
    ],
)
def test_fields_that_cannot_be_sent_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PermanentError) as caught:
        docker_build(request(**changes))
    assert said in str(caught.value)


def test_an_argument_that_is_refused_does_not_show_its_value() -> None:
    with pytest.raises(PermanentError) as caught:
        docker_build(request(build_args={"TOKEN": "s3cr3t\n"}))
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "abcd", "a" * 51, "Upper-case", "under_score", "-begins", "sla/sh", "new\nline"]
)
def test_names_that_arm_does_not_take(name: str) -> None:
    with pytest.raises(PermanentError, match="build name"):
        task_run_name(name)


def test_names_that_arm_takes() -> None:
    for name in ("abcde", "a" * 50, "gs-c1-0f-1"):
        assert task_run_name(name) == name
