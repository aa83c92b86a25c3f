"""
The report: look into every source there is, and fold what they hold into one record.

::

    store │ running service │ log files ─▶ Figures, LogAnalysis ─▶ Report ─▶ text, JSON, HTML, Markdown
                                                                     └─▶ checklist, diagnosis

Figures come from the best source at hand: the store (exact over workers, restarts and rotation), else the service
that was named, else the log files. The log analysis comes from the log files. What each source really held of the
window stands in the report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from monitoring.client import fetch
from monitoring.errors import MonitoringError, explain
from monitoring.loganalysis import LogAnalysis, analyse_logs
from monitoring.logfiles import QUERY_LOG
from monitoring.logs.reader import Coverage
from monitoring.reports import fold
from monitoring.reports.fold_logs import figures_of_logs
from monitoring.reports.fold_service import figures_of_answer
from monitoring.reports.fold_store import figures_of_slot, point_of_slot
from monitoring.reports.records import Figures, Point, Report, Source, SourceName, Window
from monitoring.reports.stored import StoredFigures
from monitoring.settings import STORE_SUFFIX
from monitoring.version import version

_TOP = 10
_ALL = 10_000
_MAX_POINTS = 120
_POINT_WIDTHS_S = (10, 30, 60, 300, 900, 1800, 3600, 2 * 3600, 6 * 3600, 86400, 7 * 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """
    Where to look.

    Args:
        service: name of the service, which names its files.
        logs: folder of the log files; None to look at none.
        store: file of the store; None to look at none.
        store_wanted: whether a store that can't be read is an error; otherwise it is a note.
        url: base URL of a running service to ask instead of a store; None for none.
        prefix: path before ``/metrics`` there.
        token: bearer token for it; None for none.
        timeout_s: longest wait for it [s].
        pending: ``METHOD /route`` of the endpoint that the checks are about.
    """

    service: str
    logs: Path | None
    store: Path | None
    store_wanted: bool = False
    url: str | None = None
    prefix: str = "/api"
    token: str | None = None
    timeout_s: float = 30.0
    pending: str = "GET /api/deployments/pending/{agent_id}"


Progress = Callable[[int, int], object]


def make_report(
    places: Places, window: Window, *, generated: datetime, on_progress: Progress | None = None
) -> Report:
    """
    Look into all sources and make the report.

    Args:
        places: where to look.
        window: the window asked for.
        generated: the time of the report, UTC.
        on_progress: called while log files are read, with bytes read and bytes to read.

    Raises:
        MonitoringError: a source that was asked for can't be read, or there is none at all.
    """
    looked = _Looked(places, window)
    if places.url is not None:
        looked.ask_service(places.url)
    elif places.store is not None:
        looked.read_store(places.store)
    logs = looked.read_logs(places.logs, on_progress) if places.logs is not None else None
    looked.require_something(logs)
    return Report(
        generated=generated,
        version=version(),
        service=looked.service,
        window=window,
        figures_from=looked.figures_from,
        pending=places.pending,
        now=looked.now,
        before=looked.before,
        changes=fold.changes(looked.now, looked.before, places.pending),
        points=looked.points,
        logs=logs,
        sources=tuple(looked.sources),
    )


class _Looked:
    """What has been found so far."""

    def __init__(self, places: Places, window: Window) -> None:
        self.places = places
        self.window = window
        self.service = places.service
        self.figures_from: SourceName | None = None
        self.now: Figures | None = None
        self.before: Figures | None = None
        self.points: tuple[Point, ...] = ()
        self.sources: list[Source] = []

    # ---- the store

    def read_store(self, path: Path) -> None:
        try:
            store = StoredFigures(path)
            try:
                self._take_store(store)
            finally:
                store.close()
        except MonitoringError as error:
            if self.places.store_wanted:
                raise
            missing = not path.exists()
            note = "no such file" if missing else str(error)
            self.sources.append(Source(name="store", location=str(path), held=None, held_ratio=0.0, note=note))

    def _take_store(self, store: StoredFigures) -> None:
        self.now = self._stored(store, self.window, current=True)
        self.before = self._stored(store, fold.before(self.window), current=False)
        if self.now is not None:
            self.figures_from = "store"
            self.points = self._points(store, self.now.window)
        held = None
        if store.first_s is not None and store.last_s is not None:
            held = fold.window_of(store.first_s, store.last_s)
        notes = [f"{store.damaged} rollups can't be read"] if store.damaged else []
        since_s, until_s = self.window.since.timestamp(), self.window.until.timestamp()
        # A coarse rollup may begin after the window's end.
        quiet = tuple(
            fold.window_of(begin_s, min(end_s, until_s)) for begin_s, end_s in store.quiet(since_s, until_s)
        )
        notes += [fold.told(quiet)] if quiet else []
        self._add_source("store", str(store.path), held, "; ".join(notes), quiet=quiet)

    def _stored(self, store: StoredFigures, window: Window, *, current: bool) -> Figures | None:
        slot, since_s, until_s = store.read(window.since.timestamp(), window.until.timestamp())
        if until_s <= since_s:
            return None
        return figures_of_slot(slot, fold.window_of(since_s, until_s), store.pools(), current=current)

    def _points(self, store: StoredFigures, window: Window) -> tuple[Point, ...]:
        since_s, until_s = window.since.timestamp(), window.until.timestamp()
        width_s = point_width_s(until_s - since_s, finest_s=store.finest_s(since_s))
        # At multiples of the width, so that each piece is whole rollups.
        at_s = since_s - since_s % width_s
        points: list[Point] = []
        while at_s < until_s:
            slot, first_s, last_s = store.read(max(at_s, since_s), min(at_s + width_s, until_s))
            if last_s > first_s:
                points.append(point_of_slot(slot, fold.window_of(first_s, last_s), self.places.pending))
            at_s += width_s
        return tuple(points)

    # ---- a running service

    def ask_service(self, url: str) -> None:
        self.now, name = self._asked(url, self.window)
        self.before, _ = self._asked(url, fold.before(self.window))
        self.service = name
        if self.now is not None:
            self.figures_from = "service"
        windows = [figures.window for figures in (self.before, self.now) if figures is not None]
        held = Window(since=windows[0].since, until=windows[-1].until) if windows else None
        self._add_source("service", url, held, "")

    def _asked(self, url: str, window: Window) -> tuple[Figures | None, str]:
        query = {"since": window.since.isoformat(), "until": window.until.isoformat()}
        places = self.places
        answer = fetch(
            url, f"{places.prefix}/metrics", query=query, token=places.token, timeout_s=places.timeout_s
        )
        try:
            figures = figures_of_answer(answer)
            name = msgspec.convert(answer.get("service"), str)
        except msgspec.ValidationError as error:
            raise MonitoringError(
                explain("service", url, fault=f"answers in another form ({error})", remedy="the version it runs")
            ) from error
        return (figures if figures.window.length_s > 0 else None), name

    # ---- log files

    def read_logs(self, folder: Path, on_progress: Progress | None) -> LogAnalysis | None:
        request_log, query_log = folder / f"{self.places.service}.log", folder / QUERY_LOG
        wanted = self.now is None
        logs = _analyse(request_log, query_log, self.window, _ALL if wanted else _TOP, on_progress)
        self._add_log("request log", request_log, logs.request_coverage)
        self._add_log(
            "query log", query_log, logs.query_coverage, shared_with=_sharers(folder, self.places.service)
        )
        if not _seen(logs.request_coverage) and not _seen(logs.query_coverage):
            return None
        if wanted:
            self.now = self._logged(logs, self.window)
            if self.now is not None:
                self.figures_from = "logs"
                earlier = fold.before(self.window)
                self.before = self._logged(_analyse(request_log, query_log, earlier, _ALL, None), earlier)
        return _shortened(logs)

    def _logged(self, logs: LogAnalysis, window: Window) -> Figures | None:
        held = _held(logs.request_coverage)
        if held is None or not held.part_of(window):
            return None
        covered = Window(since=max(held.since, window.since), until=min(held.until, window.until))
        return figures_of_logs(logs, covered)

    def _add_log(self, name: str, path: Path, coverage: Coverage, *, shared_with: Sequence[str] = ()) -> None:
        if not _seen(coverage):
            self.sources.append(
                Source(name=name, location=str(path), held=None, held_ratio=0.0, note="no such file")
            )
            return
        notes = list(coverage.damaged)
        if coverage.bad_lines:
            notes.append(f"{coverage.bad_lines:,} lines are torn, corrupt or another tool's")
        if coverage.text_lines:
            notes.append(f"{coverage.text_lines:,} lines are in the text form, which is not read back")
        if shared_with:
            notes.append(f"holds the statements of {', '.join(shared_with)} too")
        self._add_source(name, str(path), _held(coverage), "; ".join(notes))

    def _add_source(
        self,
        name: str,
        location: str,
        held: Window | None,
        note: str,
        *,
        quiet: tuple[Window, ...] | None = None,
    ) -> None:
        ratio = 0.0 if held is None else held.part_of(self.window)
        self.sources.append(
            Source(name=name, location=location, held=held, held_ratio=ratio, quiet=quiet, note=note)
        )

    def require_something(self, logs: LogAnalysis | None) -> None:
        """
        Refuse a report about nothing.

        Raises:
            MonitoringError: no source had anything of ours.
        """
        held = {source.name for source in self.sources if source.held is not None}
        folder = self.places.logs
        others = _others(folder, self.places.service)
        # Every service of a folder writes the one query log: alone, it need not be of this service.
        if held - {"query log"} or (held and not others):
            return
        if logs is not None and not held:
            found = "; ".join(f"{source.location}: {source.note}" for source in self.sources if source.note)
            raise MonitoringError(explain("logs", str(folder), fault=f"nothing of ours can be read ({found})"))
        if folder is not None and not folder.is_dir():
            raise MonitoringError(
                explain(
                    "logs", str(folder), fault="no such folder", remedy="--logs DIR of the service, or --url URL"
                )
            )
        raise MonitoringError(
            explain(
                "service",
                self.places.service,
                fault=f"no log and no store in '{folder}'{others}",
                remedy="--service NAME, --logs DIR or --url URL",
            )
        )


def point_width_s(length_s: float, *, finest_s: int) -> int:
    """
    Return how long each piece of the course over time is.

    Args:
        length_s: of the window [s].
        finest_s: width of the finest rollups there are [s].

    Returns:
        The shortest width that makes no more than 120 pieces [s].
    """
    for width_s in _POINT_WIDTHS_S:
        if width_s >= finest_s and length_s / width_s <= _MAX_POINTS:
            return width_s
    return _POINT_WIDTHS_S[-1]


def _analyse(
    request_log: Path, query_log: Path, window: Window, top: int, on_progress: Progress | None
) -> LogAnalysis:
    # A window's end belongs to the next one.
    until = window.until - timedelta(microseconds=1)
    return analyse_logs(request_log, query_log, since=window.since, until=until, top=top, on_progress=on_progress)


def _seen(coverage: Coverage) -> bool:
    return bool(coverage.files_read or coverage.files_skipped or coverage.damaged)


def _held(coverage: Coverage) -> Window | None:
    if coverage.held_since is None or coverage.held_until is None:
        return None
    return Window(since=coverage.held_since, until=max(coverage.held_since, coverage.held_until))


def _shortened(logs: LogAnalysis) -> LogAnalysis:
    return replace(
        logs,
        slowest_routes=logs.slowest_routes[:_TOP],
        slowest_statements=logs.slowest_statements[:_TOP],
        top_errors=logs.top_errors[:_TOP],
        errors_by_agent=logs.errors_by_agent[:_TOP],
        agents=logs.agents[:_TOP],
    )


def _sharers(folder: Path, service: str) -> list[str]:
    """Name the other services that write into this folder."""
    names = {path.name.removesuffix(STORE_SUFFIX) for path in folder.glob(f"*{STORE_SUFFIX}")}
    return sorted(names - {service})


def _others(folder: Path | None, service: str) -> str:
    """Name what of other services lies there: it is often the right one under another name."""
    if folder is None:
        return ""
    own = {QUERY_LOG, f"{service}.log", f"{service}{STORE_SUFFIX}"}
    found = {path.name for pattern in ("*.log", f"*{STORE_SUFFIX}") for path in folder.glob(pattern)}
    names = sorted(found - own)
    return f", only {', '.join(names[:5])}" if names else ""
