"""Takes logins out of log records before they are sent, as the lines on the console have none."""

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from groundswell.errors import without_logins


class Masking(LogRecordProcessor):
    """Goes before whatever sends: processors are called in the order in which they were added."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = log_record.log_record
        if isinstance(record.body, str):
            record.body = without_logins(record.body)
        record.attributes = {
            key: without_logins(value) if isinstance(value, str) else value
            for key, value in (record.attributes or {}).items()
        }

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        del timeout_millis
        return True
