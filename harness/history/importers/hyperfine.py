"""hyperfine: ``--export-json``, whose ``times`` are the raw durations."""

from collections.abc import Iterator, Mapping
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
    number,
    raw_quantiles,
    read_json,
    text,
)
from harness.history_model import Metric

FORMAT = "hyperfine"
_TOLD = {"command", "times", "mean", "median", "min", "user", "system"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is an export of hyperfine."""
    results = document.get("results") if isinstance(document, dict) else None
    return isinstance(results, list) and all(isinstance(item, dict) and "command" in item for item in results)


def read(source: Source) -> Account:
    """
    Import one export: each command is a subject; its parameters are part of its name.

    Raises:
        NotThisFormatError: no results in it.
    """
    results = read_json(source).get("results")
    if not results:
        raise NotThisFormatError("no results in it")
    account = Account(FORMAT)
    metrics: list[Metric] = []
    distributions = []
    for result in map(mapping, results):
        subject, times = text(result.get("command")), result.get("times")
        if subject is None:
            account.miss("result without a command")
            continue
        values = [value for value in map(number, times) if value is not None] if isinstance(times, list) else []
        metrics += _metrics(subject, result, values)
        found = distribution_of(subject, "time", values)
        distributions += [] if found is None else [found]
    make_record(source, account, Facts(), metrics=metrics, distributions=distributions)
    return account


def _metrics(subject: str, result: Mapping[str, Any], times: list[float]) -> Iterator[Metric]:
    n = len(times) or None
    extra = as_text(result, without=_TOLD)
    yield figure(subject, "time", number(result.get("median")), "s", quantile=0.5, n=n, extra=extra)
    yield from raw_quantiles(subject, "time", times, "s", 0.95, 0.99)
    for name, key in (
        ("time_mean", "mean"),
        ("time_min", "min"),
        ("user_time", "user"),
        ("system_time", "system"),
    ):
        if key in result:
            yield figure(subject, name, number(result.get(key)), "s", n=n)
    codes = result.get("exit_codes")
    if isinstance(codes, list) and codes:
        failed = sum(1 for code in codes if code != 0)
        yield figure(subject, "error_ratio", failed / len(codes), "ratio", n=len(codes))
