"""k6: ``--summary-export``, and the data that ``handleSummary`` gets. Neither tells when it was made."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
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
)
from harness.history_model import Metric
from harness.model import Direction

FORMAT = "k6"

_QUANTILE = re.compile(r"p\((\d+(?:\.\d+)?)\)")
_THRESHOLD = re.compile(
    r"\s*(p\(\d+(?:\.\d+)?\)|avg|med|min|max|rate|count|value)\s*(<=?|>=?|===?)\s*([\d.eE+-]+)\s*"
)
_TIMES = re.compile(r"(http_req|ws_|grpc_req|browser_).*|iteration_duration|group_duration")
_NOT_TIMES = {"http_reqs", "http_req_failed", "ws_sessions", "ws_msgs_sent", "ws_msgs_received", "grpc_streams"}
_BYTES = {"data_sent", "data_received", "browser_data_sent", "browser_data_received"}
_FAILURE_RATES = {"http_req_failed", "browser_http_req_failed"}
_ALWAYS = {"iterations", "iteration_duration", "vus", "http_reqs"}
_TREND = {"avg", "min", "med", "max"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is a summary of k6, in either form."""
    if not isinstance(document, dict) or not isinstance(document.get("metrics"), dict):
        return False
    return "root_group" in document or bool(document["metrics"].keys() & _ALWAYS)


def read(source: Source) -> Account:
    """
    Import one summary. A metric, with its tags, is a subject; its statistics are the metrics of it.

    Raises:
        NotThisFormatError: no metrics in it.
    """
    document = read_json(source)
    if not document["metrics"]:
        raise NotThisFormatError("no metrics in it")
    account = Account(FORMAT)
    metrics: list[Metric] = []
    for name, told in document["metrics"].items():
        found = list(_metrics(name, mapping(told)))
        if not found:
            account.miss(f"metric {name}")
        metrics += found
    metrics += _checks(mapping(document.get("root_group")), "")
    state = as_text(mapping(document.get("state")), without=("isStdErrTTY", "isStdOutTTY"))
    make_record(source, account, Facts(extra=state), metrics=metrics)
    return account


def _metrics(name: str, told: Mapping[str, Any]) -> Iterator[Metric]:
    # handleSummary nests the figures and says what they are; the older export does neither.
    values = mapping(told["values"]) if "values" in told else told
    thresholds = mapping(told.get("thresholds"))
    base = name.partition("{")[0]
    if {"avg", "med"} <= values.keys():
        found = _trend(name, values, _unit(base, told))
    elif "count" in values and "rate" in values:
        found = _counter(name, values, "bytes" if base in _BYTES else "count")
    elif "rate" in values or {"passes", "fails"} <= values.keys():
        found = _rate(name, base, values)
    elif "value" in values:
        found = iter([figure(name, "value", number(values["value"]), _unit(base, told), Direction.NEAR)])
    else:
        return
    for statistic, metric in _named(found):
        yield _with_limit(metric, statistic, thresholds)


def _named(found: Iterator[Metric]) -> Iterator[tuple[str, Metric]]:
    """Yield each metric with what a threshold calls it."""
    for metric in found:
        if metric.quantile == 0.5:
            yield "med", metric
        elif metric.quantile is not None:
            yield f"p({metric.quantile * 100:.10g})", metric
        else:
            statistic = metric.extra.get("statistic", metric.metric)
            yield statistic, replace(metric, extra={})


def _trend(name: str, values: Mapping[str, Any], unit: str) -> Iterator[Metric]:
    kind = "time" if unit == "ms" else "value"
    count = number(values.get("count"))
    n = None if count is None else int(count)
    for statistic, value in values.items():
        quantile = _QUANTILE.fullmatch(statistic)
        if quantile is not None and 0 < float(quantile.group(1)) <= 100:
            yield figure(name, kind, number(value), unit, quantile=_share(quantile.group(1)), n=n)
        elif statistic == "med":
            yield figure(name, kind, number(value), unit, quantile=0.5, n=n)
        elif statistic in _TREND:
            extra = {"statistic": statistic}
            metric = f"{kind}_{'mean' if statistic == 'avg' else statistic}"
            yield figure(name, metric, number(value), unit, n=n, extra=extra)


def _share(percent: str) -> float:
    """Return 0.999 for 99.9, which divided by 100 is not quite it."""
    return round(float(percent) / 100, 12)


def _counter(name: str, values: Mapping[str, Any], unit: str) -> Iterator[Metric]:
    yield figure(name, "count", number(values["count"]), unit, Direction.NEAR)
    per_s = "bytes/s" if unit == "bytes" else "per_s"
    yield figure(name, "rate", number(values["rate"]), per_s, Direction.ABOVE)


def _rate(name: str, base: str, values: Mapping[str, Any]) -> Iterator[Metric]:
    passes, fails = number(values.get("passes")), number(values.get("fails"))
    share = number(values["rate"] if "rate" in values else values.get("value"))
    n = None if passes is None or fails is None else int(passes + fails)
    # The rate of http_req_failed counts failures; a rate of checks, and of a user's own, counts successes.
    direction = Direction.BELOW if base in _FAILURE_RATES else Direction.ABOVE
    metric = "error_ratio" if base in _FAILURE_RATES else "ratio"
    yield figure(name, metric, share, "ratio", direction, n=n, extra={"statistic": "rate"})


def _unit(base: str, told: Mapping[str, Any]) -> str:
    contains = told.get("contains")
    if contains == "time" or (contains is None and _TIMES.fullmatch(base) and base not in _NOT_TIMES):
        return "ms"
    return "bytes" if contains == "data" else "count"


def _with_limit(metric: Metric, statistic: str, thresholds: Mapping[str, Any]) -> Metric:
    """Return a metric with the limit that a threshold set on it, and all its thresholds as text."""
    for expression in thresholds:
        found = _THRESHOLD.fullmatch(expression)
        if found is not None and found.group(1) == statistic:
            limit = _limit(found.group(3))
            if limit is not None:
                return replace(metric, limit=limit, extra={**metric.extra, "threshold": expression})
    return metric


def _limit(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None


def _checks(group: Mapping[str, Any], path: str) -> list[Metric]:
    """Return the share of failures of each check of a group and of those in it."""
    found: list[Metric] = []
    for check in _children(group.get("checks")):
        passes, fails = number(check.get("passes")), number(check.get("fails"))
        if passes is None or fails is None or passes + fails == 0:
            continue
        name = " :: ".join(part for part in (path, str(check.get("name", ""))) if part)
        total = passes + fails
        found.append(figure(f"check {name}", "error_ratio", fails / total, "ratio", n=int(total)))
    for child in _children(group.get("groups")):
        found += _checks(child, " :: ".join(part for part in (path, str(child.get("name", ""))) if part))
    return found


def _children(value: object) -> list[Mapping[str, Any]]:
    """Return a list of objects: k6 wrote them as an object by name before it wrote a list."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict)]
