"""What a report says, section by section: from `Report` to `Document`. Nothing is measured or judged here."""

from collections.abc import Sequence
from datetime import timedelta

from monitoring.reports.document import (
    Column,
    Curve,
    Document,
    Plot,
    Section,
    Table,
    change,
    counts,
    moment,
    ms,
    number,
    percent,
    rate,
    span,
)
from monitoring.reports.fold import before as window_before
from monitoring.reports.limits import CheckLimits
from monitoring.reports.logged import log_section
from monitoring.reports.records import Agent, Agents, Figures, Pool, Report, Timing, Totals, Window

_MOST_ENDPOINTS = 20
_MOST_ROWS = 10
_MOST_AGENTS = 5
_SHORTEST_INTERVAL_S = 1.0

_TIMES = tuple(Column(title=title) for title in ("mean ms", "p50", "p95", "p99", "max"))
_FROM = {
    "store": "Figures are from the store, exact over all workers and restarts.",
    "service": "Figures are from the running service.",
    "logs": "Figures are from the log files: no store could be read, and no service was asked.",
}


def document(report: Report) -> Document:
    """Return the report as a document."""
    now = report.now
    sections = [_sources(report)]
    if now is not None:
        sections += [_summary(now, report), _pending(report, now)]
        sections += [_comparison(report, report.before)] if report.before is not None else []
        sections += _database(now)
        sections += [_pools(now.pools)] if now.pools is not None else []
        sections += [_agents(now.agents, now.window)] if now.agents is not None and now.agents.seen else []
    if report.logs is not None:
        sections.append(log_section(report.logs))
    return Document(
        title=f"Monitoring report: {report.service}",
        lead=(
            f"{_between(report.window)} ({span(report.window.length_s)}).",
            "No source holds any figures of this window."
            if report.figures_from is None
            else _FROM[report.figures_from],
        ),
        sections=tuple(sections),
        footer=f"Made {moment(report.generated)} UTC by pollgauge {report.version}. Times are UTC. ? is unknown.",
    )


def _between(window: Window) -> str:
    return f"{moment(window.since)} to {moment(window.until)} UTC"


def _sources(report: Report) -> Section:
    lines = []
    for source in report.sources:
        if source.held is not None and source.held_ratio < 0.999:
            part = span(source.held_ratio * report.window.length_s)
            lines.append(f"The {source.name} holds {part} of the {span(report.window.length_s)} asked for.")
    rows = tuple(
        (
            percent(source.held_ratio),
            source.name,
            "" if source.held is None else moment(source.held.since),
            "" if source.held is None else moment(source.held.until),
            source.note,
            source.location,
        )
        for source in report.sources
    )
    columns = (
        Column(title="of the window"),
        Column(title="source", kind="text"),
        Column(title="holds from", kind="text"),
        Column(title="to", kind="text"),
        Column(title="note", kind="text"),
        Column(title="where", kind="code"),
    )
    return Section(
        title="Coverage",
        lines=tuple(lines) or ("Every source holds the whole window.",),
        tables=(Table(caption="What each source really held", columns=columns, rows=rows),),
    )


def _summary(now: Figures, report: Report) -> Section:
    shown = now.endpoints[:_MOST_ENDPOINTS]
    rows = [(*_row(one), f"{one.method} {one.route}") for one in shown]
    rows.append((*_row(now.totals), "all"))
    columns = (
        Column(title="requests"),
        Column(title="per s"),
        *_TIMES,
        Column(title="errors"),
        Column(title="4xx"),
        Column(title="endpoint", kind="code"),
    )
    table = Table(
        caption=f"Requests within {_between(now.window)}",
        columns=columns,
        rows=tuple(rows),
        more=len(now.endpoints) - len(shown),
    )
    return Section(
        title="Metrics summary",
        lines=_errors(now.totals),
        tables=(table,),
        plots=_plots(report),
    )


def _row(totals: Totals) -> tuple[str, ...]:
    return (
        number(totals.total_requests),
        rate(totals.requests_per_second),
        *_times(totals.response_time),
        percent(totals.error_rate),
        percent(totals.client_error_rate),
    )


def _times(timing: Timing) -> tuple[str, ...]:
    return tuple(
        ms(value) for value in (timing.mean_ms, timing.p50_ms, timing.p95_ms, timing.p99_ms, timing.max_ms)
    )


def _errors(totals: Totals) -> tuple[str, ...]:
    lines = []
    if totals.errors.by_status:
        lines.append(f"Errors by status: {counts(list(totals.errors.by_status.items()))}.")
    if totals.errors.by_exception:
        lines.append(f"Unhandled exceptions: {counts(list(totals.errors.by_exception.items()))}.")
    return tuple(lines)


