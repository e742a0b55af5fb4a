"""Puts the trace into log lines: a record made within a span carries its ids, as `trace_id` and `span_id`."""

import logging

from opentelemetry.trace import get_current_span


def mark() -> None:
    """From now on, in this process; once is enough."""
    make = logging.getLogRecordFactory()
    if isinstance(make, _Marked):
        return
    logging.setLogRecordFactory(_Marked(make))


class _Marked:
    def __init__(self, make: object) -> None:
        self._make = make

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)  # type: ignore[operator]  # a factory of records
        context = get_current_span().get_span_context()
        if context.is_valid:
            record.trace_id = f"{context.trace_id:032x}"
            record.span_id = f"{context.span_id:016x}"
        return record
