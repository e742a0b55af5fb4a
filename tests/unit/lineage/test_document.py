"""lineage.yaml: what is read, and that every complaint names its line."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from groundswell.errors import InputError
from groundswell.lineage.document import MAX_BYTES, parse, schema

GOOD = """\
version: 1
registry: contoso.azurecr.io
source: {git: "https://git.example.com/shop.git"}
images:
  - name: shop/web
    tags: ["1.4", latest]
    path: apps/web
    build_args: {MODE: prod}
    gate: {severity: HIGH, fixable_only: false}
    deployments:
      - {cluster: prod, namespace: shop, kind: Deployment, name: web, container: web}
  - name: shop/tool
    registry: other.azurecr.io
    repository: tools/shop
    tags: ["1"]
    source: {git: "https://git.example.com/tool.git", ref: v2}
"""


def test_what_is_left_out_comes_from_the_top_or_the_defaults() -> None:
    web, tool = (entry.registration for entry in parse(GOOD))
    assert (web.registry, web.repository, web.tags) == ("contoso.azurecr.io", "shop/web", ("1.4", "latest"))
    assert (web.source.location, web.source.ref, web.source.path) == (
        "https://git.example.com/shop.git",
        "main",
        "apps/web",
    )
    assert web.policy.threshold.name == "HIGH"
    assert not web.policy.fixable_only
    assert str(web.deployments[0]) == "prod/shop/deployment/web[web]"
    assert (tool.registry, tool.repository, tool.source.ref, tool.source.path) == (
        "other.azurecr.io",
        "tools/shop",
        "v2",
        "",
    )
    assert [str(reference) for reference in web.references] == [
        "contoso.azurecr.io/shop/web:1.4",
        "contoso.azurecr.io/shop/web:latest",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version: 1", "version: 2", 1, "version"),
        ("    path: apps/web", "    pathh: apps/web", 7, "pathh"),
        ('["1.4", latest]', '["1.4", gs-1]', 6, "gs-1"),
        ('["1.4", latest]', "[]", 6, "tags"),
        ('["1.4", latest]', "[1.4]", 6, "not of type 'string'"),
        ("kind: Deployment", "kind: Pod", 11, "Pod"),
        ("name: shop/tool", "name: shop/web", 12, "named twice, first in line 5"),
        ("registry: contoso.azurecr.io\n", "", 4, "has no registry"),
        ('source: {git: "https://git.example.com/shop.git"}\n', "", 4, "has no source"),
        ("name: shop/web", "name: Shop/Web", 5, "does not match"),
        ("https://git.example.com/shop.git", "ext::sh -c id", 3, "does not match"),
        ("ref: v2", "ref: --upload-pack=x", 16, "does not match"),
        ("severity: HIGH", "severity: SOME", 9, "SOME"),
        ("    path: apps/web", "    path: apps/web\n    path: apps/web", 8, "given twice"),
        ("MODE: prod", "MODE: [a]", 8, "MODE"),
        ("name: shop/tool", "name: *alias", 12, "aliases"),
        ("name: shop/tool", "name: !!python/object:os.system x", 12, "not valid YAML"),
        ("name: shop/tool", "name: [", 14, "not valid YAML"),
    ],
)
def test_complaints_name_the_line(old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        parse(GOOD.replace(old, new), name="x.yaml")
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"x.yaml:{line}:"), first
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "42", "images: 3", "? [a]\n: b\n", "\x00"])
def test_what_is_no_lineage_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^lineage.yaml"):
        parse(text)


def test_a_bomb_a_pit_and_a_mountain_are_refused() -> None:
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nversion: 1\n"
    with pytest.raises(InputError, match="aliases"):
        parse(bomb)
    with pytest.raises(InputError, match="nested too deeply"):
        parse("[" * 20_000 + "]" * 20_000)
    with pytest.raises(InputError, match="larger than"):
        parse("#" * (MAX_BYTES + 1))


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse(text)


def test_the_schema_is_one_and_is_what_editors_get() -> None:
    Draft202012Validator.check_schema(schema())
    on_disk = Path(__file__).parents[3] / "groundswell/lineage/lineage.schema.json"
    assert json.loads(on_disk.read_text()) == schema()
