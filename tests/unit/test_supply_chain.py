"""What the app is made of: locked by hash, under licences that may be carried, listed, and looked up."""

import datetime as dt
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import audit_packages, licences, sbom

ROOT = Path(__file__).resolve().parents[2]
HEAD = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)(?: ; (.+?))?(?: \\)?$")


def entries(name: str) -> dict[str, list[str]]:
    """The packages of a lock, each with the lines that belong to it."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            found[line] = []
        elif line.startswith(" "):
            found[next(reversed(found))].append(line.strip())
    return found


LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
PACKAGES = sorted(head[1] for line in entries("requirements.txt") if (head := HEAD.match(line)))


def test_there_are_the_three_locks() -> None:
    assert LOCKS == ["requirements-checkov.txt", "requirements-dev.txt", "requirements.txt"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_version_with_hashes(name: str) -> None:
    for line, rest in entries(name).items():
        assert HEAD.match(line), line
        hashes = [each for each in rest if each.startswith("--hash=")]
        assert hashes, f"{line} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}( \\)?", each) for each in hashes), line


@pytest.mark.parametrize("package", PACKAGES)
def test_the_app_carries_no_licence_that_asks_for_more(package: str) -> None:
    try:
        importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        assert package == "colorama", f"{package} is locked, but not installed"  # for Windows alone
        return
    licence = licences.expression(package)
    assert licence is not None, f"{package} does not say its licence: look, and add it to tools/licences.py"
    assert licences.may_carry(licence), f"{package} is under {licence}"


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-2.0-or-later", False),
        ("LGPL-3.0-or-later", False),
        ("AGPL-3.0-only OR GPL-3.0-only", False),
        ("(MIT OR Apache-2.0) AND ISC", True),
        ("(MIT OR GPL-3.0-only) AND ISC", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_what_may_be_carried(expression: str, may: bool) -> None:
    assert licences.may_carry(expression) is may


def test_a_licence_in_prose_is_translated_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from email.message import Message

    said = Message()
    monkeypatch.setattr(licences.importlib.metadata, "metadata", lambda _: said)
    assert licences.expression("x") is None
    said["License"] = "GNU General Public License v3"
    assert licences.expression("x") is None
    said["Classifier"] = "License :: OSI Approved :: MIT License"
    assert licences.expression("x") == "MIT"
    said["License-Expression"] = "GPL-3.0-only"
    assert licences.expression("x") == "GPL-3.0-only"


def test_the_project_says_its_own_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("MIT", ["LICENSE"])
    assert (
        (ROOT / "LICENSE")
        .read_text("utf-8")
        .startswith("MIT License\n\nCopyright (c) 2026 Groundswell contributors")
    )


def test_the_bill_of_materials_is_the_lock_and_is_made_again_to_the_byte(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "one.json", tmp_path / "other.json"
    assert sbom.main([str(one)]) == sbom.main([str(other)]) == 0
    assert one.read_bytes() == other.read_bytes()
    text = one.read_text("utf-8")
    assert str(ROOT) not in text
    assert "timestamp" not in text
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["specVersion"], bom["metadata"]["component"]["name"]) == (
        "CycloneDX",
        "1.6",
        "groundswell",
    )
    components = {component["name"]: component for component in bom["components"]}
    assert sorted(components) == PACKAGES
    assert all(
        component["purl"] == f"pkg:pypi/{name}@{component['version']}" for name, component in components.items()
    )
    assert all(component["externalReferences"][0]["hashes"] for component in components.values())
    assert [name for name, each in components.items() if "licenses" not in each] in ([], ["colorama"])
    below = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert components["aiosignal"]["purl"] in below[components["aiohttp"]["purl"]]
    direct = below[bom["metadata"]["component"]["bom-ref"]]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[>=<\[; ]", each)[0].lower().replace("_", "-") for each in wanted}
    assert {reference.removeprefix("pkg:pypi/").partition("@")[0] for reference in direct} == names


# The audit, with the answers of pip-audit.

TODAY = dt.date(2026, 11, 29)
FLAW = {"id": "PYSEC-1", "aliases": ["CVE-2026-1", "GHSA-1"], "fix_versions": ["2"]}
CLEAN = {"name": "b", "version": "1", "vulns": []}
BAD = {"name": "a", "version": "1", "vulns": [FLAW]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], packages: Any, passing: Any = None) -> tuple[int, str]:
    file = tmp_path / "allowed.json"
    file.write_text(json.dumps(passing or {}))
    answer = packages if isinstance(packages, tuple) else (1, json.dumps({"dependencies": packages}), "")
    code = audit_packages.main(["requirements.txt"], lambda _: answer, file, TODAY)
    return code, capsys.readouterr().out


def until(day: str, why: str = "not reached: we parse no such files") -> dict[str, str]:
    return {"until": day, "why": why}


@pytest.mark.parametrize(
    ("packages", "passing", "code", "said"),
    [
        ([CLEAN], {}, 0, "1 packages audited, 0 findings"),
        ([CLEAN, BAD], {}, 1, "a 1: PYSEC-1 (fixed in 2)"),
        ([CLEAN, BAD], {"CVE-2026-1": until("2026-11-29")}, 0, "PYSEC-1 (fixed in 2) is let pass"),
        ([CLEAN, BAD], {"CVE-2026-1": until("2026-11-28")}, 1, "a 1: PYSEC-1"),
        ([CLEAN, BAD], {"CVE-2026-2": until("2026-12-31")}, 1, "a 1: PYSEC-1"),
        ([BAD, SKIPPED], {}, 1, "not audited, because nothing is known of them: c"),
        ([CLEAN, SKIPPED], {}, 0, "not audited, because nothing is known of them: c"),
        ([SKIPPED], {}, 0, "not audited: none of the 1 packages is known"),
        ((1, "", "requests.exceptions.ConnectionError: Max retries exceeded"), {}, 0, "the data cannot be reached"),
        ((1, "", "Timeout: no answer in 300 s"), {}, 0, "the data cannot be reached"),
        ((2, "", "ERROR: requirements.txt: no such file"), {}, 1, "pip-audit failed with 2: ERROR"),
        ((0, "", ""), {}, 1, "pip-audit failed with 0: it said nothing"),
        ((0, "nonsense", ""), {}, 1, "a report that is none"),
        ((0, "{}", ""), {}, 1, "a report that is none"),
        ([CLEAN], {"CVE-2026-1": until("2027-12-31")}, 1, "a day within 180 days"),
        ([CLEAN], {"CVE-2026-1": until("2026-12-31", " ")}, 1, "needs a reason"),
        ([CLEAN], {"CVE-2026-1": until("soon")}, 1, "needs `until`, a day, and `why`"),
        ([CLEAN], {"CVE-2026-1": {"until": "2026-12-31"}}, 1, "needs `until`, a day, and `why`"),
        ([CLEAN], ["CVE-2026-1"], 1, "needs `until`, a day, and `why`"),
    ],
)
def test_the_audit(
    packages: Any, passing: Any, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, output = run(tmp_path, capsys, packages, passing)
    assert (found, said in output) == (code, True), output


def test_what_is_allowed_now_is_well_formed() -> None:
    audit_packages.allowed(audit_packages.ALLOWED.read_text("utf-8"), dt.datetime.now(dt.UTC).date())


def test_the_image_of_the_dev_container_is_no_moving_tag() -> None:
    text = (ROOT / ".devcontainer" / "Dockerfile").read_text("utf-8")
    (base,) = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"debian:bookworm-\d{8}(-slim)?(@sha256:[0-9a-f]{64})?", base)
