"""Which images a build needs: stages, what they stand on, what they take from each other.

After BuildKit's frontend/dockerfile/dockerfile2llb (convert.go, convert_runmount.go), dockerui (namedcontext.go).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from graph.dockerfile import platform as platforms
from graph.dockerfile.checks import Checker, Environment
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import ExpansionError, Shell
from graph.dockerfile.gotext import quote
from graph.dockerfile.instructions import Command, Stage, parse_trigger
from graph.dockerfile.lexer import Line
from graph.dockerfile.look import Look
from graph.reference import InvalidReferenceError, Reference

_SCRATCH = "scratch"
_IMAGE_CONTEXT = "docker-image://"
_NO_CONTEXTS = ("scratch", "context")
_INDEX = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_MAX_TRIGGERS = 100_000
_SHORT = 256
_NOTHING: Mapping[str, str] = {}
_UNKNOWN = Environment(closed=False, windows=False)


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
    column: int
    base: "_State | None" = None
    context: str | None = None
    os: str = ""
    """Of the stage's platform, where it names one."""
    commands: "list[_Linked]" = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    needs: dict["_State", Command] = field(default_factory=dict)
    triggered: bool = False


type _Linked = tuple[Command, tuple[_State, ...]]


def context_name(name: str) -> str:
    """Names of contexts are compared as familiar references without `:latest`."""
    try:
        return Reference.parse(name).familiar.removesuffix(":latest")
    except InvalidReferenceError:
        return name


