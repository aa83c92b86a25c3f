"""
Stored results of comparisons with peers: a JSON file each in ``benchmarks/results``, drawn by `benchmarks.plots`.

A result holds ratios to one of its own rows, taken in the same run and in turns, with the environment beside them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.environment import describe_environment
from harness.rundir import write_atomically

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One contender.

    Args:
        name: of the contender, with its version where that matters.
        value: median over the rounds, in the result's unit; None when it could not be measured.
        low: lowest of the rounds.
        high: highest of the rounds.
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
        smaller_is_better: which side is the better one.
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
    smaller_is_better: bool
    rounds: int
    rows: Sequence[Row]
    command: str
    measured_utc: str
    environment: Mapping[str, str]


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
        f"| {comparison.title} | ratio | {comparison.quantity} [{comparison.unit}] | rounds from, to | |",
        "|---|---:|---:|---:|---|",
    ]
    for row in comparison.rows:
        name = f"**{row.name}**" if row.ours else row.name
        if row.value is None:
            lines.append(f"| {name} | ? | ? | | {row.note or ''} |")
            continue
        ratio = f"{row.value / base:.2f}" if base else "?"
        spread = f"{row.low:.3g}, {row.high:.3g}" if row.low is not None and row.high is not None else ""
        lines.append(f"| {name} | {ratio} | {row.value:.3g} | {spread} | {row.note or ''} |")
    return "\n".join(lines)
