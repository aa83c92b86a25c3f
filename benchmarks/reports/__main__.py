"""
Measure reports over a day of fifty agents: ``python -m benchmarks.reports [--megabytes 60] [--hours 24]``.

Each line is the median of several runs. "Beyond start-up" is the work itself, in one process that has everything
imported; start-up is measured by processes of their own.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.reports.day import END_S, write_logs, write_store
from monitoring.checklist import check
from monitoring.diagnosis import diagnose
from monitoring.report import Places, make_report
from monitoring.reports.forms import RENDERERS, as_json
from monitoring.reports.records import Window
from monitoring.reports.sections import document
from monitoring.units import utc


def median_s(work: Callable[[], object], runs: int) -> float:
    """Return the median time of `runs` calls [s]."""
    times = []
    for _ in range(runs):
        start_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - start_s)
    return statistics.median(times)


def process(*argv: str) -> Callable[[], object]:
    """Return a call that runs this Python with these arguments."""
    return lambda: subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--megabytes", type=float, default=60.0, help="log files altogether (default: %(default)g)"
    )
    parser.add_argument("--hours", type=float, default=24.0, help="length of the store (default: %(default)g)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: %(default)s)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), chosen.megabytes, chosen.hours, chosen.runs)


def measure(folder: Path, megabytes: float, hours: float, runs: int) -> None:
    lines = write_logs(folder, megabytes)
    store = folder / "master-backend.metrics.sqlite"
    write_store(store, hours)
    size = sum(path.stat().st_size for path in folder.glob("*.log*"))
    held = f"{hours:g} h of store in {store.stat().st_size / 1e6:.1f} MB"
    print(f"{size / 1e6:.0f} MB of logs in {lines:,} lines, {held}")
    until = utc(END_S)
    window = Window(since=until - timedelta(hours=hours), until=until)
    both = Places(service="master-backend", logs=folder, store=store)
    stored = Places(service="master-backend", logs=None, store=store)
    logged = Places(service="master-backend", logs=folder, store=None)
    report = make_report(both, window, generated=until)
    assert report.now is not None
    print(f"report of {report.now.totals.total_requests:,} requests, medians of {runs} runs:")
    steps: dict[str, Callable[[], object]] = {
        "python starts": process("-c", "pass"),
        "imports of the report": process("-c", "import monitoring.report, monitoring.reports.arguments"),
        "report, store and logs": lambda: make_report(both, window, generated=until),
        "  of the store alone": lambda: make_report(stored, window, generated=until),
        "  of the logs alone": lambda: make_report(logged, window, generated=until),
        "as JSON": lambda: as_json(report),
        **{f"as {form}": _rendering(form, report) for form in RENDERERS},
        "daily checklist": lambda: check(report, "daily"),
        "diagnosis": lambda: diagnose(report),
        "monitoring report --help": process("-m", "monitoring.generate_report", "--help"),
        "monitoring report, whole": process(
            *("-m", "monitoring.generate_report", "--logs", str(folder)),
            *("--until", until.isoformat(), "--output", str(folder / "report.json")),
        ),
    }
    for label, work in steps.items():
        print(f"  {label:26} {median_s(work, runs) * 1e3:8.1f} ms")


def _rendering(form: str, report: object) -> Callable[[], object]:
    return lambda: RENDERERS[form](document(report))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
