"""github-action-benchmark: one run as an array of figures, or a whole history as ``window.BENCHMARK_DATA``."""

import json
from collections.abc import Iterator, Mapping
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
    moment,
    moment_text,
    number,
    read_json,
    text,
)
from harness.history.series_units import canonical_unit
from harness.history_model import Metric
from harness.model import Direction

FORMAT = "github-action-benchmark"
DATA_MARK = b"window.BENCHMARK_DATA"

METRICS = {"s": "time", "per_s": "rate", "bytes": "size"}
"""What a figure is called by its kind of unit; ``value`` for any other."""

_BIGGER = {"customBiggerIsBetter", "benchmarkjs", "pytest"}
_SMALLER = {"customSmallerIsBetter"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is an array of figures, or what stands in a ``data.js``."""
    if isinstance(document, dict):
        return "entries" in document and "lastUpdate" in document
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(item, dict) and {"name", "unit", "value"} <= item.keys() for item in document)
    )


def read(source: Source) -> Account:
    """
    Import an array as one record, or each entry of a history as one.

    Raises:
        NotThisFormatError: neither.
    """
    account = Account(FORMAT)
    document = _document(source)
    if isinstance(document, list):
        # An array does not tell what made it; only a rate is surely better when it is larger.
        make_record(source, account, Facts(), metrics=_metrics(document, "", account))
        return account
    entries = document.get("entries")
    if not isinstance(entries, dict):
        raise NotThisFormatError("its entries are no object")
    for suite, runs in entries.items():
        for run in runs if isinstance(runs, list) else ():
            _read_run(source, account, suite, mapping(run), repository=text(document.get("repoUrl")))
    return account


def _document(source: Source) -> Any:
    if DATA_MARK not in source.content[:1000]:
        return read_json(source)
    try:
        script = source.content.decode("utf-8-sig").partition("=")[2].strip()
        return mapping(json.loads(script.removesuffix(";")))
    except (ValueError, RecursionError) as fault:
        raise NotThisFormatError(f"its window.BENCHMARK_DATA is no JSON: {fault}") from fault


def _read_run(
    source: Source, account: Account, suite: str, run: Mapping[str, Any], *, repository: str | None
) -> None:
    commit, tool = mapping(run.get("commit")), text(run.get("tool")) or ""
    benches = run.get("benches")
    if not isinstance(benches, list):
        account.miss("entry without benches")
        return
    facts = Facts(
        at=moment(run.get("date")),
        commit=text(commit.get("id")),
        commit_utc=moment_text(commit.get("timestamp")),
        scenario=suite,
        extra=as_text({"tool": tool, "repository": repository, "commit": dict(commit)}),
    )
    material = json.dumps([suite, run], sort_keys=True).encode()
    make_record(source, account, facts, metrics=_metrics(benches, tool, account), material=material)


def _metrics(benches: list[Any], tool: str, account: Account) -> Iterator[Metric]:
    for bench in map(mapping, benches):
        name, value = text(bench.get("name")), _value(bench.get("value"))
        if name is None or value is None:
            account.miss("bench without a name or a number")
            continue
        unit = bench.get("unit")
        unit = unit if isinstance(unit, str) else ""
        kind, _ = canonical_unit(unit)
        extra = as_text(bench, without=("name", "value", "unit"))
        yield figure(name, METRICS.get(kind, "value"), value, unit, _direction(tool, kind), extra=extra)


def _value(value: object) -> float | None:
    """Return a number; some makers write it as text."""
    if isinstance(value, str):
        try:
            return number(float(value))
        except ValueError:
            return None
    return number(value)


def _direction(tool: str, kind: str) -> Direction:
    if tool in _BIGGER:
        return Direction.ABOVE
    if tool in _SMALLER:
        return Direction.BELOW
    return Direction.ABOVE if kind == "per_s" else Direction.BELOW
