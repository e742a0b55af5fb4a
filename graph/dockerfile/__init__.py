"""Temporary seed; the full semantics replace it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graph.reference import InvalidReferenceError, Reference


class DockerfileError(ValueError):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    raw: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    runtime: str | None
    build: tuple[str, ...] = ()
    unneeded: tuple[str, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()


def resolve(
    text: str,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    platform: str = "linux/amd64",
) -> Resolution:
    del platform
    args: dict[str, str] = {}
    stages: list[tuple[str, str | None, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        word = words[0].upper()
        if word == "ARG" and not stages:
            name, _, default = words[1].partition("=")
            args[name] = (build_args or {}).get(name, default)
        elif word == "FROM":
            rest = [w for w in words[1:] if not w.startswith("--")]
            if not rest:
                raise DockerfileError(number, "FROM requires either one or three arguments")
            base = re.sub(r"\$\{?(\w+)\}?", lambda m: args.get(m[1], ""), rest[0])
            stages.append((base, rest[2] if len(rest) == 3 else None, []))
        elif word in ("COPY", "ADD"):
            for w in words[1:]:
                if w.startswith("--from="):
                    stages[-1][2].append(w[7:])
    names = {name: i for i, (_, name, _) in enumerate(stages) if name}
    last = names.get(target, len(stages) - 1) if target else len(stages) - 1
    build: set[str] = set()
    runtime: str | None = None

    def ref(x: str) -> str:
        try:
            return str(Reference.parse(x))
        except InvalidReferenceError as exc:
            raise DockerfileError(1, str(exc)) from exc

    seen: set[int] = set()

    def walk(i: int, main: bool) -> None:
        nonlocal runtime
        base, _, froms = stages[i]
        seen.add(i)
        if base in names and names[base] < i:
            walk(names[base], main)
        elif base != "scratch":
            if main:
                runtime = ref(base)
            else:
                build.add(ref(base))
        for f in froms:
            if f in names:
                walk(names[f], False)
            elif f.isdigit():
                walk(int(f), False)
            else:
                build.add(ref(f))

    walk(last, True)
    return Resolution(runtime=runtime, build=tuple(sorted(build - {runtime})))
