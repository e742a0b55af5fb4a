"""Scripts and styles: ours and htmx's as it is locked, under names that may be kept for ever."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from groundswell.local.paths import ROOT
from tests.support.pages import Browser

STATIC = ROOT / "groundswell/dashboard/static"


def test_htmx_is_the_locked_one() -> None:
    committed = (STATIC / "vendor/htmx.min.js").read_bytes()
    assert committed == (ROOT / "node_modules/htmx.org/dist/htmx.min.js").read_bytes()
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"]["htmx.org"]
    assert f'version:"{version}"'.encode() in committed


def test_the_tool_finds_a_copy_that_is_not_the_locked_one(tmp_path: Path) -> None:
    tool = [sys.executable, "tools/vendor-assets", "--check", "--into"]
    assert subprocess.run([*tool, str(STATIC / "vendor")], cwd=ROOT, check=False).returncode == 0
    (tmp_path / "htmx.min.js").write_text("other")
    found = subprocess.run([*tool, str(tmp_path)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (found.returncode, "run tools/vendor-assets" in found.stderr) == (1, True)


def test_what_a_page_names_is_served_to_anybody_and_kept_for_ever(browser: Browser) -> None:
    named = re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', browser.get("/ui/sign-in").text)
    kinds = {}
    for address in named:
        answer = browser.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        kinds[address.rpartition(".")[2]] = answer.headers["content-type"]
    assert kinds == {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }


@pytest.mark.parametrize("name", ["app.css", "app.000000000000.css", "..%2fapp.py", "vendor%2fhtmx.min.js"])
def test_no_other_file_is_served(browser: Browser, name: str) -> None:
    assert browser.get(f"/ui/static/{name}").status_code == 404
