"""The statements of a query log, by the time they took."""

from pathlib import Path

from harness.errors import HarnessError, explain
from harness.indexes.records import CapturedStatement, Workload
from monitoring.logs.reader import LogReading, QueryRow

MOST_STATEMENTS = 10_000
"""Different texts kept. A service that builds values into its statements has more: the later ones are left out."""


def read_workload(path: Path) -> Workload:
    """
    Read ``database-queries.log`` of the monitoring layer, its rotated and compressed files included.

    Args:
        path: the current file.

    Raises:
        HarnessError: there is no such file, or it can't be read.
    """
    _check(path)
    reading = LogReading(path, QueryRow)
    totals: dict[str, list[float]] = {}
    for rows in reading:
        for row in rows:
            figures = totals.get(row.statement)
            if figures is None:
                if len(totals) >= MOST_STATEMENTS:
                    continue
                figures = totals[row.statement] = [0, 0.0, 0.0]
            figures[0] += 1
            figures[1] += row.duration_ms
            figures[2] = max(figures[2], row.duration_ms)
    coverage = reading.coverage
    statements = [
        CapturedStatement(text=text, calls=int(calls), total_s=total_ms / 1000, max_s=max_ms / 1000)
        for text, (calls, total_ms, max_ms) in totals.items()
    ]
    return Workload(
        statements=tuple(sorted(statements, key=lambda one: (-one.total_s, one.text))),
        lines=coverage.lines,
        bad_lines=coverage.bad_lines,
        text_lines=coverage.text_lines,
        damaged=coverage.damaged,
    )


def _check(path: Path) -> None:
    remedy = "the path of the monitoring layer's database-queries.log"
    try:
        # A pipe would be waited for, and its lines be gone for whom they are meant for.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise HarnessError(explain("file", str(path), fault="not a regular file", remedy=remedy))
        with path.open("rb"):
            return
    except OSError as fault:
        raise HarnessError(
            explain("file", str(path), fault=f"can't be read: {fault.strerror or fault}", remedy=remedy)
        ) from fault
