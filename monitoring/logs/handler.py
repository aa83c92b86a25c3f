"""The application's own `logging`, sent to the file that holds its requests."""

import logging
from collections.abc import Callable

from monitoring.logs.lines import Form, LogLine, as_json, format_log, instant

_TRACEBACKS = logging.Formatter()


class LogFileHandler(logging.Handler):
    """
    A handler that turns records into lines and hands them to a writer.

    Args:
        submit: takes one line without its newline and never blocks, such as `RotatingWriter.submit`.
        form: `monitoring.logs.lines.as_json` or `as_text`.
        request_id: answers the id of the request being served in this context; None outside of one.
        level: least level taken, as for any handler.
    """

    def __init__(
        self,
        submit: Callable[[bytes], object],
        *,
        form: Form = as_json,
        request_id: Callable[[], str | None] = lambda: None,
        level: int | str = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        self._submit = submit
        self._form = form
        self._request_id = request_id

    def emit(self, record: logging.LogRecord) -> None:
        """Submit one record; a record that can't be formatted is reported as `logging` always does."""
        try:
            self._submit(format_log(self._line(record), form=self._form))
        except Exception:  # noqa: BLE001  # the contract of Handler.emit: a fault in logging stays in logging
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> LogLine:
        exception = traceback = None
        if record.exc_info and record.exc_info[0] is not None:
            exception = record.exc_info[0].__qualname__
            traceback = record.exc_text or _TRACEBACKS.formatException(record.exc_info)
        return LogLine(
            time=instant(record.created),
            level=record.levelname,
            logger=record.name,
            message=record.getMessage(),
            source=f"{record.filename}:{record.lineno}",
            request_id=self._request_id(),
            exception=exception,
            traceback=traceback,
        )
