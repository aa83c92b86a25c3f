"""
Stored results of comparisons with peers: a JSON file each in ``benchmarks/results``, drawn by `benchmarks.plots`.

A result holds ratios to one of its own rows, taken in the same run and in turns, with the environment beside them.
"""

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.environment import describe_environment
from harness.rundir import write_atomically

SHOWN_DECIMALS = 0.1
SHOWN_DIGITS = 1000.0
FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One contender.

    Args:
        name: of the contender, with its version where that matters.
        value: median over the rounds, in the result's unit; None when it could not be measured.
        low: lowest of the rounds, or their first quartile where the result's quantity says so.
        high: highest of the rounds, or their third quartile.
        ours: whether it is this project.
        note: why there is no value, or what else a reader should know.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    ours: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    A comparison with peers.

    Args:
        name: of the file, without its suffix.
        title: what is compared, for people.
        quantity: what a value is, such as ``CPU of a request``.
        unit: of the values.
        baseline: name of the row that ratios refer to.
        smaller_is_better: which side is the better one; None where the baseline is the truth.
        rounds: how often each contender had its turn.
        rows: the contenders.
        command: that made it.
        measured_utc: ISO 8601.
        environment: what the figures depend on.
    """

    name: str
    title: str
    quantity: str
    unit: str
    baseline: str
    smaller_is_better: bool | None
    rounds: int
    rows: Sequence[Row]
    command: str
    measured_utc: str
    environment: Mapping[str, str]


def row_of(name: str, rounds: Sequence[float], *, ours: bool = False, note: str | None = None) -> Row:
    """Return a contender's row from one value a round, in the result's unit."""
    return Row(name=name, value=statistics.median(rounds), low=min(rounds), high=max(rounds), ours=ours, note=note)


def environment(**packages: str) -> dict[str, str]:
    """Return what a timing depends on; `packages` are the contenders' versions."""
    found = describe_environment()
    return {
        "cpu": found.cpu or "?",
        "cores": str(found.cores),
        "platform": found.platform,
        "python": found.python,
        **packages,
    }


def now_utc() -> str:
    """Return the present instant, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def store(comparison: Comparison) -> Path:
    """Write a comparison to its file, and return the path."""
    path = FOLDER / f"{comparison.name}.json"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, (json.dumps(asdict(comparison), indent=2, ensure_ascii=False) + "\n").encode())
    return path


def load(path: Path) -> Comparison:
    """Read a comparison back."""
    fields = json.loads(path.read_bytes())
    return Comparison(**{**fields, "rows": tuple(Row(**row) for row in fields["rows"])})


def table(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table, ratios first."""
    base = next(row.value for row in comparison.rows if row.name == comparison.baseline)
    lines = [
        f"| {comparison.title} | ratio | {comparison.quantity} [{comparison.unit}] | spread | |",
        "|---|---:|---:|---:|---|",
    ]
    for row in comparison.rows:
        name = f"**{row.name}**" if row.ours else row.name
        if row.value is None:
            lines.append(f"| {name} | ? | ? | | {row.note or ''} |")
            continue
        ratio = ratio_text(row.value / base) if base else "?"
        spread = f"{_text(row.low)}, {_text(row.high)}" if row.low is not None and row.high is not None else ""
        lines.append(f"| {name} | {ratio} | {_text(row.value)} | {spread} | {row.note or ''} |")
    return "\n".join(lines)


def show(comparison: Comparison, *, keep: bool) -> None:
    """Print a comparison and what its figures depend on; keep it in its file where that is asked for."""
    print(table(comparison))
    print(", ".join(f"{name} {value}" for name, value in comparison.environment.items()))
    if keep:
        print(f"stored: {os.path.relpath(store(comparison))}")


def ratio_text(ratio: float) -> str:
    """Return a ratio with two decimals, or with two digits where those would show little or nothing."""
    return f"{ratio:.2f}" if ratio >= SHOWN_DECIMALS else f"{ratio:.2g}"


def _text(value: float) -> str:
    return f"{value:.3g}" if value < SHOWN_DIGITS else f"{value:,.0f}"
