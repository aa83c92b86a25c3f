"""airspeed velocity: a machine's result files; units and names of parameters come from ``benchmarks.json``."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.history.importers.reading import (
    Account,
    Facts,
    NotThisFormatError,
    Source,
    as_text,
    distribution_of,
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
from harness.history_model import Distribution, Metric
from harness.model import Interval

FORMAT = "asv"

_NAMED_UNITS = {"time_": "seconds", "timeraw_": "seconds", "mem_": "bytes", "peakmem_": "bytes"}
_KINDS = {"s": "time", "bytes": "size", "per_s": "rate"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is a result file."""
    return (
        isinstance(document, dict)
        and "commit_hash" in document
        and isinstance(document.get("results"), dict)
        and ("params" in document or "env_name" in document)
    )


def is_beside(document: object) -> bool:
    """Tell whether JSON is a file that belongs to the results: the machine's, or the list of benchmarks."""
    if not isinstance(document, dict):
        return False
    is_machine = {"machine", "arch", "version"} <= document.keys()
    listed = [value for value in document.values() if isinstance(value, dict)]
    return is_machine or (bool(listed) and all({"code", "name", "params"} <= value.keys() for value in listed))


def read(source: Source) -> Account:
    """
    Import one result file: each benchmark with each combination of parameters is a subject.

    Failed benchmarks (null) and skipped ones (NaN) are kept without a value.

    Raises:
        NotThisFormatError: no results in it.
    """
    document = read_json(source)
    if not document["results"]:
        raise NotThisFormatError("no results in it")
    account = Account(FORMAT)
    known = _benchmarks(source, account)
    columns = document.get("result_columns")
    metrics: list[Metric] = []
    distributions: list[Distribution] = []
    started: list[object] = []
    for name, written in document["results"].items():
        row = _row(written, columns)
        told_version = row.get("version") or mapping(document.get("benchmark_version")).get(name)
        benchmark = mapping(known.get(name))
        subject = name
        if told_version and benchmark.get("version") and str(told_version) != str(benchmark["version"]):
            # Another version of a benchmark measures something else.
            subject = f"{name} (version {str(told_version)[:8]})"
        unit = text(benchmark.get("unit")) or _named_unit(name)
        for metric, samples in _combinations(subject, row, unit, benchmark):
            metrics.append(metric)
            found = distribution_of(metric.subject, metric.metric, samples) if unit == "seconds" else None
            distributions += [] if found is None else [found]
        started.append(row.get("started_at"))
    make_record(source, account, _facts(document, started), metrics=metrics, distributions=distributions)
    return account


def _facts(document: Mapping[str, Any], started: Sequence[object]) -> Facts:
    machine, needs = mapping(document.get("params")), mapping(document.get("requirements"))
    starts = [instant for instant in map(moment, started) if instant is not None]
    python = text(document.get("python")) or ""
    environment = as_text(machine) | {f"requires_{name}": str(version) for name, version in needs.items()}
    return Facts(
        at=min(starts) if starts else moment(document.get("date")),
        commit=text(document.get("commit_hash")),
        commit_utc=moment_text(document.get("date")),
        environment=environment,
        environment_parts=(
            *(str(machine.get(name) or "") for name in ("machine", "arch", "cpu", "os")),
            python,
            json.dumps(needs, sort_keys=True),
        ),
        notes=() if starts else ("Dated by its commit: the file does not tell when it was measured.",),
        extra=as_text({"env_name": document.get("env_name"), "python": python}),
    )


def _benchmarks(source: Source, account: Account) -> Mapping[str, Any]:
    """Read the list of benchmarks that asv keeps in the folder above the machine's."""
    path = source.path.parent.parent / "benchmarks.json"
    try:
        return mapping(json.loads(path.read_bytes()))
    except OSError:
        account.miss("unit of the benchmarks: no benchmarks.json in the folder above, told by their names")
    except ValueError:
        account.miss("unit of the benchmarks: benchmarks.json is torn, told by their names")
    return {}


def _row(written: object, columns: object) -> Mapping[str, Any]:
    """Return one benchmark's results by name, in the three shapes that asv has written them in."""
    if isinstance(written, dict):
        return written
    if isinstance(written, list) and isinstance(columns, list):
        return dict(zip(columns, written, strict=False))
    return {"result": written}


def _combinations(
    subject: str, row: Mapping[str, Any], unit: str, benchmark: Mapping[str, Any]
) -> Iterator[tuple[Metric, list[float]]]:
    results = row.get("result")
    results = results if isinstance(results, list) else [results]
    parameters = row.get("params")
    sets = [values for values in parameters if isinstance(values, list)] if isinstance(parameters, list) else []
    combinations = list(itertools.product(*sets))
    kind, _ = canonical_unit(unit)
    for position, result in enumerate(results):
        value = number(result)
        state = {} if value is not None else {"state": "failed" if result is None else "skipped"}
        values = combinations[position] if position < len(combinations) else ()
        metric = figure(
            f"{subject}{_parameter_text(values, benchmark.get('param_names'))}",
            _KINDS.get(kind, "value"),
            value,
            unit,
            quantile=0.5 if kind == "s" else None,
            extra=as_text(_statistics(row, position)) | state,
        )
        yield replace(metric, interval=_interval(row, position)), _samples(row, position)


def _parameter_text(values: Sequence[object], names: object) -> str:
    if not values:
        return ""
    known = names if isinstance(names, list) else []
    pairs = itertools.zip_longest(known[: len(values)], values)
    return f"({', '.join(f'{name}={value}' if name else str(value) for name, value in pairs)})"


def _statistics(row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """Return what asv tells of the spread, without what is told elsewhere."""
    listed = row.get("stats")
    told = dict(mapping(listed[position])) if isinstance(listed, list) and position < len(listed) else {}
    for name, values in row.items():
        if name.startswith("stats_") and isinstance(values, list) and position < len(values):
            told[name.removeprefix("stats_")] = values[position]
    return {name: value for name, value in told.items() if not name.startswith("ci_99")}


def _interval(row: Mapping[str, Any], position: int) -> Interval | None:
    listed = row.get("stats")
    if isinstance(listed, list) and position < len(listed):
        bounds = mapping(listed[position]).get("ci_99")
        if isinstance(bounds, list) and len(bounds) == 2:
            return _bounds(bounds[0], bounds[1])
    low, high = row.get("stats_ci_99_a"), row.get("stats_ci_99_b")
    if isinstance(low, list) and isinstance(high, list) and position < min(len(low), len(high)):
        return _bounds(low[position], high[position])
    return None


def _bounds(low: object, high: object) -> Interval | None:
    ends = [None if value in {"-inf", "inf"} else number(value) for value in (low, high)]
    return None if ends == [None, None] else Interval(low=ends[0], high=ends[1])


def _samples(row: Mapping[str, Any], position: int) -> list[float]:
    listed = row.get("samples")
    if not isinstance(listed, list) or position >= len(listed) or not isinstance(listed[position], list):
        return []
    return [value for value in map(number, listed[position]) if value is not None]


def _named_unit(name: str) -> str:
    own = name.rpartition(".")[2]
    return next((unit for prefix, unit in _NAMED_UNITS.items() if own.startswith(prefix)), "unit")
