"""Images in files: read, written, and every other character left as it is."""

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundswell.deploy.git import images, scalars
from groundswell.deploy.port import GitFile
from groundswell.errors import InputError

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1e5" + "7" * 61
WEB = "contoso.azurecr.io/web"


def at(field: str = "", *, image: str = WEB, path: str = "f.yaml") -> GitFile:
    return GitFile(repository="https://h/o/r", branch="main", path=path, image=image, field=field)


KUSTOMIZATION = f"""\
# who runs what
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml]   # one
images:
  - name: other
    newTag: "1.2"
  # moved by groundswell
  - name: web          # as the base calls it
    newName: {WEB}
    digest: {OLD}  # by digest
namePrefix: prod-
"""

VALUES = f"""\
replicas: 2
image:
    repository: {WEB}    # no tag here
    digest: "{OLD}"      # quoted
    pullSecrets: []
sidecars:
- {{name: proxy, image: "{WEB}:1.2"}}
- {{name: log, image: '{WEB}@{OLD}'}}
"""

MANIFESTS = f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
---
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - image: {WEB}:1.2@{OLD} # pinned
        name: web
      - name: proxy
        image: proxy:1
...
---
kind: Deployment
metadata: {{name: worker}}
spec: {{template: {{spec: {{containers: [{{name: web, image: "{WEB}@{OLD}"}}]}}}}}}
"""
CONTAINER = "spec.template.spec.containers[web].image"


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as a diff has them."""
    return [line for line in difflib.ndiff(before.split("\n"), after.split("\n")) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("text", "git", "was", "image", "diff"),
    [
        (
            KUSTOMIZATION,
            at(image="web"),
            f"{WEB}@{OLD}",
            f"{WEB}@{NEW}",
            [f"-     digest: {OLD}  # by digest", f"+     digest: {NEW}  # by digest"],
        ),
        (
            KUSTOMIZATION,
            at(image="web"),
            f"{WEB}@{OLD}",
            f"elsewhere.io/web@{OLD}",
            [f"-     newName: {WEB}", "+     newName: elsewhere.io/web"],
        ),
        (
            KUSTOMIZATION,
            at(image="web"),
            f"{WEB}@{OLD}",
            f"{WEB}:2",
            [f"-     digest: {OLD}  # by digest", '+     newTag: "2"  # by digest'],
        ),
        (
            KUSTOMIZATION,
            at(image="other"),
            "other:1.2",
            f"other@{NEW}",
            ['-     newTag: "1.2"', f'+     digest: "{NEW}"'],
        ),
        (
            "images: [{name: web, newTag: v1}]",
            at(image="web"),
            "web:v1",
            f"{WEB}@{NEW}",
            [
                "- images: [{name: web, newTag: v1}]",
                f"+ images: [{{name: web, digest: {NEW}, newName: {WEB}}}]",
            ],
        ),
        (
            VALUES,
            at("image.digest"),
            f"{WEB}@{OLD}",
            f"{WEB}@{NEW}",
            [f'-     digest: "{OLD}"      # quoted', f'+     digest: "{NEW}"      # quoted'],
        ),
        (
            VALUES,
            at("sidecars[proxy].image"),
            f"{WEB}:1.2",
            f"{WEB}@{NEW}",
            [f'- - {{name: proxy, image: "{WEB}:1.2"}}', f'+ - {{name: proxy, image: "{WEB}@{NEW}"}}'],
        ),
        (
            VALUES,
            at("sidecars[1].image"),
            f"{WEB}@{OLD}",
            f"{WEB}@{NEW}",
            [f"- - {{name: log, image: '{WEB}@{OLD}'}}", f"+ - {{name: log, image: '{WEB}@{NEW}'}}"],
        ),
        (
            "image:\n  repository: r\n  tag: '3'   # x\n  pull: []\n",
            at("image.digest"),
            "r:3",
            f"r@{NEW}",
            [f"+   digest: {NEW}"],
        ),
        (
            "image: {registry: h.io, repository: web, tag: v3, digest: }\n",
            at("image.digest"),
            "h.io/web:v3",
            f"h.io/web@{NEW}",
            [
                "- image: {registry: h.io, repository: web, tag: v3, digest: }",
                f"+ image: {{registry: h.io, repository: web, tag: v3, digest: {NEW} }}",
            ],
        ),
        (
            f"image: {{repository: web, tag: v3, digest: {OLD}}}",
            at("image.digest"),
            f"web@{OLD}",
            f"web@{NEW}",
            [
                f"- image: {{repository: web, tag: v3, digest: {OLD}}}",
                f"+ image: {{repository: web, tag: v3, digest: {NEW}}}",
            ],
        ),
        (
            "digest:   # soon\ntag: v3",
            at("digest"),
            f"{WEB}:v3",
            f"{WEB}@{NEW}",
            ["- digest:   # soon", f"+ digest: {NEW}   # soon"],
        ),
        ("tag: v3", at("digest"), f"{WEB}:v3", f"{WEB}@{NEW}", [f"+ digest: {NEW}"]),
        ("tag: v3\r\nx: {}\r\n", at("digest"), f"{WEB}:v3", f"{WEB}@{NEW}", [f"+ digest: {NEW}\r"]),
        (
            MANIFESTS,
            at(f"Deployment/web:{CONTAINER}"),
            f"{WEB}:1.2@{OLD}",
            f"{WEB}@{NEW}",
            [f"-       - image: {WEB}:1.2@{OLD} # pinned", f"+       - image: {WEB}@{NEW} # pinned"],
        ),
        (
            MANIFESTS,
            at("spec.template.spec.containers[proxy].image"),
            "proxy:1",
            f"proxy@{NEW}",
            ["-         image: proxy:1", f"+         image: proxy@{NEW}"],
        ),
    ],
)
def test_one_value_is_changed(text: str, git: GitFile, was: str, image: str, diff: list[str]) -> None:
    assert images.read(text, git) == was
    new = images.write(text, git, image)
    assert images.read(new, git) == image
    assert changed(text, new) == diff
    assert images.write(new, git, image) == new
    assert images.read(images.write(new, git, was), git) == was  # the way back


