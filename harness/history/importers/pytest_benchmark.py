"""pytest-benchmark: stored runs and ``--benchmark-json``, whose ``stats.data`` holds the raw durations."""

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
    moment,
    moment_text,
    number,
    raw_quantiles,
    read_json,
    text,
)
from harness.history_model import Distribution, Metric

FORMAT = "pytest-benchmark"
_TOLD = {"median", "mean", "min", "data", "stats"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is a run of pytest-benchmark."""
    return isinstance(document, dict) and "benchmarks" in document and "machine_info" in document


def read(source: Source) -> Account:
    """
    Import one run: of each benchmark median, mean, minimum, and p95 and p99 where the raw durations are told.

    Everything else that it says of a benchmark stands as text beside the median.

    Raises:
        NotThisFormatError: no list of benchmarks.
    """
    document = read_json(source)
    account = Account(FORMAT)
    benchmarks = document.get("benchmarks")
    if not isinstance(benchmarks, list):
        raise NotThisFormatError("its benchmarks are no list")
    metrics: list[Metric] = []
    distributions: list[Distribution] = []
    for benchmark in benchmarks:
        found = list(_metrics(mapping(benchmark)))
        if not found:
            account.miss("benchmark without a name or figures")
        metrics += found
        distributions += _distributions(mapping(benchmark))
    if "node" in mapping(document.get("machine_info")):
        account.miss("the machine's host name, which no history keeps")
    make_record(source, account, _facts(document), metrics=metrics, distributions=distributions)
    return account


def _facts(document: Mapping[str, Any]) -> Facts:
    commit, machine = mapping(document.get("commit_info")), mapping(document.get("machine_info"))
    cpu = mapping(machine.get("cpu"))
    python = text(machine.get("python_version")) or ""
    dirty = commit.get("dirty")
    environment = as_text(machine, without=("node", "cpu")) | {
        f"cpu_{name}": value
        for name, value in as_text(cpu, without=("flags", "hz_actual", "hz_actual_friendly")).items()
    }
    return Facts(
        at=moment(document.get("datetime")),
        commit=_commit(commit.get("id")),
        commit_utc=moment_text(commit.get("time") or commit.get("author_time")),
        dirty=dirty if isinstance(dirty, bool) else None,
        branch=_branch(commit.get("branch")),
        environment=environment,
        # What makes timings comparable: the patch level and the kernel do not.
        environment_parts=(
            text(cpu.get("brand_raw")) or text(cpu.get("brand")) or "",
            str(cpu.get("count") or ""),
            text(machine.get("system")) or "",
            text(machine.get("machine")) or "",
            text(machine.get("python_implementation")) or "",
            ".".join(python.split(".")[:2]),
        ),
        extra=as_text({"pytest-benchmark": document.get("version"), "project": commit.get("project")}),
    )


def _metrics(benchmark: Mapping[str, Any]) -> Iterator[Metric]:
    subject = text(benchmark.get("fullname")) or text(benchmark.get("name"))
    stats = mapping(benchmark.get("stats"))
    rounds = stats.get("rounds")
    n = rounds if isinstance(rounds, int) else None
    if subject is None or not stats:
        return
    extra = as_text(benchmark, without=("stats", "fullname")) | as_text(stats, without=_TOLD)
    yield figure(subject, "time", number(stats.get("median")), "s", quantile=0.5, n=n, extra=extra)
    yield figure(subject, "time_mean", number(stats.get("mean")), "s", n=n)
    yield figure(subject, "time_min", number(stats.get("min")), "s", n=n)
    yield from raw_quantiles(subject, "time", _data(stats), "s", 0.95, 0.99)


def _distributions(benchmark: Mapping[str, Any]) -> Iterator[Distribution]:
    subject = text(benchmark.get("fullname")) or text(benchmark.get("name"))
    found = None
    if subject is not None:
        found = distribution_of(subject, "time", _data(mapping(benchmark.get("stats"))))
    if found is not None:
        yield found


def _data(stats: Mapping[str, Any]) -> list[float]:
    raw = stats.get("data")
    return [value for value in map(number, raw) if value is not None] if isinstance(raw, list) else []


def _commit(value: object) -> str | None:
    found = text(value)
    return None if found in {None, "unversioned", "unknown"} else found


def _branch(value: object) -> str | None:
    found = text(value)
    return None if found is None or found.startswith("(") else found
