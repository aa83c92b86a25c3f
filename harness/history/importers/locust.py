"""
Locust: ``_stats.csv``, ``_stats_history.csv`` and what ``--json`` prints.

Locust rounds what it tells: above 100 ms response times to two digits, and its percentiles may lie a rank high.
The records say so; a run of the harness itself has the exact ones.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.history.importers.reading import (
    Account,
    Facts,
    NotThisFormatError,
    Source,
    as_text,
    figure,
    make_record,
    mapping,
    number,
    read_json,
    text,
)
from harness.history_model import Distribution, Metric
from harness.model import Direction
from monitoring.histogram import Histogram, nearest_rank

FORMAT = "locust"

_ROUNDED = "Locust rounds response times: above 100 ms to two digits."
_STATS = ("Type", "Name", "Request Count", "Failure Count", "Median Response Time")
_HISTORY = ("Timestamp", "User Count", "Type", "Name")
_JSON = {"name", "num_requests", "response_times", "total_response_time"}
_KEPT_QUANTILES = (0.5, 0.95, 0.99)
_AGGREGATED = "Aggregated"


def looks_like(document: object) -> bool:
    """Tell whether JSON is what ``--json`` prints."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(item, dict) and item.keys() >= _JSON for item in document)
    )


def looks_like_csv(content: bytes) -> bool:
    """Tell whether the first line is the head of one of Locust's statistics."""
    head = tuple(content[:400].decode("utf-8-sig", errors="replace").splitlines()[:1])
    columns = tuple(head[0].replace('"', "").split(",")) if head else ()
    return columns[: len(_STATS)] == _STATS or columns[: len(_HISTORY)] == _HISTORY


def read_csv(source: Source) -> Account:
    """
    Import one file of statistics as one record; each request name is a subject.

    Of a history the end counts: a run is one record, and its course is not kept.

    Raises:
        NotThisFormatError: no rows in it.
    """
    rows = list(csv.DictReader(io.StringIO(source.content.decode("utf-8-sig", errors="replace"))))
    account = Account(FORMAT)
    if not rows:
        raise NotThisFormatError("a head without a row")
    whole = [row for row in rows if None not in row and None not in row.values()]
    account.miss("torn row", len(rows) - len(whole))
    if "Timestamp" in rows[0]:
        _read_history(source, account, whole)
    else:
        metrics = [metric for row in whole for metric in _row_metrics(row, "", quantiles=True)]
        make_record(source, account, Facts(notes=(_ROUNDED,)), metrics=metrics)
    return account


def read_stats(source: Source) -> Account:
    """Import what ``--json`` printed: counts of rounded response times, so every percentile can be had of them."""
    account = Account(FORMAT)
    entries = [mapping(entry) for entry in read_json(source)]
    metrics: list[Metric] = []
    distributions: list[Distribution] = []
    starts = []
    for entry in entries:
        subject = _subject(entry.get("method"), entry.get("name"))
        counts = _counts(mapping(entry.get("response_times")))
        start_s = number(entry.get("start_time"))
        starts += [] if start_s is None else [start_s]
        metrics += _entry_metrics(subject, entry, counts)
        if counts:
            distributions.append(_distribution(subject, entry, counts))
    at = datetime.fromtimestamp(min(starts), UTC) if starts else None
    make_record(source, account, Facts(at=at, notes=(_ROUNDED,)), metrics=metrics, distributions=distributions)
    return account


def _read_history(source: Source, account: Account, rows: Sequence[Mapping[str, str]]) -> None:
    last: dict[str, Mapping[str, str]] = {}
    for row in rows:
        last[_subject(row["Type"], row["Name"])] = row
    # With a row for each name, Locust tells the percentiles of the last seconds; without, those of the whole run.
    of_whole_run = set(last) == {_AGGREGATED}
    account.miss("row of the course within the run", len(rows) - len(last))
    if not of_whole_run:
        account.miss("percentiles of the last seconds, which are not the run's", len(last))
    metrics = [metric for row in last.values() for metric in _row_metrics(row, "Total ", quantiles=of_whole_run)]
    users = [value for value in (_cell(row.get("User Count")) for row in rows) if value is not None]
    if users:
        metrics.append(figure(_AGGREGATED, "users", max(users), "count", Direction.NEAR))
    first_s = _cell(rows[0].get("Timestamp")) if rows else None
    at = None if first_s is None else datetime.fromtimestamp(first_s, UTC)
    make_record(source, account, Facts(at=at, notes=(_ROUNDED,)), metrics=metrics)


