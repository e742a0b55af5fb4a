"""What a WWW-Authenticate header says, as registries write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.registry.challenge import parse


@pytest.mark.parametrize(
    ("header", "scheme", "said"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:a/b:pull",
            },
        ),
        (
            'Bearer realm="https://gcr.io/v2/token",service=gcr.io',
            "bearer",
            {"realm": "https://gcr.io/v2/token", "service": "gcr.io"},
        ),
        ('Basic realm="tests"', "basic", {"realm": "tests"}),
        ('BEARER  REALM = "a" , Scope="x,y"', "bearer", {"realm": "a", "scope": "x,y"}),
        (r'Bearer realm="a \"b\" c"', "bearer", {"realm": 'a "b" c'}),
        ('Bearer realm="first",realm="second"', "bearer", {"realm": "first"}),
        ('Bearer realm="a", Basic realm="b"', "bearer", {"realm": "a"}),
        ("Negotiate", "negotiate", {}),
        ("", "", {}),
        ("Bearer ,,,", "bearer", {}),
    ],
)
def test_parse(header: str, scheme: str, said: dict[str, str]) -> None:
    assert parse(header) == (scheme, said)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(st.characters(codec="latin-1"))))
def test_quoted_values_come_back(said: dict[str, str]) -> None:
    quoted = ",".join(
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in said.items()
    )
    assert parse(f"Bearer {quoted}") == ("bearer", said)
