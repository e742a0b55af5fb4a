"""Spans of what happens. A stage's is made when it is over, with the times of the rebuild's own history."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context as contexts_in_force
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import get_current_span as current_span
from opentelemetry.util.types import AttributeValue

from groundswell.cascade.engine import PUSHES
from groundswell.cascade.gathering import Gathered
from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.observing import Answered, Dealt
from groundswell.cascade.push import Push, Result
from groundswell.cascade.status import ACTIVE_STAGE
from groundswell.cascade.status import Status as RebuildStatus
from groundswell.clock import Clock
from groundswell.telemetry import contexts
from groundswell.telemetry.lives import Stay
from groundswell.telemetry.names import NAME, STAGES, SYSTEM, TASK_TYPES, Attribute
from groundswell.telemetry.names import Span as Name

type Attributes = Mapping[str, AttributeValue]

_RESULTS = {
    RebuildStatus.FAILED: "failure",
    RebuildStatus.REJECTED: "failure",
    RebuildStatus.CANCELLED: "cancellation",
    RebuildStatus.SUPERSEDED: "cancellation",
    RebuildStatus.BLOCKED: "skip",
    RebuildStatus.UNCHANGED: "success",
}
"""How a stage ended, by the status that came of it, in the conventions' words; success for all others."""


class Spans:
    def __init__(self, provider: TracerProvider, clock: Clock) -> None:
        self._tracer = provider.get_tracer(NAME)
        self._clock = clock

    @contextmanager
    def request(self, method: str, route: str) -> Iterator[Answered]:
        attributes: Attributes = {Attribute.HTTP_METHOD: method, Attribute.HTTP_ROUTE: route}
        with self._lasting(f"{method} {route}", None, SpanKind.SERVER, attributes) as span:

            def answered(status: int) -> None:
                span.set_attribute(Attribute.HTTP_STATUS, status)
                if status >= 500:
                    _mark(span, str(status))

            yield answered

    @contextmanager
    def receiving(self, push: Push) -> Iterator[str]:
        inside = current_span().get_span_context()
        parent = inside if inside.is_valid and not inside.is_remote else None  # its request, not a stage
        attributes: dict[str, AttributeValue] = {
            **_messaging("send", push.id),
            Attribute.IMAGE_NAME: f"{push.registry}/{push.repository}",
            Attribute.IMAGE_TAGS: [push.tag] if push.tag else [],
            Attribute.SOURCE: push.source,
        }
        if push.digest:
            attributes[Attribute.DIGEST] = push.digest
        with self._lasting(Name.RECEIVE, parent, SpanKind.PRODUCER, attributes) as span:
            yield contexts.to_text(span.get_span_context())

    @contextmanager
    def dealing(self, push: Push) -> Iterator[Dealt]:
        parent = contexts.from_text(push.trace)
        with self._lasting(Name.PROCESS, parent, SpanKind.CONSUMER, _messaging("process", push.id)) as span:

            def dealt(result: Result) -> None:
                span.set_attribute(Attribute.RESULT, result.value)

            yield dealt

    @contextmanager
    def planning(self, cascade: str, pushes: Sequence[Gathered], *, joins: str = "") -> Iterator[str]:
        """A cascade's span has the id that its rebuilds name as their parent; who joins has one of its own."""
        known = [context for push in pushes if (context := contexts.from_text(push.trace))]
        parent, others = (known[0], known[1:]) if known else (None, [])
        attributes: Attributes = {Attribute.CASCADE: cascade, Attribute.PUSHES: max(len(pushes), 1)}
        joined = contexts.from_text(joins)
        linked = [*others, *([joined] if joined else [])]
        links = [Link(other) for other in {other.span_id: other for other in linked}.values()]
        if joined:
            with self._lasting(Name.PLAN, parent, SpanKind.INTERNAL, attributes, links):
                yield joins
            return
        span_id, trace_id = contexts.derived("plan", cascade), contexts.derived("trace", cascade, bits=128)
        with contexts.fixed(span_id, trace_id):
            span = self._begin(Name.PLAN, parent, SpanKind.INTERNAL, attributes, links)
        with self._during(span):
            yield contexts.to_text(span.get_span_context())

    @contextmanager
    def working(self, state: Rebuild) -> Iterator[None]:
        """What happens now happens within the stage, whose span is made when it is over."""
        parent = contexts.from_text(state.trace)
        if parent is None or not state.history:
            yield
            return
        inside = contexts.below(contexts.beside(parent, _stage_id(state, state.history[-1])))
        token = contexts_in_force.attach(inside)
        try:
            yield
        finally:
            contexts_in_force.detach(token)

    def ended(self, state: Rebuild, stay: Stay) -> None:
        """A stage, when one has been passed; and the rebuild, when it has settled."""
        plan = contexts.from_text(state.trace)
        if plan is None:
            return
        rebuild = contexts.beside(plan, _life_id(state, stay.life))
        if name := STAGES.get(stay.moment.status):
            self._stage(name, rebuild, state, stay)
        if stay.then.status.settled:
            attributes = {**_about(state), Attribute.STATUS: stay.then.status.value}
            self._past(Name.REBUILD, plan, rebuild.span_id, attributes, begin=stay.life, end=stay.then)

    def _stage(self, name: Name, rebuild: SpanContext, state: Rebuild, stay: Stay) -> None:
        attributes = {**_about(state), Attribute.OUTCOME: stay.then.status.value}
        stage = ACTIVE_STAGE.get(stay.moment.status)
        if stage is not None and name is not Name.SLOT:
            attributes |= {
                Attribute.STAGE: stage.value,
                Attribute.TASK: stage.value,
                Attribute.TASK_RESULT: _RESULTS.get(stay.then.status, "success"),
            }
            if kind := TASK_TYPES.get(stage):
                attributes[Attribute.TASK_TYPE] = kind
        if name is Name.BUILD and state.run:
            attributes[Attribute.TASK_RUN] = state.run
        if name is Name.ROLLOUT:
            attributes[Attribute.RING] = state.ring
        span_id = _stage_id(state, stay.moment)
        self._past(name, rebuild, span_id, attributes, begin=stay.moment.at, end=stay.then)
        if name is Name.SCAN and state.verdict and stay.then.status in _JUDGED:
            attributes = {**_about(state), Attribute.PASSED: bool(state.verdict.get("passed"))}
            scan = contexts.beside(rebuild, span_id)
            verdict_id = contexts.derived("verdict", span_id)
            self._past(Name.VERDICT, scan, verdict_id, attributes, begin=stay.then.at, end=stay.then)

    def _past(
        self,
        name: str,
        parent: SpanContext,
        span_id: int,
        attributes: Attributes,
        *,
        begin: float,
        end: Moment,
    ) -> None:
        with contexts.fixed(span_id):
            span = self._tracer.start_span(
                name, contexts.below(parent), SpanKind.INTERNAL, attributes, start_time=_ns(begin)
            )
        if end.status is RebuildStatus.FAILED:
            _mark(span, "failed")  # not the reason: it may hold the end of a build's log
        span.end(_ns(max(begin, end.at)))

    def _begin(
        self,
        name: str,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> Span:
        context = contexts.below(parent)
        return self._tracer.start_span(name, context, kind, attributes, links, start_time=_ns(self._clock()))

    @contextmanager
    def _lasting(
        self,
        name: str,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        span = self._begin(name, parent, kind, attributes, links)
        with self._during(span):
            yield span

    @contextmanager
    def _during(self, span: Span) -> Iterator[None]:
        """Of an exception only its kind is kept: its text may hold what somebody sent."""
        token = contexts_in_force.attach(set_span_in_context(span))
        try:
            yield
        except BaseException as exc:
            _mark(span, type(exc).__name__)
            raise
        finally:
            contexts_in_force.detach(token)
            span.end(_ns(self._clock()))


_JUDGED = (RebuildStatus.PROMOTING, RebuildStatus.HELD, RebuildStatus.REJECTED)


def _mark(span: Span, error: str) -> None:
    span.set_attribute(Attribute.ERROR, error)
    span.set_status(Status(StatusCode.ERROR))


def _messaging(operation: str, message: str) -> dict[str, AttributeValue]:
    return {
        Attribute.MESSAGING_SYSTEM: SYSTEM,
        Attribute.MESSAGING_OPERATION: operation,
        Attribute.MESSAGING_TYPE: operation,
        Attribute.QUEUE: PUSHES,
        Attribute.MESSAGE: message,
    }


def _about(state: Rebuild) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        Attribute.CASCADE: state.cascade,
        Attribute.IMAGE: state.image,
        Attribute.ATTEMPT: state.attempt,
        Attribute.PIPELINE: NAME,
        Attribute.PIPELINE_RUN: state.cascade,
    }
    if state.spec:
        found[Attribute.IMAGE_NAME] = f"{state.spec.get('registry')}/{state.spec.get('repository')}"
    if state.candidate:
        found[Attribute.DIGEST] = state.candidate
    return found


def _stage_id(state: Rebuild, moment: Moment) -> int:
    return contexts.derived("stage", state.cascade, state.image, moment.status.value, repr(moment.at))


def _life_id(state: Rebuild, began: float) -> int:
    return contexts.derived("rebuild", state.cascade, state.image, repr(began))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
