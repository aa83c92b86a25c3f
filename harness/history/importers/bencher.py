"""Bencher Metric Format: an object of benchmarks, each an object of measures with a value and maybe its bounds."""

from dataclasses import replace

from harness.history.importers.reading import (
    Account,
    Facts,
    Source,
    figure,
    make_record,
    mapping,
    number,
    read_json,
)
from harness.model import Direction, Interval

FORMAT = "bencher"

MEASURES = {
    "latency": ("ns", Direction.BELOW),
    "throughput": ("ops/s", Direction.ABOVE),
    "build-time": ("s", Direction.BELOW),
    "file-size": ("bytes", Direction.BELOW),
    "instructions": ("instructions", Direction.BELOW),
}
"""Bencher's built-in measures: unit, and the better side. Others have a unit that only the server knows."""

_BOUNDS = {"value", "lower_value", "upper_value"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is an object of objects of measures."""
    if not isinstance(document, dict) or not document:
        return False
    return all(
        isinstance(measures, dict)
        and measures
        and all(
            isinstance(measure, dict) and "value" in measure and measure.keys() <= _BOUNDS
            for measure in measures.values()
        )
        for measures in document.values()
    )


def read(source: Source) -> Account:
    """Import one run: each benchmark is a subject, each measure a metric."""
    account = Account(FORMAT)
    metrics = []
    for subject, measures in read_json(source).items():
        for name, measure in measures.items():
            told = mapping(measure)
            value = number(told.get("value"))
            if value is None:
                account.miss("measure without a number")
                continue
            unit, direction = MEASURES.get(name, (name, Direction.BELOW))
            if name not in MEASURES:
                account.miss(f"unit of the measure '{name}', which the file does not tell")
            low, high = number(told.get("lower_value")), number(told.get("upper_value"))
            interval = None if low is None and high is None else Interval(low=low, high=high)
            metrics.append(replace(figure(subject, name, value, unit, direction), interval=interval))
    make_record(source, account, Facts(), metrics=metrics)
    return account
