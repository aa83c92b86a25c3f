"""`harness trend`: what became of every metric over the runs, as charts and as an exit code."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, HarnessError, UsageError, explain
from harness.project import add_history_argument, history_place
from harness.units import parse_instant

if TYPE_CHECKING:
    from harness.history.progress import Progress
    from harness.history.store import History
    from harness.history_model import Trend
    from harness.report.trend.files import Order

EPILOG = """\
Every figure of every run in the history is a point of a series; all series are searched for changes and judged
together. A change with fewer than five runs after it is only suspected. A page for people, a picture of each chart
and the whole as data are written into --out. Quantiles of one thing share a chart, every other series has its own.
Of a very large history ask for less: --since and --metric shorten what is read, --last what is judged and drawn.

examples:
  harness trend
  harness trend --history perf-history --metric response_time --last 200
  harness trend --control '*hdf5-1.14*' --fail-on-regression
  harness trend --format html --out public/trend
  harness trend --dated --keep 30 --out trends              for cron: dated folders and an index page
  harness trend accept '*pending* p95' --run 20261123T083000Z-3f9a --reason 'sorted answers, wanted'
  harness trend note v1.5.0 --release

exit codes: 0 done, 3 a confirmed regression that nobody accepted (with --fail-on-regression), 4 nothing could be
judged, 1 own error, 2 usage
"""

_ACCEPT_EPILOG = """\
examples:
  harness trend accept '*pending* response_time p95' --run 20261123T083000Z-3f9a --reason 'answers are sorted now'
  harness trend accept '*' --run latest --reason 'a new machine'
"""
_NOTE_EPILOG = """\
examples:
  harness trend note v1.5.0 --release
  harness trend note 'new database host' --at 2026-11-20T14:00