def _pending(report: Report, now: Figures) -> Section:
    title = f"Pending endpoint: {report.pending}"
    one = now.endpoint(report.pending)
    if one is None:
        return Section(title=title, lines=("No request to it within the window.",))
    per_s, errors, refused = rate(one.requests_per_second), percent(one.error_rate), percent(one.client_error_rate)
    lines = [
        f"{one.total_requests:,} requests, {per_s} per second; error rate {errors}, refused (4xx) {refused}.",
        *_errors(one),
    ]
    if now.agents is not None and now.agents.seen:
        interval_s = now.agents.median_interval_s
        usual = "" if interval_s is None else f"; half of them poll every {span(interval_s)} or more often"
        lines.append(f"{now.agents.seen:,} agents{usual}.")
    if one.queries_per_request is not None:
        lines.append(f"{one.queries_per_request:.1f} statements a request.")
    parts: list[tuple[str, Timing]] = [
        ("response time", one.response_time),
        ("database time a request", one.database_time),
        ("time of a statement", one.query_time),
        ("wait for a connection", one.pool_wait),
    ]
    table = Table(
        caption="Where its time goes",
        columns=(Column(title="n"), *_TIMES, Column(title="what", kind="text")),
        rows=tuple((number(timing.count), *_times(timing), name) for name, timing in parts if timing.count),
    )
    return Section(title=title, lines=tuple(lines), tables=(table,))


def _comparison(report: Report, before: Figures) -> Section:
    held = before.window.part_of(window_before(report.window))
    lines = [f"{_between(before.window)}."]
    if held < 0.999:
        lines.append(f"That is {percent(held)} of the window before, so compare with care.")
    rows = tuple(
        (_figure(one.name, one.before), _figure(one.name, one.now), change(one.change_ratio), one.name)
        for one in report.changes
    )
    columns = (
        Column(title="before"),
        Column(title="now"),
        Column(title="change"),
        Column(title="figure", kind="text"),
    )
    return Section(
        title="Compared with the window before",
        lines=tuple(lines),
        tables=(Table(caption="Each figure in both windows", columns=columns, rows=rows),),
    )


def _figure(name: str, value: float | None) -> str:
    if name.endswith("_ms"):
        return ms(value)
    return percent(value) if name.endswith("error_rate") else rate(value)


def _database(now: Figures) -> list[Section]:
    sections: list[Section] = []
    if now.statements:
        rows = tuple(
            (
                number(one.duration.count),
                ms(one.total_ms),
                *_times(one.duration),
                number(one.slow),
                number(one.errors),
                one.statement,
            )
            for one in now.statements[:_MOST_ROWS]
        )
        columns = (
            Column(title="n"),
            Column(title="total ms"),
            *_TIMES,
            Column(title="slow"),
            Column(title="errors"),
            Column(title="statement", kind="code"),
        )
        table = Table(
            caption="Statements by total time",
            columns=columns,
            rows=rows,
            more=max(0, len(now.statements) - _MOST_ROWS),
        )
        sections.append(Section(title="Database statements", tables=(table,)))
    if now.spots:
        sections.append(_spots(now))
    return sections


_SPOT_NAMES = {"blocking": "blocks the event loop", "n+1": "the same statement many times in a request"}


def _spots(now: Figures) -> Section:
    spots = now.spots or ()
    rows = tuple(
        (
            number(one.occurrences),
            number(one.most_at_once),
            ms(one.total_ms),
            ms(one.max_ms),
            _SPOT_NAMES.get(one.kind, one.kind),
            one.route,
            one.site,
        )
        for one in spots[:_MOST_ROWS]
    )
    columns = (
        Column(title="times"),
        Column(title="statements at worst"),
        Column(title="total ms"),
        Column(title="longest ms"),
        Column(title="what", kind="text"),
        Column(title="route", kind="code"),
        Column(title="where", kind="code"),
    )
    table = Table(
        caption="Places in the service's code", columns=columns, rows=rows, more=max(0, len(spots) - _MOST_ROWS)
    )
    return Section(title="Trouble spots", tables=(table,))