def test_what_it_says_already_is_left() -> None:
    assert images.write(KUSTOMIZATION, at(image="web"), f"{WEB}@{OLD}") is KUSTOMIZATION


@pytest.mark.parametrize(
    ("text", "git", "told"),
    [
        ("a: [", at("a"), "f.yaml:1: not valid YAML"),
        ("a: \x01", at("a"), "f.yaml: not valid YAML"),
        ("[" * 100_000, at("a"), "f.yaml:1: nested more than 100 deep"),
        ("x" * (scalars.MAX_CHARACTERS + 1), at("a"), "more than 524288 characters"),
        ("a: 1\nb: &anchor x:1\n", at("b"), "f.yaml:2: has the anchor or alias 'anchor'"),
        ("b: *anchor\n", at("b"), "f.yaml:1: has the anchor or alias 'anchor'"),
        ("a: x:1\na: x:2\n", at("a"), "f.yaml:2: 'a' is given twice"),
        ("a: |\n  x:1\n", at("a"), "f.yaml:1: 'a' has a value of several lines"),
        ("a: x:1\n  and more\n", at("a"), "'a' has a value of several lines"),
        ("a: {}\n", at("a"), "f.yaml:1: 'a' is no single value"),
        ("a: nothing\n", at("a"), "f.yaml:1: 'nothing' is no image with a tag or a digest"),
        ("a: ' x:1'\n", at("a"), "' x:1' is no image"),
        ("a:\n", at("a"), "'' is no image"),
        ("- a\n", at("a"), "nothing has the field a"),
        ("", at("a"), "nothing has the field a"),
        ("a: x:1\n---\na: x:1\n", at("a"), "2 documents have the field a"),
        ("a: [{b: x:1}]\n", at("a[1].b"), "nothing has the field"),
        ("a: {b: x:1}\n", at("a[0].b"), "nothing has the field"),
        ("a: [x:1]\n", at("a[0]"), "nothing has the field"),
        ("a: x:1\n", at("a.b"), "nothing has the field"),
        ("a: x:1\n", at("a.b.c"), "nothing has the field"),
        ("a: [{name: n, b: x:1}]\n", at("a[m].b"), "nothing has the field"),
        ("a: [{name: n, b: x:1}, {name: n}]\n", at("a[n].b"), "f.yaml:1: a second item is named n"),
        ("a: {}\n", at("a.digest"), "nothing has the field a.digest"),
        ("a: {x: 1}\n", at("a.digest"), "f.yaml:1: has neither digest nor tag"),
        ("kind: Deployment\na: x:1\n", at("Deployment/web:a"), "nothing has the field"),
        ("kind: Deployment\nmetadata: {name: api}\na: x:1\n", at("Deployment/web:a"), "nothing has the field"),
        ("a: x:1", at("a b"), "'a b' is no way to a value"),
        ("a: x:1", at("a[]"), "is no way to a value"),
        ("images: []\n", at(), "no entry with `name: contoso.azurecr.io/web`"),
        ("images: 1\n", at(), "no entry"),
        ("images: [{name: web, newTag: '1'}, {name: web}]\n", at(image="web"), "more than one entry"),
        ("images: [1, {name: web}]\n", at(image="web"), "f.yaml:1: has neither digest nor newTag"),
        ("images: []\n---\nimages: []\n", at(), "holds 2 documents; a kustomization is one"),
        ("", at(), "holds 0 documents"),
    ],
)
def test_what_is_not_understood_is_said(text: str, git: GitFile, told: str) -> None:
    with pytest.raises(InputError) as caught:
        images.read(text, git)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "git", "image", "told"),
    [
        (f"a: {WEB}:1", at("a"), f"{WEB}@{NEW}\nb: 1", "is no reference to an image"),
        (f"a: !secret {WEB}:1", at("a"), f"{WEB}@{NEW}", "f.yaml:1: the value has a YAML tag"),
        (f"repository: other\ndigest: {OLD}\n", at("digest"), f"{WEB}@{NEW}", f"it would say other@{NEW}"),
        (f"repository: {WEB}\ndigest: {OLD}\n", at("digest"), f"{WEB}:1", "has neither digest nor tag"),
        (
            "images: [{name: web, newTag: '1', digest: sha256:1}]",
            at(image="web"),
            "web:1",
            "would say web@sha256:1",
        ),
        ("image: {a: {}, tag: |\n    v1\n}", at("image.digest"), f"{WEB}@{NEW}", "not valid YAML"),
    ],
)
def test_what_cannot_be_said_is_refused(text: str, git: GitFile, image: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        images.write(text, git, image)
    assert told in str(caught.value)


def test_a_mapping_without_single_values_takes_no_new_one() -> None:
    (node,) = scalars.documents("a: {}\n", "f.yaml")
    with pytest.raises(InputError, match="digest cannot be put in here"):
        scalars.insert("a: {}\n", node, "digest", NEW, "f.yaml")


_COMMENTS = st.sampled_from(["", " # é", "   #x: y", " # 'q"])
_QUOTES = st.sampled_from(["", "'", '"'])
_TAGS = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}\Z")
_KEYS = st.from_regex(r"\A[a-z]{1,8}\Z").filter(lambda key: isinstance(yaml.safe_load(key), str))


