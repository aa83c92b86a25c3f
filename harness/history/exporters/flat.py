"""Figures as a flat table: JSON for programs, CSV for spreadsheets. One row is one figure of one run."""

import csv
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from harness.history.records import plain_of
from harness.history_model import HISTORY_SCHEMA_VERSION, Acceptance, HistoryRecord, Metric, Note

FLAT_FORMAT = "pollgauge-history"

_RUN_COLUMNS = (
    *("id", "at_utc", "source", "commit", "commit_utc", "dirty", "branch", "version", "environment_key"),
    *("scenario", "scenario_digest", "target", "status", "complete", "injected", "report"),
)
_FIGURE_COLUMNS = (
    *("subject", "metric", "quantile", "value", "unit", "direction", "n", "low", "high", "limit", "exceedances"),
)


def write_flat(records: Iterable[HistoryRecord], out: TextIO, *, marks: Sequence[Acceptance | Note] = ()) -> None:
    """
    Write one JSON object: the runs in ``runs``, their figures in ``figures``, each row with the id of its run.

    Nothing is lost: `harness history add` reads it back, with distributions, acceptances and notes.
    """
    figures: list[str] = []
    out.write(f'{{"format": "{FLAT_FORMAT}", "schema_version": {HISTORY_SCHEMA_VERSION}, "runs": [')
    for position, record in enumerate(records):
        plain = plain_of(record)
        figures += (_line({"run": record.id, **metric}) for metric in plain.pop("metrics", []))
        out.write((",\n  " if position else "\n  ") + _line(plain))
    acceptances = [_line(plain_of(mark)) for mark in marks if isinstance(mark, Acceptance)]
    notes = [_line(plain_of(mark)) for mark in marks if isinstance(mark, Note)]
    for name, lines in (("figures", figures), ("acceptances", acceptances), ("notes", notes)):
        out.write(f'\n], "{name}": [')
        for position, line in enumerate(lines):
            out.write((",\n  " if position else "\n  ") + line)
    out.write("\n]}\n")


def write_csv(records: Iterable[HistoryRecord], out: TextIO) -> None:
    """Write a table with a head. What is not known is an empty cell, never 0; a figure without end is ``inf``."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow((*_RUN_COLUMNS, *_FIGURE_COLUMNS))
    for record in records:
        head = [_cell(getattr(record, name)) for name in _RUN_COLUMNS]
        for metric in record.metrics:
            table.writerow((*head, *_figure_cells(metric)))


def _figure_cells(metric: Metric) -> list[str]:
    interval = metric.interval
    bounds = {"low": None, "high": None} if interval is None else {"low": interval.low, "high": interval.high}
    return [_cell(bounds[name] if name in bounds else getattr(metric, name)) for name in _FIGURE_COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
