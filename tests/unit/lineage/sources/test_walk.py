"""What is walked: as git sees the tree, without going around in circles."""

import os
from pathlib import Path
from typing import Any

import pytest

from groundswell.lineage.sources.files import Tree
from groundswell.lineage.sources.walk import Trouble, walk
from tests.unit.lineage.sources.conftest import Files


def walked(folder: Path, *, skip_vendored: bool = False) -> tuple[list[str], dict[str, str]]:
    """Names relative to the folder: files, and problems."""
    met = list(walk(Tree.of(folder), lambda name: name.startswith("D"), skip_vendored=skip_vendored))
    files = sorted(each.relative_to(folder).as_posix() for each in met if isinstance(each, Path))
    troubles = {os.path.relpath(each.path, folder): each.problem for each in met if isinstance(each, Trouble)}
    return files, troubles


def test_gitignore_files_apply_below_their_folder_and_the_inner_one_decides(files: Files) -> None:
    files.write(".gitignore", "out/\n/top/*\n!/top/keep/\n*.skip\n# a comment\n\n!\n")
    files.write("a/.gitignore", "!Dx.skip\nD2\n")
    for name in (
        "D1 out/D1 a/out/D1 top/x/D1 top/keep/D1 D.skip a/Dx.skip a/D.skip a/D2 b/D2 "
        ".git/D1 a/.git/D1 x/deep/er/D1 other"
    ).split():
        files.write(name, "")
    assert walked(files.root) == (["D1", "a/Dx.skip", "b/D2", "top/keep/D1", "x/deep/er/D1"], {})


def test_what_a_work_tree_ignores_above_the_folder_counts(files: Files) -> None:
    files.write(".git/info/exclude", "D3\n")
    files.write(".gitignore", "D2\nbuild/\n")
    for name in "sub/D1 sub/D2 sub/D3 build/D1 build/build/D1".split():
        files.write(name, "")
    assert walked(files.root / "sub") == (["D1"], {})
    assert walked(files.root / "build") == (["D1", "build/D1"], {})  # named, so walked


def test_folders_of_others_are_skipped_when_asked(files: Files) -> None:
    for name in "D1 vendor/D1 a/node_modules/x/D1 .venv/lib/site-packages/D1 Third_Party/D1 vendored/D1".split():
        files.write(name, "")
    assert walked(files.root, skip_vendored=True) == (["D1", "vendored/D1"], {})
    assert len(walked(files.root)[0]) == 6


def test_links(files: Files, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "D9").write_text("")
    files.write("a/b/D1", "")
    for link, goal in {
        "a/b/up": "..",
        "a/b/root": files.root,
        "a/here": ".",
        "again": "a/b",
        "circle": "circle",
        "out": outside,
        "D-link": "a/b/D1",
        "D-nowhere": "missing",
        "nowhere": "missing",
    }.items():
        (files.root / link).symlink_to(goal)
    loop = "a symbolic link to a folder above it: a loop, not followed"
    assert walked(files.root) == (
        ["D-link", "a/b/D1"],
        {
            "a/b/up": loop,
            "a/b/root": loop,
            "a/here": loop,
            "circle": "a symbolic link that leads nowhere: Too many levels of symbolic links",
            "D-nowhere": "a symbolic link that leads nowhere: No such file or directory",
            "out": f"a symbolic link out of the tree, to {outside}: not followed",
        },
    )


def test_a_folder_that_cannot_be_read_leaves_the_others(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("a/D1", "")
    files.write("b/D1", "")
    real = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert walked(files.root) == (["b/D1"], {"a": "the folder cannot be read: Permission denied"})


def test_a_gitignore_that_is_no_text_is_told(files: Files) -> None:
    files.write(".git/HEAD", "")
    files.write("a/.gitignore", b"\xff\n")
    files.write("a/D1", "")
    files.write("a/c/D1", "")
    assert walked(files.root) == (["a/D1", "a/c/D1"], {"a/.gitignore": "not UTF-8 text (byte 0)"})
    found, troubles = walked(files.root / "a" / "c")
    assert found == ["D1"]
    assert troubles == {"../..": "what git ignores cannot be read: not UTF-8 text (byte 0)"}