class Resolver:
    """Resolves one Dockerfile: `contexts` by `context_name`, `onbuild` by reference, `os` that of the target."""

    def __init__(
        self,
        shell: Shell,
        checker: Checker,
        contexts: Mapping[str, str],
        onbuild: Mapping[str, Sequence[str]],
        *,
        os: str,
    ) -> None:
        self._shell = shell
        self._checker = checker
        self._contexts = contexts
        self._onbuild = onbuild
        self._os = os
        self._states: list[_State] = []
        self._by_name: dict[str, _State] = {}
        self._triggers = 0

    def resolve(
        self, stages: Sequence[Stage], values: Mapping[str, str], target: str | None, frontend: str | None
    ) -> Resolution:
        for index, stage in enumerate(stages):
            self._add_stage(stage, index, values)
        end = self._target(target)
        for state, stage in zip(self._states[:], stages, strict=True):
            if state.context is None:
                state.commands = self._link(state, stage.commands)
        self._refuse_circles()
        images = {state: image for state in self._states if (image := self._image(state)) is not None}
        needed = self._reach(end)
        images |= {state: image for state in needed if state not in images and (image := self._image(state))}
        self._check(needed)
        root = _root(end)
        runtime = images.get(root)
        build = {images[state] for state in needed if state is not root and state in images}
        used = build | ({runtime} if runtime else set())
        return Resolution(
            runtime=runtime,
            build=tuple(sorted(build)),
            unneeded=tuple(sorted(set(images.values()) - used)),
            unresolved=tuple(self._unresolved(needed)),
            frontend=frontend,
        )

    def _add_stage(self, stage: Stage, index: int, values: Mapping[str, str]) -> None:
        try:
            name = self._shell.expand(stage.base, values)
            if not name:
                raise _error(stage, f"base name ({stage.base}) should not be blank")
            os = self._platform_os(stage, values) if stage.platform else ""
        except ExpansionError as exc:
            raise _error(stage, str(exc)) from exc
        state = _State(
            base_name=name,
            shown=stage.name or f"stage-{index}",
            line=stage.line,
            column=stage.column,
            os=os,
        )
        if stage.name and stage.name not in _NO_CONTEXTS:
            state.context = self._contexts.get(_stage_context(stage))
        if state.context is None:
            state.base = self._by_name.get(name)
            state.triggers = stage.triggers
        self._states.append(state)
        if stage.name:
            self._by_name[stage.name] = state

    def _platform_os(self, stage: Stage, values: Mapping[str, str]) -> str:
        try:
            text = self._shell.expand(stage.platform, values)
        except ExpansionError as exc:
            raise _error(stage, f"failed to process arguments for platform : {exc}") from exc
        if not text:
            raise _error(stage, f"empty platform value from expression {stage.platform}")
        try:
            return platforms.parse(text).os
        except platforms.PlatformError as exc:
            raise _error(stage, f"failed to parse platform {stage.platform}: {exc}") from exc

    def _target(self, target: str | None) -> _State:
        if not target:
            return self._states[-1]
        found = self._by_name.get(target.lower())
        if found is None:
            raise DockerfileError(f"target stage {quote(target)} could not be found")
        return found

    def _link(self, state: _State, commands: Sequence[Command]) -> list[_Linked]:
        """Find what the commands take from; images that only they name become states of their own."""
        return [
            (command, self._sources(state, command) if command.copies or command.mounts else ())
            for command in commands
        ]

    def _sources(self, state: _State, command: Command) -> tuple[_State, ...]:
        if command.copies:
            sources: tuple[_State, ...] = (self._copied(command),)
        else:
            sources = tuple([self._named(name, command) for name in command.mounts])
        for source in sources:
            state.needs[source] = command
            if not source.shown:
                self._states.append(source)
        return sources

    def _copied(self, command: Command) -> _State:
        """A number is a stage here; images that earlier instructions name are counted after the stages."""
        source = command.copies
        try:
            same = self._shell.expand(source, _NOTHING) == source
        except ExpansionError as exc:
            raise _error(command.line, str(exc)) from exc
        if not same:
            reason = "define a new stage with FROM using ARG from global scope as a workaround"
            raise _error(command.line, f"variable expansion is not supported for --from, {reason}")
        if not _INDEX.fullmatch(source) or not -(2**63) <= int(source) < 2**63:
            return self._named(source, command)
        if not 0 <= int(source) < len(self._states):
            raise _error(command.line, f"invalid stage index {int(source)}")
        return self._states[int(source)]

    def _named(self, name: str, command: Command) -> _State:
        found = self._by_name.get(name.lower())
        return found or _State(base_name=name, shown="", line=command.line.line, column=command.line.column)

    def _refuse_circles(self) -> None:
        """A stage that takes from itself, by whatever way of COPY and mounts."""
        done: set[_State] = set()
        for begin in self._states:
            if begin in done or not begin.needs:
                continue
            done.add(begin)
            path, stack = {begin}, [(begin, iter(begin.needs.items()))]
            while stack:
                state, rest = stack[-1]
                need, command = next(rest, (None, None))
                if need is None or command is None:
                    stack.pop()
                    path.discard(state)
                elif need in path:
                    first = begin.needs[stack[1][0] if len(stack) > 1 else need]
                    raise _error(first.line, f"circular dependency detected on stage: {begin.shown}")
                elif need not in done:
                    done.add(need)
                    path.add(need)
                    stack.append((need, iter(need.needs.items())))

    def _reach(self, end: _State) -> list[_State]:
        """Every state that the target needs; the triggers of bases are taken in on the way."""
        seen: dict[_State, None] = {}
        stack = [end]
        while stack:
            state = stack.pop()
            if state in seen:
                continue
            seen[state] = None
            self._run_triggers(state)
            stack.extend(state.needs)
            if state.base is not None:
                stack.append(state.base)
        return list(seen)

    def _run_triggers(self, state: _State) -> None:
        """Take in what a state's base asks for by ONBUILD; from the bottom up, for triggers may add triggers."""
        chain: list[_State] = []
        each: _State | None = state
        while each is not None and not each.triggered:
            chain.append(each)
            each = each.base
        for each in reversed(chain):
            each.triggered = True
            self._run_own_triggers(each)

    def _run_own_triggers(self, state: _State) -> None:
        triggers: Sequence[str] = ()
        if state.base is not None:
            triggers = state.base.triggers
        elif self._onbuild and state.shown and state.context is None:
            triggers = self._onbuild.get(self._image(state) or "", ())
        self._triggers += len(triggers)
        if self._triggers > _MAX_TRIGGERS:
            reason = f"more than {_MAX_TRIGGERS} ONBUILD triggers"
            raise DockerfileError(reason, line=state.line, column=state.column)
        commands: list[_Linked] = []
        inherited: list[str] = []
        for trigger in triggers:
            stage = parse_trigger(trigger, line=state.line, column=state.column)
            commands += self._link(state, stage.commands)
            inherited += stage.triggers
        state.commands = commands + state.commands
        state.triggers = inherited + state.triggers

    def _check(self, needed: Sequence[_State]) -> None:
        """What is refused only where a stage is built; stages are built in their order."""
        wanted = set(needed)
        built = {state for state in wanted if not state.shown or state.context is not None}
        order = [state for state in self._states if state in wanted and state not in built]
        furthest = max((command.look for state in order for command, _ in state.commands), default=Look.NOT)
        least = Look.NOT if furthest is Look.WITH_VARIABLES else Look.ALONE
        environments: dict[_State | None, Environment] = {}
        for state in order:
            built.add(state)
            environment = self._environment(state, environments) if furthest else _UNKNOWN
            for command, sources in state.commands:
                if command.look >= least or not built.issuperset(sources):
                    late = [source not in built for source in sources]
                    self._checker.check(command, environment, stage=state.shown, late=late)

    def _environment(self, state: _State, environments: dict[_State | None, Environment]) -> Environment:
        """What the variables of a stage are before its first command."""
        if state.base in environments:
            environment = environments[state.base].copy()
        else:
            windows = (state.os or self._os) == "windows"
            environment = Environment(closed=state.base_name == _SCRATCH, windows=windows)
        environments[state] = environment
        return environment

    def _image(self, state: _State) -> str | None:
        """The external image of a state that stands on no other; None for scratch and local contexts."""
        if state.base is not None:
            return None
        context = state.context
        if context is None:
            if state.base_name == _SCRATCH:
                return None
            reference = _reference(state.base_name, state)
            if self._contexts:
                context = self._contexts.get(reference.familiar.removesuffix(":latest"))
            if context is None:
                return str(reference)
        if not context.startswith(_IMAGE_CONTEXT) or context == _IMAGE_CONTEXT + _SCRATCH:
            return None
        return str(_reference(context.removeprefix(_IMAGE_CONTEXT), state))

    def _unresolved(self, needed: Sequence[_State]) -> list[Unresolved]:
        found = []
        for state in needed if self._contexts else ():
            context = state.context or self._contexts.get(context_name(state.base_name))
            if state.base is None and context is not None and context.startswith(("target:", "oci-layout://")):
                found.append(
                    Unresolved(raw=context, why="the images behind this kind of context are not known here")
                )
        return found


def _stage_context(stage: Stage) -> str:
    """The name under which a stage can be replaced, which BuildKit takes for a reference."""
    try:
        return parse_reference(stage.name).familiar.removesuffix(":latest")
    except InvalidReferenceError as exc:
        raise _error(stage, f"invalid context name {stage.name}: {exc}") from exc


def parse_reference(text: str) -> Reference:
    """As Reference.parse, remembering short ones. Raises InvalidReferenceError."""
    return _short_reference(text) if len(text) < _SHORT else Reference.parse(text)


@lru_cache(maxsize=4096)
def _short_reference(text: str) -> Reference:
    """The same few bases are named by very many Dockerfiles."""
    return Reference.parse(text)


def _reference(text: str, state: _State) -> Reference:
    try:
        return parse_reference(text)
    except InvalidReferenceError as exc:
        raise _error(state, f"failed to parse stage name {quote(text)}: {exc}") from exc


def _root(state: _State) -> _State:
    while state.base is not None:
        state = state.base
    return state


def _error(at: "Stage | _State | Line", reason: str) -> DockerfileError:
    return DockerfileError(reason, line=at.line, column=at.column)
