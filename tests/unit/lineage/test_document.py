"""lineage.yaml: what is read, and that every complaint names its line."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from groundswell.build.checks import source_location
from groundswell.build.port import Source
from groundswell.errors import InputError, PermanentError
from groundswell.lineage.document import MAX_BYTES, check_git, parse, schema
from groundswell.lineage.model import from_json, to_json

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


def test_how_an_image_gets_onto_a_new_base() -> None:
    text = GOOD.replace("    path: apps/web\n", "    path: apps/web\n    strategy: rebase-then-rebuild\n")
    web, tool = (entry.registration for entry in parse(text))
    assert (web.strategy, web.rebases, tool.strategy, tool.rebases) == (
        "rebase-then-rebuild",
        True,
        "rebuild",
        False,
    )
    assert from_json(to_json(web)) == web
    older = {key: value for key, value in to_json(web).items() if key != "strategy"}
    assert from_json(older).strategy == "rebuild"
    with pytest.raises(InputError, match="strategy: 'squash' is not one of"):
        parse(text.replace("rebase-then-rebuild", "squash"))


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


def test_what_must_be_approved_and_where_it_runs() -> None:
    text = GOOD.replace("container: web}", "container: web, environment: production}").replace(
        '    tags: ["1"]',
        '    tags: ["1"]\n    approval: required\n    deployments:\n'
        "      - {cluster: west, namespace: n, kind: CronJob, name: t, container: t}\n"
        "      - {cluster: east, namespace: n, kind: CronJob, name: t, container: t}",
    )
    web, tool = (entry.registration for entry in parse(text))
    assert (web.approval, web.environments) == (None, {"production"})
    assert (tool.approval, tool.environments) == ("required", {"east", "west"})  # the clusters' names
    old = to_json(web)
    del old["approval"], old["deployments"][0]["environment"]
    assert from_json(old).environments == {"prod"}  # a record of an older program


def test_rings() -> None:
    rings = '[{environment: dev, bake: 30m}, {environment: "prod-*", approval: required}]'
    web, tool = (entry.registration for entry in parse(GOOD.replace("    path: apps/web", f"    rings: {rings}")))
    assert web.rings == (
        {"environment": "dev", "bake": "30m"},
        {"environment": "prod-*", "approval": "required"},
    )
    assert tool.rings == ()
    assert from_json(to_json(web)) == web
    old = to_json(tool)
    del old["rings"]
    assert from_json(old) == tool  # a record of an older program


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("    path: apps/web", "    approval: maybe", 7, "'maybe' is not one of ['required', None]"),
        ("    path: apps/web", "    rings: [{bake: 1h}]", 7, "'environment' is a required property"),
        ("    path: apps/web", "    rings: [{environment: a b}]", 7, "must be an environment, or a glob such as"),
        ("    path: apps/web", "    rings: [{environment: a, bake: 90}]", 7, "90 is not of type 'string'"),
        ("    path: apps/web", "    rings: [{environment: a, bake: 1w}]", 7, "must be seconds, minutes, hours or"),
        (
            "    path: apps/web",
            "    rings: [{environment: a, approval: yes}]",
            7,
            "is not one of ['required', None]",
        ),
        ("    path: apps/web", "    rings: [{environment: a, after: b}]", 7, "'after' was unexpected"),
        ("container: web}", "container: web, environment: a b}", 11, "environment: 'a b' does not match"),
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
        ("https://git.example.com/shop.git", "ext::sh -c id", 3, "must be the URL of a git repository"),
        ("https://git.example.com/shop.git", "https://git.example.com/shop", 3, "https://HOST/REPOSITORY.git"),
        ("https://git.example.com/tool.git", "https://git.example.com/a/_git/b", 16, "https://HOST/REPOSITORY.git"),
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


ACCEPTED = [
    "https://git.example.com/shop.git",
    "http://localhost:8080/shop.git",
    "file:///srv/git/shop.git",
    "file:///home/ann/shop/.git",
    "https://git.example.com/@scope/shop.git",
    "https://dev.azure.com/contoso/web%20shop/_git/shop",
    "https://contoso.visualstudio.com/shop/_git/shop",
    "https://contoso.visualstudio.com/_git/shop",
]
REFUSED = [
    "https://git.example.com/shop",
    "https://git.example.com/shop.git/",
    "https://git.example.com/shop.git?x=1",
    "https://git.example.com/shop.git#main",
    "https://git.example.com/shop .git",
    "https://git.example.com/a/_git/b",
    "https://dev.azure.com.example.com/a/_git/b",
    "http://dev.azure.com/contoso/shop/_git/shop",
    "https://dev.azure.com/contoso/shop/_git/",
    "https://dev.azure.com/contoso/shop/_git/shop?version=GBmain",
    "git@github.com:contoso/shop.git",
    "ssh://git@github.com/contoso/shop.git",
    "https://ann:s3cret@git.example.com/shop.git",
    "https://s3cret@dev.azure.com/contoso/shop/_git/shop",
    "https://ann:s3cret@contoso.visualstudio.com/_git/shop",
    "https://ann:s3/cret@git.example.com/shop.git/",
]


@pytest.mark.parametrize("url", ACCEPTED)
def test_a_repository_that_acr_tasks_clones_is_accepted_here_and_by_the_build(url: str) -> None:
    check_git(url, "--git")
    entry = parse(GOOD.replace("https://git.example.com/tool.git", url))[1]
    assert source_location(entry.registration.source) == f"{url}#v2"


@pytest.mark.parametrize("url", REFUSED)
def test_what_acr_tasks_would_not_clone_is_refused_here_and_by_the_build(url: str) -> None:
    with pytest.raises(InputError, match=r"^--git: must be the URL of a git repository"):
        check_git(url, "--git")
    with pytest.raises(InputError, match=r"^lineage.yaml:16: ") as caught:
        parse(GOOD.replace("https://git.example.com/tool.git", url))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(PermanentError) as refused:
        source_location(Source(location=url, ref="main"))
    assert "s3cret" not in str(refused.value)


def test_a_password_is_not_repeated_wherever_it_stands() -> None:
    url = "https://ann:s3cret@git.example.com/shop.git"
    for old, new in (
        ('{git: "https://git.example.com/tool.git", ref: v2}', url),
        ("tools/shop", url),
        ("ref: v2", f'ref: "{url}"'),
    ):
        with pytest.raises(InputError) as caught:
            parse(GOOD.replace(old, new))
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "42", "images: 3", "? [a]\n: b\n", "\x00"])
def test_what_is_no_lineage_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^lineage.yaml"):
        parse(text)


def test_a_bomb_a_pit_and_a_mountain_are_refused() -> None:
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nversion: 1\n"
    with pytest.raises(InputError, match="aliases"):
        parse(bomb)
    with pytest.raises(InputError, match=r":1: nested more than 100 deep"):
        parse("[" * 20_000 + "]" * 20_000)
    with pytest.raises(InputError, match="larger than"):
        parse("#" * (MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tools/shop", "/" * 200_000),
        ("tools/shop", "//ann@" * 40_000),
        ("https://git.example.com/tool.git", "https://a.visualstudio.com/" + "_git/" * 40_000),
        ("https://git.example.com/tool.git", "https://a/" + ".git" * 50_000 + "/"),
    ],
    ids=["slashes", "users", "folders of Azure Repos", "suffixes"],
)
def test_a_complaint_about_a_long_text_is_made_soon_and_is_short(old: str, new: str) -> None:
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        parse(GOOD.replace(old, new))
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 500


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse(text)


def test_the_schema_is_one_and_is_what_editors_get() -> None:
    Draft202012Validator.check_schema(schema())
    on_disk = Path(__file__).parents[3] / "groundswell/lineage/lineage.schema.json"
    assert json.loads(on_disk.read_text()) == schema()
