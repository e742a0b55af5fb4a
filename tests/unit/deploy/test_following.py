"""Which containers of a workload ask to follow their image, and where they say they are."""

from typing import Any

import pytest

from groundswell.deploy.following import ENVIRONMENT, FOLLOW, followers
from groundswell.deploy.port import Kind
from tests.support.cluster import GOOD, SIDE, workload


def item(kind: Kind, **annotations: str) -> dict[str, Any]:
    made = workload(kind.value, "w")
    made["metadata"]["annotations"] = {
        {"follow": FOLLOW, "environment": ENVIRONMENT}[k]: v for k, v in annotations.items()
    }
    return made


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("true", {"web": GOOD, "proxy": SIDE}),
        ("TRUE ", {"web": GOOD, "proxy": SIDE}),
        ("web", {"web": GOOD}),
        ("web, proxy", {"web": GOOD, "proxy": SIDE}),
        ("no-such", {}),
        ("false", {}),
        ("", {}),
    ],
)
def test_who_asks(kind: Kind, asked: str, expected: dict[str, str]) -> None:
    found = list(followers("c", kind, item(kind, follow=asked)))
    assert {each.workload.container: each.image for each in found} == expected
    assert {str(each.workload) for each in found} == {f"c/default/{kind.lower()}/w[{name}]" for name in expected}


def test_without_annotations_nobody_does() -> None:
    assert list(followers("c", Kind.DEPLOYMENT, workload("Deployment", "w"))) == []


def test_where_it_is() -> None:
    (found,) = followers("c", Kind.DEPLOYMENT, item(Kind.DEPLOYMENT, follow="web", environment="prod-eu"))
    (other,) = followers("c", Kind.DEPLOYMENT, item(Kind.DEPLOYMENT, follow="web"))
    assert (found.workload.place, other.workload.place) == ("prod-eu", "c")
