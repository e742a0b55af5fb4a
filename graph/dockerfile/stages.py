"""Which images a build needs: stages, what they stand on, what they take from each other.

After BuildKit's frontend/dockerfile/dockerfile2llb (convert.go, convert_runmount.go), dockerui (namedcontext.go).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graph.dockerfile import platform as platforms
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import ExpansionError, expand
from graph.dockerfile.instructions import Dockerfile, Mount, Stage, Use, check_mount, parse, parse_trigger
from graph.reference import InvalidReferenceError, Reference

_SCRATCH = "scratch"
_IMAGE_CONTEXT = "docker-image://"
_NO_CONTEXTS = ("scratch", "context")
_INDEX = re.compile(r"[+-]?[0-9]+", re.ASCII)
_MAX_INDEX = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """Something that a build would need and that cannot be named here."""

    raw: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The images of a build, canonical.

    `runtime` ends the target's FROM chain (None for scratch and local contexts); `build` are the others that the
    target needs; `unneeded` are named only where it does not need them; `frontend` is the `# syntax=` image.
    """

    runtime: str | None
    build: tuple[str, ...]
    unneeded: tuple[str, ...]
    unresolved: tuple[Unresolved, ...]
    frontend: str | None


@dataclass(eq=False, slots=True, kw_only=True)
class _State:
    """A stage, or an image that an instruction names, which is a stage without instructions."""

    base_name: str
    shown: str
    line: int
    name: str = ""
    base: "_State | None" = None
    context: str | None = None
    uses: list[Use] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    needs: list["_State"] = field(default_factory=list)
    later: list[tuple[Use, "_State"]] = field(default_factory=list)


def resolve(
    text: str,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    platform: str = "linux/amd64",
    build_platform: str = "linux/amd64",
    contexts: Mapping[str, str] | None = None,
    onbuild: Mapping[str, Sequence[str]] | None = None,
) -> Resolution:
    """The images that building `target` (the last stage when None) needs, as BuildKit resolves them.

    `contexts` maps names to `docker-image://REFERENCE` or a local path, `onbuild` canonical references to the
    triggers they carry. Raises DockerfileError for what BuildKit would refuse.
    """
    dockerfile = parse(text)
    try:
        values = _platform_values(platform, build_platform, target or dockerfile.stages[-1].name or "default")
    except platforms.PlatformError as exc:
        raise DockerfileError(f"failed to parse platform: {exc}") from exc
    values |= {name: (build_args or {})[name] for name in values if name in (build_args or {})}
    _add_arguments(values, dockerfile, build_args or {})
    resolver = _Resolver(_named(contexts or {}), {key: list(found) for key, found in (onbuild or {}).items()})
    return resolver.resolve(dockerfile, values, target, platform)


def _platform_values(platform: str, build_platform: str, stage: str) -> dict[str, str]:
    values = {"TARGETSTAGE": stage}
    for prefix, text in (("BUILD", build_platform), ("TARGET", platform)):
        parsed = platforms.parse(text)
        values |= {
            f"{prefix}PLATFORM": str(parsed),
            f"{prefix}OS": parsed.os,
            f"{prefix}OSVERSION": parsed.os_version,
            f"{prefix}ARCH": parsed.architecture,
            f"{prefix}VARIANT": parsed.variant,
        }
    return values


def _add_arguments(values: dict[str, str], dockerfile: Dockerfile, build_args: Mapping[str, str]) -> None:
    for argument in dockerfile.arguments:
        value = build_args.get(argument.name)
        if value is None and argument.value is not None:
            value = _expand(argument.value, values, dockerfile.escape, argument.line)
        if value is not None:
            values[argument.name] = value


def _expand(word: str, values: Mapping[str, str], escape: str, line: int) -> str:
    try:
        return expand(word, values, escape=escape)
    except ExpansionError as exc:
        raise DockerfileError(f"failed to process {word[:100]!r}: {exc}", line=line) from exc


def _named(contexts: Mapping[str, str]) -> dict[str, str]:
    return {_context_name(name): value for name, value in contexts.items() if name.lower() not in _NO_CONTEXTS}


def _context_name(name: str) -> str:
    """Names of contexts are compared as familiar references without `:latest`."""
    try:
        return Reference.parse(name).familiar.removesuffix(":latest")
    except InvalidReferenceError:
        return name