"""

_FORMATS = ("html", "png", "svg", "none")


def add_trend_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness trend`, `harness trend accept` and `harness trend note`."""
    add_history_argument(parser)
    _add_selection(parser)
    _add_output(parser)
    parser.set_defaults(trend_action=_run_trend)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    # An option that is left out after the action must not undo the one before it: hence no defaults there.
    accept = actions.add_parser(
        "accept",
        help="say that a change is wanted: the series starts anew at a run",
        description="Say that a change is wanted: it fails nothing more, and the series starts anew at the run.",
        epilog=_ACCEPT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    accept.add_argument("series", metavar="SERIES", help="name of the series, * for any text")
    accept.add_argument(
        "--run",
        required=True,
        metavar="RUN",
        help="first run after the change: its id, the beginning of it, or 'latest'",
    )
    accept.add_argument(
        "--reason", required=True, metavar="TEXT", help="why it is wanted, for those who come later"
    )
    add_history_argument(accept)
    accept.set_defaults(trend_action=_accept)
    note = actions.add_parser(
        "note",
        help="note a release or an event; the charts show it",
        description="Note a release or an event; the charts show it.",
        epilog=_NOTE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    note.add_argument("text", metavar="TEXT", help="what, in a few words")
    note.add_argument("--release", action="store_true", default=False, help="it is a release")
    note.add_argument(
        "--at", metavar="TIME", default=None, help="when, ISO 8601, UTC unless it says otherwise (default: now)"
    )
    add_history_argument(note)
    note.set_defaults(trend_action=_note)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_argument_group("what is shown")
    for name, what in (
        ("--metric", "metrics"),
        ("--subject", "routes, indexes or benchmarks"),
        ("--scenario", "scenarios"),
    ):
        chosen.add_argument(
            name, action="append", metavar="PATTERN", help=f"only these {what}; * for any text; may be given again"
        )
    chosen.add_argument("--environment", metavar="KEY", help="only runs of machines with this key")
    chosen.add_argument("--branch", metavar="NAME", help="only runs of this branch")
    chosen.add_argument(
        "--order", choices=("time", "commit"), default="time", help="order of the runs (default: %(default)s)"
    )
    chosen.add_argument("--since", metavar="TIME", help="only runs from this time on, such as 2026-11-01")
    chosen.add_argument("--last", type=int, metavar="N", help="only the last N runs of each series")
    chosen.add_argument(
        "--rename",
        action="append",
        metavar="OLD=NEW",
        help="a subject or metric that changed its name, with one * for the same text in both; may be given again",
    )
    chosen.add_argument("--renames", type=Path, metavar="FILE", help="a JSON object of old names and new ones")
    chosen.add_argument(
        "--control",
        action="append",
        metavar="PATTERN",
        help="subjects or series that are controls: frozen things that tell of the machine alone",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, default=Path("trend"), metavar="DIR", help="default: %(default)s")
    output.add_argument(
        "--format",
        action="append",
        choices=_FORMATS,
        help="what to write: html, png, svg, or none for the table alone; may be given again (default: all)",
    )
    scale = output.add_mutually_exclusive_group()
    scale.add_argument("--log", action="store_true", help="logarithmic axes (default: the data choose)")
    scale.add_argument("--linear", action="store_true", help="linear axes")
    output.add_argument("--title", default="Performance trend", help="heading (default: %(default)s)")
    output.add_argument(
        "--dated",
        action="store_true",
        help="write into a folder of --out named after the time, with an index page",
    )
    output.add_argument("--keep", type=int, metavar="N", help="with --dated: keep the newest N of them")
    output.add_argument(
        "--fail-on-regression", action="store_true", help="exit 3 with a confirmed regression that nobody accepted"
    )
    output.add_argument("--json", action="store_true", help="print the trend as JSON")


def run_trend(parsed: argparse.Namespace) -> int:
    """
    Do what the options say, and return the exit code.

    Raises:
        UsageError: options that can't work.
        HarnessError: the history can't be read, or the files can't be written.
    """
    action: Callable[[argparse.Namespace], int] = parsed.trend_action
    return action(parsed)


def _run_trend(parsed: argparse.Namespace) -> int:
    _check(parsed)
    from harness.history.progress import ProgressLine
    from harness.history.store import open_history

    now = datetime.now(UTC)
    with ProgressLine(sys.stderr) as progress:
        history = open_history(history_place(parsed.history), progress=progress)
        trend = _judge(parsed, history, now, progress)
    formats = _formats(parsed)
    written = None
    if not trend.series:
        is_there = "://" in history.where or Path(history.where).is_dir()
        fault = "holds no figure that fits" if is_there else "there is no such folder"
        _say(explain("history", history.where, fault=fault, remedy="harness history list"))
    elif formats:
        written = _write(trend, parsed, _order(parsed, history.where, now, formats), now)
    _print(trend, written, as_json=parsed.json)
    return _exit_code(trend, fail_on_regression=parsed.fail_on_regression)


def _check(parsed: argparse.Namespace) -> None:
    _text(parsed.title, "--title")
    for name, value in (("--last", parsed.last), ("--keep", parsed.keep)):
        if value is not None and value < 1:
            raise UsageError(explain("option", name, fault="too small", got=value, need="1 or more"))
    if parsed.keep is not None and not parsed.dated:
        raise UsageError(explain("option", "--keep", fault="keeps dated folders only", remedy="--dated with it"))
    if parsed.format and "none" in parsed.format and len(set(parsed.format)) > 1:
        raise UsageError(explain("option", "--format", fault="none goes with no other format"))
    if parsed.dated and parsed.format and "none" in parsed.format:
        raise UsageError(
            explain("option", "--dated", fault="has nothing to write", remedy="leave --format none out")
        )


def _judge(parsed: argparse.Namespace, history: "History", now: datetime, progress: "Progress") -> "Trend":
    from harness.history.series import SeriesFilter
    from harness.history.series_names import read_renames
    from harness.trending.judging import judged_history

    patterns = {name: tuple(getattr(parsed, name) or ("*",)) for name in ("metric", "subject", "scenario")}
    wanted = SeriesFilter(
        environment=parsed.environment,
        subjects=patterns["subject"],
        metrics=patterns["metric"],
        scenarios=patterns["scenario"],
        since_s=None if parsed.since is None else parse_instant(parsed.since, name="--since").timestamp(),
        branch=parsed.branch,
    )
    return judged_history(
        history,
        wanted=wanted,
        order=parsed.order,
        controls=tuple(parsed.control or ()),
        last=parsed.last,
        renames=read_renames(parsed.rename or (), parsed.renames),
        now_s=now.timestamp(),
        progress=progress,
    )


def _formats(parsed: argparse.Namespace) -> tuple[str, ...]:
    chosen = parsed.format or ["html", "png", "svg"]
    return tuple(kind for kind in _FORMATS if kind in chosen and kind != "none")


def _order(parsed: argparse.Namespace, where: str, now: datetime, formats: tuple[str, ...]) -> "Order":
    from harness.report.trend.chart import Settings
    from harness.report.trend.files import Order

    scale = "log" if parsed.log else "linear" if parsed.linear else "auto"
    return Order(
        formats=formats,
        settings=Settings(by_time=parsed.order == "time", scale=scale),
        title=parsed.title,
        made=f"Drawn {now:%Y-%m-%d %H:%M} UTC.",
        history=None if "://" in where else Path(where).absolute(),
    )


def _write(trend: "Trend", parsed: argparse.Namespace, order: "Order", now: datetime) -> Path:
    from harness.history.progress import ProgressLine

    with ProgressLine(sys.stderr) as line:

        def progress(what: str, done: int, of: int) -> None:
            line(f"drawing {what}", done, of)

        if parsed.dated:
            from harness.report.trend.dated import INDEX, write_dated

            write_dated(trend, parsed.out, order, now=now, keep=parsed.keep, progress=progress)
            return Path(parsed.out, INDEX)
        from harness.report.trend.files import write_trend

        return write_trend(trend, parsed.out, order, progress=progress)[0]


def _print(trend: "Trend", written: Path | None, *, as_json: bool) -> None:
    from harness.ci.command import print_safely

    print_safely(lambda: _show(trend, written, as_json=as_json))


def _show(trend: "Trend", written: Path | None, *, as_json: bool) -> None:
    if as_json:
        from harness.report.trend.data import encode_trend

        print(encode_trend(trend).decode())
    else:
        from rich.console import Console

        from harness.report.trend.terminal import print_trend

        print_trend(trend, Console())
        if written is not None:
            print(f"{'page' if written.suffix == '.html' else 'files'}: {written}")


def _exit_code(trend: "Trend", *, fail_on_regression: bool) -> int:
    status = trend.status.value
    if status == "INCONCLUSIVE":
        return ExitCode.INCONCLUSIVE
    return ExitCode.FAIL if status == "FAIL" and fail_on_regression else ExitCode.PASS


def _say(text: str) -> None:
    print(f"harness: {text}", file=sys.stderr)


def _accept(parsed: argparse.Namespace) -> int:
    from harness.history.records import new_id, utc_text
    from harness.history.store import find_record, open_history
    from harness.history_model import HISTORY_SCHEMA_VERSION, Acceptance
    from harness.trending.judging import accepted_series

    reason = _text(parsed.reason, "--reason")
    history = open_history(history_place(parsed.history))
    now = datetime.now(UTC)
    run = find_record(history, parsed.run).id
    series = accepted_series(history, parsed.series, run, now_s=now.timestamp())
    if not series:
        raise HarnessError(
            explain(
                "series",
                parsed.series,
                fault=f"no series of this name has the run {run}",
                remedy="harness trend, which names them",
            )
        )
    history.add_acceptance(
        Acceptance(
            schema_version=HISTORY_SCHEMA_VERSION,
            id=new_id(now),
            at_utc=utc_text(now),
            series=parsed.series,
            record=run,
            reason=reason,
        )
    )
    print(f"accepted for {len(series)} series from {run} on, in {history.where}:")
    for label in series:
        print(f"  {label}")
    return ExitCode.PASS


def _note(parsed: argparse.Namespace) -> int:
    from harness.history.records import new_id, utc_text
    from harness.history.store import open_history
    from harness.history_model import HISTORY_SCHEMA_VERSION, Note

    text = _text(parsed.text, "TEXT")
    at = datetime.now(UTC) if parsed.at is None else parse_instant(parsed.at, name="--at")
    history = open_history(history_place(parsed.history))
    history.add_note(
        Note(
            schema_version=HISTORY_SCHEMA_VERSION,
            id=new_id(at),
            at_utc=utc_text(at),
            text=text,
            is_release=parsed.release,
        )
    )
    print(f"noted in {history.where}: {text}")
    return ExitCode.PASS


def _text(given: str, option: str) -> str:
    from harness.report.words import plain

    text = plain(given, longest=500)
    if not text:
        raise UsageError(explain("option", option, fault="says nothing", got=repr(given), need="a few words"))
    return text