def _row_metrics(row: Mapping[str, str], prefix: str, *, quantiles: bool) -> Iterator[Metric]:
    subject = _subject(row.get("Type"), row.get("Name"))
    requests, failures = _cell(row.get(f"{prefix}Request Count")), _cell(row.get(f"{prefix}Failure Count"))
    n = None if requests is None else int(requests)
    percentiles = {name: value for name, value in row.items() if name and name.endswith("%")}
    if quantiles:
        for q in _KEPT_QUANTILES:
            value = _cell(percentiles.get(f"{q:.0%}"))
            extra = as_text({f"p{name.removesuffix('%')}": cell for name, cell in percentiles.items()})
            yield figure(subject, "response_time", value, "ms", quantile=q, n=n, extra=extra if q == 0.5 else None)
    told = (
        ("response_time_mean", f"{prefix}Average Response Time"),
        ("response_time_min", f"{prefix}Min Response Time"),
        ("response_time_max", f"{prefix}Max Response Time"),
    )
    for metric, column in told:
        yield figure(subject, metric, _cell(row.get(column)), "ms", n=n)
    if not quantiles:
        yield figure(
            subject, "response_time", _cell(row.get(f"{prefix}Median Response Time")), "ms", quantile=0.5, n=n
        )
    ratio = None if not requests or failures is None else failures / requests
    yield figure(subject, "error_ratio", ratio, "ratio", n=n)
    yield figure(subject, "request_count", requests, "count", Direction.NEAR)
    yield figure(subject, "content_size", _cell(row.get(f"{prefix}Average Content Size")), "bytes", Direction.NEAR)
    if not prefix:
        yield figure(subject, "request_rate", _cell(row.get("Requests/s")), "per_s", Direction.NEAR)


def _entry_metrics(subject: str, entry: Mapping[str, Any], counts: Mapping[float, int]) -> Iterator[Metric]:
    requests, failures = number(entry.get("num_requests")), number(entry.get("num_failures"))
    n = None if requests is None else int(requests)
    timed = sum(counts.values())
    for q in _KEPT_QUANTILES:
        yield figure(subject, "response_time", _ranked(counts, q), "ms", quantile=q, n=timed or None)
    total = number(entry.get("total_response_time"))
    yield figure(subject, "response_time_mean", total / timed if timed and total is not None else None, "ms", n=n)
    yield figure(subject, "response_time_min", number(entry.get("min_response_time")), "ms", n=n)
    yield figure(subject, "response_time_max", number(entry.get("max_response_time")), "ms", n=n)
    ratio = None if not requests or failures is None else failures / requests
    yield figure(subject, "error_ratio", ratio, "ratio", n=n)
    yield figure(subject, "request_count", requests, "count", Direction.NEAR)
    start_s, end_s = number(entry.get("start_time")), number(entry.get("last_request_timestamp"))
    if requests and start_s is not None and end_s is not None and end_s > start_s:
        yield figure(subject, "request_rate", requests / (end_s - start_s), "per_s", Direction.NEAR)
    size = number(entry.get("total_content_length"))
    yield figure(
        subject,
        "content_size",
        size / requests if requests and size is not None else None,
        "bytes",
        Direction.NEAR,
    )


def _distribution(subject: str, entry: Mapping[str, Any], counts: Mapping[float, int]) -> Distribution:
    failures = int(number(entry.get("num_failures")) or 0)
    # Locust counts the times of failed requests among the others, so they can't be told apart.
    metric = "response_time_with_failures" if failures else "response_time"
    histogram = Histogram()
    for milliseconds, count in counts.items():
        duration_s = milliseconds / 1000
        indexes, _ = Histogram.of([duration_s]).packed()
        histogram.merge_counts(
            indexes=indexes, counts=[count], sum_s=duration_s * count, min_s=duration_s, max_s=duration_s
        )
    return Distribution(
        subject=subject, metric=metric, unit="s", n=histogram.n, failures=0, tau=None, histogram=histogram
    )


def _counts(written: Mapping[str, Any]) -> dict[float, int]:
    """Return how often each rounded response time [ms] came."""
    found = {}
    for key, value in written.items():
        milliseconds, count = _cell(key), number(value)
        if milliseconds is not None and count is not None and count >= 1:
            found[milliseconds] = int(count)
    return dict(sorted(found.items()))


def _ranked(counts: Mapping[float, int], q: float) -> float | None:
    wanted = nearest_rank(q, sum(counts.values()))
    seen = 0
    for milliseconds, count in counts.items():
        seen += count
        if seen >= wanted:
            return milliseconds
    return None


def _subject(kind: object, name: object) -> str:
    return " ".join(part for part in (text(kind), text(name)) if part) or _AGGREGATED


def _cell(written: str | None) -> float | None:
    """Return a cell as a number; None for ``N/A`` and what is no number."""
    try:
        return None if written is None else number(float(written))
    except ValueError:
        return None