def _pools(pools: Sequence[Pool]) -> Section:
    if not pools:
        return Section(title="Connection pools", lines=("No pool was watched or used within the window.",))
    rows = tuple(
        (
            "no bound" if one.capacity is None and one.pool_class is not None else number(one.capacity),
            number(one.checked_out),
            number(one.peak_checked_out),
            percent(one.peak_usage_ratio),
            number(one.timeouts),
            number(one.leaks),
            ms(one.wait.p95_ms),
            ms(one.wait.max_ms),
            ms(one.hold.p50_ms),
            ms(one.hold.p95_ms),
            ms(one.hold.max_ms),
            one.engine if one.pool_class is None else f"{one.engine} ({one.pool_class})",
        )
        for one in pools
    )
    titles = (
        *("capacity", "out now", "peak", "peak use", "time-outs", "leaks"),
        *("wait p95 ms", "wait max", "hold p50 ms", "hold p95", "hold max"),
    )
    columns = (*(Column(title=title) for title in titles), Column(title="engine", kind="text"))
    tables = [Table(caption="Each engine's pool; use is that of the fullest worker", columns=columns, rows=rows)]
    holders = [holder for pool in pools for holder in pool.holders or ()]
    if holders:
        tables.append(
            Table(
                caption="Who had connections when the service was last heard of",
                columns=(
                    Column(title="held for"),
                    Column(title="taken at", kind="code"),
                    Column(title="route", kind="code"),
                    Column(title="request", kind="code"),
                ),
                rows=tuple(
                    (span(one.held_s), one.site, one.route or "", one.request_id or "")
                    for one in holders[:_MOST_ROWS]
                ),
                more=max(0, len(holders) - _MOST_ROWS),
            )
        )
    return Section(title="Connection pools", tables=tuple(tables))


def _agents(agents: Agents, window: Window) -> Section:
    polling = [one for one in agents.listed if one.interval_s is not None]
    polling.sort(key=lambda one: (one.interval_s or 0.0, one.agent))
    silent = [one for one in agents.listed if _is_silent(one, agents, window)]
    silent.sort(key=lambda one: (one.last_seen or window.until, one.agent))
    tables = [_agent_table("The fastest, by the mean time from one request to the next", polling)]
    if silent:
        tables.append(_agent_table("Silent for more than three of their intervals", silent))
    met = sorted((one for one in agents.listed if one.errors), key=lambda one: (-one.errors, one.agent))
    if met:
        tables.append(_agent_table("Those that met most errors", met))
    return Section(title="Agents", lines=(f"{agents.seen:,} agents were seen.",), tables=tuple(tables))


def _is_silent(one: Agent, agents: Agents, window: Window) -> bool:
    usual_s = one.interval_s if one.interval_s is not None else agents.median_interval_s
    if usual_s is None or one.last_seen is None:
        return False
    return (window.until - one.last_seen).total_seconds() > 3 * max(usual_s, _SHORTEST_INTERVAL_S)


def _agent_table(caption: str, agents: Sequence[Agent]) -> Table:
    rows = tuple(
        (
            number(one.requests),
            "?" if one.interval_s is None else f"{one.interval_s:.1f}",
            number(one.errors),
            moment(one.last_seen),
            one.agent,
        )
        for one in agents[:_MOST_AGENTS]
    )
    columns = (
        Column(title="requests"),
        Column(title="interval s"),
        Column(title="errors"),
        Column(title="last seen", kind="text"),
        Column(title="agent", kind="code"),
    )
    return Table(caption=caption, columns=columns, rows=rows, more=max(0, len(agents) - _MOST_AGENTS))


def _plots(report: Report) -> tuple[Plot, ...]:
    points = report.points
    if len(points) < 2:
        return ()
    times = tuple(point.since + timedelta(seconds=point.length_s / 2) for point in points)
    piece = span(max(point.length_s for point in points))
    limits = CheckLimits()
    requests = Plot(
        title=f"Requests per second, all endpoints, in pieces of {piece}",
        times=times,
        curves=(
            Curve(name="requests", values=tuple(point.requests / point.length_s for point in points)),
            Curve(name="errors", values=tuple(point.errors / point.length_s for point in points)),
        ),
        limits=(),
        tick=lambda value: f"{value:,.4g}",
    )
    quantiles = Plot(
        title=f"Response time of {report.pending} [ms], in pieces of {piece}",
        times=times,
        curves=(
            Curve(name="p50", values=tuple(point.p50_ms for point in points)),
            Curve(name="p95", values=tuple(point.p95_ms for point in points)),
            Curve(name="p99", values=tuple(point.p99_ms for point in points)),
        ),
        limits=tuple(
            (f"limit of {name}: {limit:g} ms", limit)
            for name, limit in (("p50", limits.p50_ms), ("p95", limits.p95_ms), ("p99", limits.p99_ms))
        ),
        tick=lambda value: f"{value:,.4g}",
    )
    return (requests, quantiles)
