"""Trace contexts as text (W3C `traceparent`), and ids of spans that follow from what they are about.

A build is begun by one handling, looked at by others, and its span is made when it has ended, perhaps by another
process. So that what happens meanwhile can name its parent, the id of such a span is a digest of what it is about:
whoever makes it, makes it with the same id, and after a crash a repeated one is the same span again.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


def to_text(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def from_text(text: str) -> SpanContext | None:
    """None for what is no traceparent: telemetry never makes a message fail."""
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    trace, span, flags = (int(part, 16) for part in match.groups())
    context = SpanContext(trace_id=trace, span_id=span, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def beside(context: SpanContext, span_id: int) -> SpanContext:
    """The span of that id in the same trace."""
    return SpanContext(trace_id=context.trace_id, span_id=span_id, is_remote=True, trace_flags=context.trace_flags)


def below(parent: SpanContext | None) -> Context:
    """In which a span is a child of `parent`; without one, the first of a trace."""
    return Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())


def derived(*parts: object, bits: int = 64) -> int:
    """An id that is the same for the same parts, and never 0, which is no id."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: bits // 8]) or 1


_next: ContextVar[tuple[int, int]] = ContextVar("next", default=(0, 0))


@contextmanager
def fixed(span_id: int, trace_id: int = 0) -> Iterator[None]:
    """Give the span that is started here this id; and its trace, when it is the first of one and an id is given."""
    token = _next.set((span_id, trace_id))
    try:
        yield
    finally:
        _next.reset(token)


class Ids(RandomIdGenerator):
    """Ids by chance, but for those that are `fixed`."""

    def generate_span_id(self) -> int:
        return _next.get()[0] or super().generate_span_id()

    def generate_trace_id(self) -> int:
        return _next.get()[1] or super().generate_trace_id()
