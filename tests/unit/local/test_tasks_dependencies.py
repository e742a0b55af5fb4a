"""What an image stands on, told from layers and history."""

import yaml

from groundswell.local.tasks.dependencies import Dependencies, Image, dependencies, summary
from groundswell.local.tasks.model import OutputImage


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def image(name: str, letter: str, layers: str, history: str, *comments: str) -> Image:
    said = [*comments, *[""] * (len(history) - len(comments))]
    return Image(
        names=tuple(name.split()),
        digest=digest(letter),
        diff_ids=tuple(layers),
        history=tuple(zip(history, said, strict=True)),
    )


def test_the_base_is_the_longest_beginning() -> None:
    root = image("r.io/root:1", "a", "1", "x")
    base = image("r.io/base:1", "b", "12", "xy")
    tool = image("r.io/tool:1", "c", "9", "z")
    built = image("r.io/app:1", "d", "123", "xyq")

    found = dependencies(built, [root, base, tool])

    assert str(found.runtime) == f"r.io/base:1@{digest('b')}"
    assert [str(one) for one in found.build] == [f"r.io/root:1@{digest('a')}", f"r.io/tool:1@{digest('c')}"]


def test_bases_with_the_same_layers_are_told_apart_by_history() -> None:
    plain, with_env = image("r.io/a:1", "a", "1", "x"), image("r.io/b:1", "b", "1", "xe")
    assert dependencies(image("r.io/app:1", "d", "12", "xeq"), [plain, with_env]).runtime.repository == "b"
    assert dependencies(image("r.io/app:1", "d", "12", "xqq"), [plain, with_env]).runtime.repository == "a"


def test_of_two_names_of_the_base_the_one_built_from_is_named() -> None:
    base = image("r.io/a:1 r.io/b:1", "a", "1", "x", "FROM r.io/a:1")
    built = Image(
        names=("r.io/app:1",), digest=digest("d"), diff_ids=("1", "2"), history=(("x", ""), ("q", "FROM r.io/b:1"))
    )
    assert dependencies(built, [base]).runtime.repository == "b"


def test_scratch_has_no_base() -> None:
    tool = image("r.io/tool:1", "c", "9", "z")
    empty = image("r.io/empty:1", "e", "", "")
    found = dependencies(image("r.io/app:1", "d", "1", "x"), [tool, empty])
    assert found.runtime is None
    assert [one.repository for one in found.build] == ["empty", "tool"]


def test_the_summary_is_yaml() -> None:
    output = OutputImage(registry="r.io", repository="app", tag="1", digest=digest("d"))
    base = dependencies(image("r.io/app:1", "d", "12", "xy"), [image("r.io/base:1", "b", "1", "x")])

    [entry] = yaml.safe_load(summary([(output, base)], commit="abc"))

    assert entry == {
        "image": {"registry": "r.io", "repository": "app", "tag": "1", "digest": digest("d")},
        "runtime-dependency": {"registry": "r.io", "repository": "base", "tag": "1", "digest": digest("b")},
        "git": {"git-head-revision": "abc"},
    }
    [entry] = yaml.safe_load(summary([(output, Dependencies(runtime=None, build=()))]))
    assert entry["git"] == {}
