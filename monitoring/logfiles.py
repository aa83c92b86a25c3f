"""The log files of a monitored service: which there are, and how lines get into them."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitoring.capture.context import current
from monitoring.capture.hub import Hub
from monitoring.logs.handler import LogFileHandler
from monitoring.logs.lines import FORMS, format_queries, format_requests
from monitoring.logs.writer import RotatingWriter
from monitoring.model import Observation, QueryObservation
from monitoring.settings import Settings

QUERY_LOG = "database-queries.log"


class LogFiles:
    """
    ``<service>.log`` and ``database-queries.log``, each there only when settings want it.

    Args:
        settings: what was chosen.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._form = FORMS[settings.log_format]
        main = settings.log_requests or settings.log_application
        self._main = self._writer(settings.log_dir / f"{settings.service}.log") if main else None
        self._queries = self._writer(settings.log_dir / QUERY_LOG) if settings.log_queries else None
        self._handler: logging.Handler | None = None

    def _writer(self, path: Path) -> RotatingWriter:
        settings = self._settings
        return RotatingWriter(
            path,
            max_bytes=settings.log_max_bytes,
            backups=settings.log_backups,
            max_age_s=settings.log_max_age_s,
            compress=settings.log_compress,
            queue_lines=settings.log_queue_lines,
        )

    def connect(self, hub: Hub) -> None:
        """Have the hub write its lines here."""
        form = self._form
        if self._main is not None and self._settings.log_requests:
            submit, slow_s = self._main.submit_block, self._settings.slow_request_s

            def log_requests(observations: Sequence[Observation]) -> None:
                submit(format_requests(observations, slow_s=slow_s, form=form), len(observations))

            hub.log_requests = log_requests
        if self._queries is not None:
            submit_queries = self._queries.submit_block

            def log_queries(observations: Sequence[QueryObservation]) -> None:
                submit_queries(format_queries(observations, form=form), len(observations))

            hub.log_queries = log_queries

    def install(self) -> None:
        """Take the application's own log records too, when settings want them."""
        if self._settings.log_application and self._main is not None:
            self._handler = LogFileHandler(self._main.submit, form=self._form, request_id=_request_id)
            logging.getLogger().addHandler(self._handler)

    def remove(self) -> None:
        """Write what is waiting and let the files go."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler = None
        for writer in self._writers():
            writer.close()

    def flush(self) -> None:
        """Write what is waiting."""
        for writer in self._writers():
            writer.flush()

    @property
    def dropped(self) -> int:
        """Lines that are lost: a queue was full, or standard error gone as well."""
        return sum(writer.dropped for writer in self._writers())

    @property
    def diverted(self) -> int:
        """Lines that went to standard error because a file couldn't be written."""
        return sum(writer.diverted for writer in self._writers())

    @property
    def trouble(self) -> str | None:
        """What keeps a file from being written or rotated now; None when all is well."""
        return next((writer.trouble for writer in self._writers() if writer.trouble is not None), None)

    def _writers(self) -> Iterator[RotatingWriter]:
        return (writer for writer in (self._main, self._queries) if writer is not None)


def _request_id() -> str | None:
    context = current.get()
    return context.request_id if context is not None else None