class _Resolver:
    def __init__(self, contexts: Mapping[str, str], onbuild: Mapping[str, Sequence[str]]) -> None:
        self._contexts = contexts
        self._onbuild = onbuild
        self._states: list[_State] = []
        self._stages: list[_State] = []
        self._by_name: dict[str, _State] = {}
        self._triggered: set[int] = set()

    def resolve(
        self, dockerfile: Dockerfile, values: Mapping[str, str], target: str | None, platform: str
    ) -> Resolution:
        for index, stage in enumerate(dockerfile.stages):
            self._add_stage(stage, index, values, dockerfile.escape, platform)
        end = self._target(target)
        for state in list(self._stages):
            self._link(state)
        self._refuse_circles()
        needed = self._reach(end)
        self._refuse_later(needed)
        images = {id(state): image for state in self._states if (image := self._image(state)) is not None}
        for state in needed:
            for mount in state.mounts:
                check_mount(mount)
        root = _root(end)
        runtime = images.get(id(root))
        roots = [state for state in needed if state.base is None and state is not root]
        build = {images[id(state)] for state in roots if id(state) in images}
        used = build | ({runtime} if runtime else set())
        return Resolution(
            runtime=runtime,
            build=tuple(sorted(build)),
            unneeded=tuple(sorted(set(images.values()) - used)),
            unresolved=tuple(self._unresolved(needed)),
            frontend=_frontend(dockerfile.syntax),
        )

    def _add_stage(self, stage: Stage, index: int, values: Mapping[str, str], escape: str, platform: str) -> None:
        name = _expand(stage.base, values, escape, stage.line)
        if not name:
            raise DockerfileError(
                f"base name ({stage.base}) should not be blank", line=stage.line, column=stage.column
            )
        if stage.platform:
            _check_platform(stage, values, escape, platform)
        state = _State(
            base_name=name,
            shown=stage.name or f"stage-{index}",
            line=stage.line,
            name=stage.name,
            uses=stage.uses,
            mounts=stage.mounts,
            triggers=stage.triggers,
        )
        if stage.name:
            state.context = self._contexts.get(_context_name(stage.name))
        if state.context is not None:
            state.uses, state.mounts, state.triggers = [], [], []
        else:
            state.base = self._by_name.get(name)
        self._states.append(state)
        self._stages.append(state)
        if stage.name:
            self._by_name[stage.name] = state

    def _target(self, target: str | None) -> _State:
        if not target:
            return self._stages[-1]
        found = self._by_name.get(target.lower())
        if found is None:
            raise DockerfileError(f'target stage "{target}" could not be found')
        return found

    def _link(self, state: _State) -> None:
        for use in state.uses:
            self._use(state, use)

    def _use(self, state: _State, use: Use) -> None:
        source = self._source(use)
        state.needs.append(source)
        if use.checked:
            state.later.append((use, source))

    def _source(self, use: Use) -> _State:
        if use.index:
            if len(use.source) <= 20 and _INDEX.fullmatch(use.source) and abs(int(use.source)) < _MAX_INDEX:
                number = int(use.source)
                # Images that earlier instructions name are counted after the stages, as they are in BuildKit.
                if not 0 <= number < len(self._states):
                    raise DockerfileError(f"invalid stage index {number}", line=use.line)
                return self._states[number]
            if "$" in use.source:
                raise DockerfileError(
                    "variable expansion is not supported for --from, define a new stage with FROM using ARG from "
                    "global scope as a workaround",
                    line=use.line,
                )
        found = self._by_name.get(use.source.lower())
        if found is None:
            found = _State(base_name=use.source, shown="", line=use.line)
            self._states.append(found)
        return found

    def _refuse_circles(self) -> None:
        """A stage that takes from itself, by whatever way of COPY and mounts."""
        done: set[int] = set()
        for begin in list(self._states):
            if id(begin) in done:
                continue
            done.add(id(begin))
            path, stack = {id(begin)}, [(begin, iter(begin.needs))]
            while stack:
                state, rest = stack[-1]
                need = next(rest, None)
                if need is None:
                    stack.pop()
                    path.discard(id(state))
                elif id(need) in path:
                    raise DockerfileError(f"circular dependency detected on stage: {begin.shown}", line=begin.line)
                elif id(need) not in done:
                    done.add(id(need))
                    path.add(id(need))
                    stack.append((need, iter(need.needs)))

    def _refuse_later(self, needed: Sequence[_State]) -> None:
        """A needed stage that takes from one which is built after it."""
        wanted = {id(state) for state in needed}
        built = {id(state) for state in self._states if not state.shown or state.context is not None}
        for state in self._stages:
            if id(state) not in wanted or id(state) in built:
                continue
            built.add(id(state))
            for use, source in state.later:
                if id(source) in built:
                    continue
                reason = f'cannot mount from stage "{use.source}", stage needs to be defined before current command'
                if use.index:
                    before = f'it needs to be defined before current stage "{state.shown}"'
                    reason = f'cannot copy from stage "{use.source}", {before}'
                raise DockerfileError(reason, line=use.line)

    def _reach(self, end: _State) -> list[_State]:
        """Every state that the target needs; the triggers of bases are taken in on the way."""
        seen: dict[int, _State] = {}
        stack = [end]
        while stack:
            state = stack.pop()
            if id(state) in seen:
                continue
            seen[id(state)] = state
            self._run_triggers(state)
            stack.extend(state.needs)
            if state.base is not None:
                stack.append(state.base)
        return list(seen.values())

    def _run_triggers(self, state: _State) -> None:
        """Take in what a state's base asks for by ONBUILD; from the bottom up, for triggers may add triggers."""
        chain = [state]
        while (base := chain[-1].base) is not None:
            chain.append(base)
        for each in reversed(chain):
            if id(each) not in self._triggered:
                self._triggered.add(id(each))
                self._run_own_triggers(each)

    def _run_own_triggers(self, state: _State) -> None:
        if state.base is not None:
            triggers: Sequence[str] = state.base.triggers
        elif state.shown and (image := self._image(state)):
            triggers = self._onbuild.get(image, ())
        else:
            return
        stage = Stage(base="", name="", platform="", line=state.line, column=1)
        for trigger in triggers:
            parse_trigger(trigger, stage)
        for use in stage.uses:
            self._use(state, use)
        state.mounts = [*stage.mounts, *state.mounts]
        state.triggers = [*stage.triggers, *state.triggers]

    def _image(self, state: _State) -> str | None:
        """The external image of a state that stands on no other; None for scratch and local contexts."""
        if state.base is not None:
            return None
        context = state.context
        if context is None:
            if state.base_name == _SCRATCH:
                return None
            reference = _reference(state.base_name, state.line)
            context = self._contexts.get(reference.familiar.removesuffix(":latest"))
            if context is None:
                return str(reference)
        if not context.startswith(_IMAGE_CONTEXT) or context == _IMAGE_CONTEXT + _SCRATCH:
            return None
        return str(_reference(context.removeprefix(_IMAGE_CONTEXT), state.line))

    def _unresolved(self, needed: Sequence[_State]) -> list[Unresolved]:
        found = []
        for state in needed:
            context = state.context or self._contexts.get(_context_name(state.base_name))
            if state.base is None and context is not None and context.startswith(("target:", "oci-layout://")):
                found.append(
                    Unresolved(raw=context, why="the images behind this kind of context are not known here")
                )
        return found


def _reference(text: str, line: int) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReferenceError as exc:
        raise DockerfileError(f'failed to parse stage name "{text}": {exc}', line=line) from exc


def _check_platform(stage: Stage, values: Mapping[str, str], escape: str, platform: str) -> None:
    text = _expand(stage.platform, values, escape, stage.line)
    if not text:
        raise DockerfileError(
            f"empty platform value from expression {stage.platform}", line=stage.line, column=stage.column
        )
    try:
        platforms.parse(text, default=platform)
    except platforms.PlatformError as exc:
        raise DockerfileError(
            f"failed to parse platform {stage.platform}: {exc}", line=stage.line, column=stage.column
        ) from exc


def _root(state: _State) -> _State:
    while state.base is not None:
        state = state.base
    return state


def _frontend(syntax: str | None) -> str | None:
    if syntax is None:
        return None
    try:
        return str(Reference.parse(syntax.split()[0]))
    except InvalidReferenceError as exc:
        raise DockerfileError(f"failed to parse syntax image {syntax}: {exc}") from exc
