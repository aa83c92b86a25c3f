"""A history as the ``data.js`` of github-action-benchmark, which its page draws."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from harness.history.records import instant_s
from harness.history.series_names import quantile_text
from harness.history_model import HistoryRecord, Metric
from harness.model import Direction

_TOOLS = {
    Direction.BELOW: "customSmallerIsBetter",
    Direction.NEAR: "customSmallerIsBetter",
    Direction.ABOVE: "customBiggerIsBetter",
}
_IMPORTED = "github-action-benchmark"


def write_data_js(records: Iterable[HistoryRecord], out: TextIO) -> None:
    """
    Write ``window.BENCHMARK_DATA``, a suite a scenario.

    What came from such a file goes back as it was. Of other runs each figure becomes a bench. A suite has one
    better side only, so that rates stand in a suite of their own. A figure without a finite value is left out.
    """
    suites: dict[str, list[dict[str, Any]]] = {}
    latest_ms = 0
    repository = ""
    for record in records:
        date_ms = round(instant_s(record.at_utc) * 1000)
        latest_ms = max(latest_ms, date_ms)
        repository = record.extra.get("repository", repository)
        for suite, tool, benches in _suites(record):
            entry = {"commit": _commit(record), "date": date_ms, "tool": tool, "benches": benches}
            suites.setdefault(suite, []).append(entry)
    document = {"lastUpdate": latest_ms, "repoUrl": repository, "entries": suites}
    out.write(f"window.BENCHMARK_DATA = {json.dumps(document, indent=1, ensure_ascii=False)}\n")


def _suites(record: HistoryRecord) -> Iterable[tuple[str, str, list[dict[str, Any]]]]:
    name = record.scenario or record.source
    if record.source == _IMPORTED and "tool" in record.extra:
        yield name, record.extra["tool"], [_bench(metric, metric.subject) for metric in record.metrics]
        return
    by_tool: dict[str, list[dict[str, Any]]] = {}
    for metric in record.metrics:
        if metric.value is not None and abs(metric.value) != float("inf"):
            by_tool.setdefault(_TOOLS[metric.direction], []).append(_bench(metric, _name(metric)))
    for tool, benches in by_tool.items():
        larger = tool == _TOOLS[Direction.ABOVE]
        yield f"{name} (larger is better)" if larger else name, tool, benches


def _name(metric: Metric) -> str:
    return " ".join(part for part in (metric.subject, metric.metric, quantile_text(metric.quantile)) if part)


def _bench(metric: Metric, name: str) -> dict[str, Any]:
    told = {key: metric.extra[key] for key in ("range", "extra") if key in metric.extra}
    return {"name": name, "unit": metric.unit, "value": metric.value, **told}


def _commit(record: HistoryRecord) -> Mapping[str, Any]:
    told = record.extra.get("commit")
    if told is not None:
        kept: Mapping[str, Any] = json.loads(told)
        return kept
    return {
        "author": {"name": "", "username": ""},
        "committer": {"name": "", "username": ""},
        "id": record.commit or "",
        "message": record.version or "",
        "timestamp": record.commit_utc or record.at_utc,
        "url": "",
    }
