"""What is different between a rebuild and the last good one of its image: inputs, packages, findings, logs. Pure.

Each part says whether it could be compared; what could not says why, and nothing is guessed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from itertools import zip_longest
from typing import Any

TAIL = 200
"""Lines of a log that are shown, and that are compared: the cause of a failure is at its end."""
_LONGEST = 500

_TIME = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
    r"|(?<=^#)(?:\d+ )?\d+\.\d+(?= )"  # BuildKit: seconds since the step began
    r"|(?<![\w.:-])(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b"
)
SETTINGS = (
    "registry",
    "repository",
    "dockerfile",
    "target",
    "platforms",
    "runtime",
    "build",
    "frontend",
    "builder",
    "agent_pool",
    "strategy",
)
"""Of a registration: what a build is told, beside its source and its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is known of one of the two: of the good one also what the book of good builds says.

    `spec` is the registration that it was built by, empty where only a summary is left. `packages` are versions by
    name, None where no bill of materials is there; `findings` are (id, package) pairs, None without a scan. What is
    None or empty is told by `missing`: why, by the part's name.
    """

    spec: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    packages: Mapping[str, tuple[str, ...]] | None = None
    findings: frozenset[tuple[str, str]] | None = None
    log: str | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


def compared(failed: Side, good: Side) -> dict[str, Any]:
    """The difference, part by part; `known` says whether both sides are, and `why` what is not."""
    return {
        "source": _source(failed, good),
        "settings": _settings(failed, good),
        "build_args": _arguments(failed, good),
        "bases": _bases(failed, good),
        "packages": _packages(failed, good),
        "findings": _findings(failed, good),
        "log": _logs(failed, good),
    }


def _part(part: str, failed: Side, good: Side, *, known: bool, **told: Any) -> dict[str, Any]:
    sides = (("this one", failed), ("the good one", good))
    why = (
        "" if known else "; ".join(f"{name}: {side.missing[part]}" for name, side in sides if part in side.missing)
    )
    return {"known": known, "why": why, **told}


def _source(failed: Side, good: Side) -> dict[str, Any]:
    now, then = failed.inputs.get("revision"), good.inputs.get("revision")
    places = [dict(side.spec["source"]) if side.spec else None for side in (failed, good)]
    return _part(
        "source",
        failed,
        good,
        known=bool(now and then),
        revision=now or None,
        good_revision=then or None,
        changed=now != then if now and then else None,
        place=places[0],
        good_place=places[1],
    )


def _settings(failed: Side, good: Side) -> dict[str, Any]:
    known = bool(failed.spec and good.spec)
    changed = [
        {"setting": name, "now": _plain(failed.spec.get(name)), "good": _plain(good.spec.get(name))}
        for name in (SETTINGS if known else ())
        if _plain(failed.spec.get(name)) != _plain(good.spec.get(name))
    ]
    return _part("settings", failed, good, known=known, changed=changed)


def _arguments(failed: Side, good: Side) -> dict[str, Any]:
    known = bool(failed.spec and good.spec)
    now, then = (dict(side.spec.get("build_args", {})) for side in (failed, good))
    changed = [
        {"argument": name, "now": now.get(name), "good": then.get(name)}
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]
    return _part("settings", failed, good, known=known, changed=changed if known else [])


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _bases(failed: Side, good: Side) -> dict[str, Any]:
    now, then = failed.inputs.get("bases"), good.inputs.get("bases")
    platforms = failed.spec.get("platforms", good.spec.get("platforms", ()))
    listed = [
        {"base": base, **each}
        for base in sorted({*(now or ()), *(then or ())})
        for each in _digests((now or {}).get(base), (then or {}).get(base), platforms)
    ]
    return _part("bases", failed, good, known=now is not None and then is not None, bases=listed)


def _digests(now: str | None, then: str | None, platforms: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The manifests that were used of a base: by platform where there is one for each, else as they come."""
    new, old = (digests.split(",") if digests else [] for digests in (now, then))
    by_platform = {len(new), len(old)} <= {0, len(platforms)}
    for number, (at, was) in enumerate(zip_longest(new, old)):
        yield {
            "platform": platforms[number] if by_platform else "",
            "now": at,
            "good": was,
            "changed": at != was if now and then else None,
        }


def _packages(failed: Side, good: Side) -> dict[str, Any]:
    known = failed.packages is not None and good.packages is not None
    now, then = (failed.packages or {}, good.packages or {}) if known else ({}, {})
    return _part(
        "packages",
        failed,
        good,
        known=known,
        new=[{"package": name, "versions": list(now[name])} for name in sorted(now.keys() - then.keys())],
        gone=[{"package": name, "versions": list(then[name])} for name in sorted(then.keys() - now.keys())],
        changed=[
            {"package": name, "now": list(now[name]), "good": list(then[name])}
            for name in sorted(now.keys() & then.keys())
            if now[name] != then[name]
        ],
    )


def _findings(failed: Side, good: Side) -> dict[str, Any]:
    known = failed.findings is not None and good.findings is not None
    now, then = (failed.findings or frozenset(), good.findings or frozenset()) if known else ((), ())
    return _part(
        "findings",
        failed,
        good,
        known=known,
        new=[{"id": id_, "package": package} for id_, package in sorted(set(now) - set(then))],
        gone=[{"id": id_, "package": package} for id_, package in sorted(set(then) - set(now))],
    )


def _logs(failed: Side, good: Side) -> dict[str, Any]:
    tail = _tail(failed.log or "")
    known = failed.log is not None and good.log is not None
    then = [timeless(line) for line in _tail(good.log or "")]
    now = [timeless(line) for line in tail]
    difference = unified_diff(then, now, "good", "this one", n=3, lineterm="") if known else ()
    return _part(
        "log", failed, good, known=known, tail=tail if failed.log is not None else None, diff=list(difference)
    )


def _tail(text: str) -> list[str]:
    return [line if len(line) <= _LONGEST else line[:_LONGEST] + "…" for line in text.splitlines()[-TAIL:]]


def timeless(line: str) -> str:
    """A line of a log without times and durations: two runs have not one of them in common."""
    return _TIME.sub("…", line)


def versions(components: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The packages of a CycloneDX document, by name; several versions of one may be there."""
    found: dict[str, set[str]] = {}
    for each in components:
        if each.get("type") == "library":
            found.setdefault(str(each["name"]), set()).add(str(each.get("version", "")))
    return {name: tuple(sorted(some)) for name, some in found.items()}