@given(
    others=st.dictionaries(_KEYS.filter(lambda key: key != "target"), st.text(max_size=20), max_size=4),
    comment=_COMMENTS,
    quote=_QUOTES,
    tag=_TAGS,
    hexes=st.text("0123456789abcdef", min_size=64, max_size=64),
    indent=st.integers(1, 6),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_only_the_value_moves_and_back_again(
    others: dict[str, str], comment: str, quote: str, tag: str, hexes: str, indent: int, newline: str
) -> None:
    before = yaml.safe_dump({"others": others}, allow_unicode=True) if others else ""
    lines = [*before.split("\n"), "a:", f"{' ' * indent}target: {quote}{WEB}:{tag}{quote}{comment}", "z: 1", ""]
    text = newline.join(lines)
    git = at("a.target")
    new = images.write(text, git, f"{WEB}@sha256:{hexes}")
    assert yaml.safe_load(new) == {**yaml.safe_load(text), "a": {"target": f"{WEB}@sha256:{hexes}"}}
    assert new.replace(f"{WEB}@sha256:{hexes}", f"{WEB}:{tag}") == text
    assert images.write(new, git, f"{WEB}:{tag}") == text


@given(st.text(max_size=200), st.sampled_from(["", "a", "a[0].b", "Deployment/web:a.digest"]))
def test_no_text_does_worse_than_a_complaint(text: str, field: str) -> None:
    try:
        images.write(text, at(field), f"{WEB}@{NEW}")
    except InputError as exc:
        assert str(exc)
