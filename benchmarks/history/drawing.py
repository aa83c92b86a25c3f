"""
What drawing a trend costs: ``python -m benchmarks.history.drawing``.

CPU seconds of whole processes for the command, of this one for the page of many series.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from harness.cli import main as harness_main
from harness.history.store import open_history
from harness.history_model import Series
from harness.report.trend.chart import Settings
from harness.report.trend.groups import groups_of
from harness.report.trend.page import render_page
from tests.harness.trends import judged, noisy, quantile_trio, records_of, series_of_values, trend_of


def store(folder: Path, series: tuple[Series, ...]) -> None:
    """Write a history of these series."""
    history = open_history(folder)
    for record in records_of(*series):
        history.add(record)


def command_s(history: Path, out: Path, *flags: str) -> float:
    """Return the CPU seconds of one call from the shell."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "benchmarks.history.drawing", "--call", str(history), str(out), *flags],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def many(series: int, runs: int) -> None:
    """Print what the page of many series costs, judged before."""
    made = [
        judged(
            series_of_values(noisy(runs, 0.01, seed=i), subject=f"benchmarks/test_x.py::test_{i}", quantile=0),
            [(runs // 2, "confirmed")] if i % 40 == 0 else [],
        )
        for i in range(series)
    ]
    trend = trend_of(*made)
    begin = time.process_time()
    page = render_page(
        trend, groups_of(trend.series), Settings(), title="Trend", made="", link=lambda report: report
    )
    spent = time.process_time() - begin
    print(f"page, {series} series x {runs:,} runs: {spent:.2f} s CPU, {len(page) / 1e6:.1f} MB")


def main() -> int:
    """Print the table of docs/trend.md."""
    if sys.argv[1:2] == ["--call"]:
        history, out, *flags = sys.argv[2:]
        harness_main(["trend", "--history", history, "--out", out, *flags])
        return 0
    os.environ.setdefault("COLUMNS", "100")
    trio = tuple(replace(one.series, left_out={}) for one in quantile_trio(100))
    with tempfile.TemporaryDirectory() as folder:
        for name, series in (("1 series x 100 runs", trio[1:2]), ("3 series x 100 runs", trio)):
            place = Path(folder, name.replace(" ", "-"))
            store(place / "history", series)
            for what, form in (
                ("all files", ()),
                ("page alone", ("--format", "html")),
                ("table", ("--format", "none")),
            ):
                best = min(command_s(place / "history", place / f"out{i}", *form) for i in range(3))
                print(f"{name}, {what}: {best:.2f} s CPU")
    many(200, 1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
