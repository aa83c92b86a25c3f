"""Which records have a published schema, and where its file lies."""

from pathlib import Path

from harness.ab.job import AbResult
from harness.comparison.comparing import Compared
from harness.gating.benchmark_judge import BenchmarkVerdict
from harness.model import Result
from harness.report.schema import schema_text
from harness.selftest.outcome import SelftestReport

KINDS: dict[str, type] = {
    "result": Result,
    "benchmarks": BenchmarkVerdict,
    "selftest": SelftestReport,
    "compare": Compared,
    "ab": AbResult,
}
"""Name → the record that the schema describes."""


def schema_path(name: str) -> Path:
    """Return the file that holds the schema of a kind."""
    return Path(__file__).with_name(f"{name}.schema.json")


def write_schemas() -> None:
    """Write every file anew from its record: ``python -m harness.schemas``."""
    for name, kind in KINDS.items():
        schema_path(name).write_text(schema_text(kind), encoding="utf-8")
