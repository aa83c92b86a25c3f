"""`harness history`: what is kept of every run, looked at, added to, thinned, handed on and examined."""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, UsageError, explain
from harness.project import add_history_argument, history_place
from harness.units import parse_instant

if TYPE_CHECKING:
    from harness.history.adding import Overrides
    from harness.history.retention import Retention
    from harness.history.store import History
    from harness.history_model import HistoryRecord

EPILOG = """\
The history keeps one record a run: figures, distributions, commit, branch, environment. harness run adds to it by
itself. It is a folder that merges without conflicts in git, or a database for a team:

  [tool.harness]
  history = "perf-history"                       in pyproject.toml, for all commands

examples:
  harness history list --last 20
  harness history show latest
  harness history add runs benchmark.json data.js stats.json --commit 40afc17
  harness history prune --all-for 90 --daily-for 365          says what would go; --yes does it
  harness history export --format csv --out history.csv
  harness history doctor --rebuild-index

exit codes: 0 done, 1 own error or a file that could not be added, 2 usage, 3 the doctor found a fault
"""

_EXAMPLES = {
    "list": """\
  harness history list --last 50 --branch main
  harness history list --history perf-history --scenario 'agent-*' --json
""",
    "show": """\
  harness history show latest
  harness history show 20261123T083000Z --json
""",
    "add": """\
  harness history add runs                                     run folders that are not in it yet
  harness history add benchmark.json --commit 40afc17 --branch main --dry-run
  harness history add perf-history --history sqlite:///history.db
""",
    "prune": """\
  harness history prune --keep 500
  harness history prune --all-for 90 --daily-for 365 --yes
""",
    "export": """\
  harness history export --out history.json
  harness history export --format csv > history.csv
  harness history export --format github-action-benchmark --out data.js
""",
    "doctor": """\
  harness history doctor
  harness history doctor --rebuild-index --history perf-history
""",
}
FORMATS = ("json", "csv", "github-action-benchmark")
_SECONDS_A_DAY = 86_400.0


def add_history_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `harness history`, which `run_history` runs."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_list(_action(actions, "list", "list the runs, the newest last", _list))
    _add_show(_action(actions, "show", "show one run with all its figures", _show))
    _add_add(_action(actions, "add", "import runs, and results of other tools", _add))
    _add_prune(_action(actions, "prune", "name the runs to go, by count and by age; --yes removes them", _prune))
    _add_export(_action(actions, "export", "write the history for other tools", _export))
    _add_doctor(_action(actions, "doctor", "say what is wrong with the files or rows; change none", _doctor))


def run_history(parsed: argparse.Namespace) -> int:
    """
    Run one action and return the exit code.

    Raises:
        HarnessError: the history can't be read or written, or an option can't work.
    """
    from harness.history.progress import ProgressLine
    from harness.history.store import open_history

    action: Callable[[argparse.Namespace, History], int] = parsed.action
    with contextlib.ExitStack() as stack:
        if sys.stdout is None:
            # Closed by the caller: what is done is done all the same.
            silence = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123  # no path of ours
            stack.enter_context(contextlib.redirect_stdout(silence))
        progress = stack.enter_context(ProgressLine(sys.stderr))
        history = open_history(history_place(parsed.history), progress=progress)
        try:
            code = action(parsed, history)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has gone (`| head`). Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.PASS
    return code


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    action: "Callable[[argparse.Namespace, History], int]",
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{_EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_history_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(action=action)
    return parser


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", type=int, default=20, metavar="N", help="the newest N; 0 for all (default: 20)")
    parser.add_argument("--branch", metavar="NAME", help="only runs of this branch")
    parser.add_argument("--scenario", metavar="PATTERN", help="only runs of these scenarios, with * for any text")


def _list(parsed: argparse.Namespace, history: "History") -> int:
    from harness.history.series_names import matches
    from harness.history.showing import head_json, list_text
    from harness.history.store import newest_records, with_figures

    if parsed.last < 0:
        raise UsageError(explain("option", "--last", fault="below zero", got=parsed.last, need="0 or more"))

    def is_wanted(record: "HistoryRecord") -> bool:
        return (parsed.branch is None or record.branch == parsed.branch) and (
            parsed.scenario is None or matches(record.scenario or "", (parsed.scenario,))
        )

    found = newest_records(history, parsed.last or None, is_wanted)
    _warn(found.left_out)
    records = with_figures(history, found.records)
    if parsed.json:
        _print_json({"total": found.total, "runs": [head_json(record) for record in records]})
    else:
        is_chosen = parsed.branch is not None or parsed.scenario is not None
        print(list_text(records, found.total, history.where, is_chosen=is_chosen))
    return ExitCode.PASS


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="id of a run, its beginning, or 'latest'")


def _show(parsed: argparse.Namespace, history: "History") -> int:
    from harness.history.records import plain_of
    from harness.history.showing import record_text
    from harness.history.store import find_record

    record = find_record(history, parsed.run)
    if parsed.json:
        _print_json(plain_of(record))
    else:
        print(record_text(record))
    return ExitCode.PASS


def _add_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="run folders, files of a known format, or folders of either; the format is told by the content",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be added, and add nothing")
    told = parser.add_argument_group("what the files don't say")
    told.add_argument("--at", metavar="TIME", help="when the runs began, ISO 8601 (default: the file's own time)")
    told.add_argument("--commit", metavar="ID", help="commit that was measured")
    told.add_argument("--branch", metavar="NAME", help="branch that was measured")
    told.add_argument("--release", metavar="VERSION", help="release that was measured")
    told.add_argument("--environment", metavar="KEY", help="key of the machine; equal keys are compared")


def _add(parsed: argparse.Namespace, history: "History") -> int:
    from harness.history.adding import add_paths
    from harness.history.showing import added_json, added_text
    from harness.recording import record_of_path

    def read_run(path: Path) -> "HistoryRecord":
        return record_of_path(path, history)

    accounts = []
    shown_s = time.monotonic() + 2.0
    overrides = _overrides(parsed)
    for account in add_paths(
        history, parsed.paths, read_run=read_run, overrides=overrides, dry_run=parsed.dry_run
    ):
        accounts.append(account)
        if time.monotonic() >= shown_s:
            _say(f"{len(accounts)} files read, {sum(len(one.added) for one in accounts)} runs added")
            shown_s += 2.0
    if parsed.json:
        _print_json(added_json(accounts))
    else:
        print(added_text(accounts, history.where, dry_run=parsed.dry_run))
    failed = any(account.fault is not None for account in accounts) or not accounts
    return ExitCode.OWN_ERROR if failed else ExitCode.PASS


def _overrides(parsed: argparse.Namespace) -> "Overrides":
    from harness.environment import describe_commit_time
    from harness.history.adding import Overrides

    return Overrides(
        at=None if parsed.at is None else parse_instant(parsed.at, name="--at"),
        commit=parsed.commit,
        commit_utc=None if parsed.commit is None else describe_commit_time(Path(), parsed.commit),
        branch=parsed.branch,
        version=parsed.release,
        environment_key=parsed.environment,
    )


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=int, metavar="N", help="of each kind of run, keep the newest N")
    parser.add_argument("--all-for", type=float, metavar="DAYS", help="keep every run this young, thin older ones")
    parser.add_argument(
        "--daily-for",
        type=float,
        metavar="DAYS",
        help="of those, keep one a day up to this age and one a week beyond (default: one a day for ever)",
    )
    parser.add_argument("--yes", action="store_true", help="remove them; without it nothing is removed")


def _prune(parsed: argparse.Namespace, history: "History") -> int:
    from harness.history.protection import protected_records
    from harness.history.retention import head_of, plan_pruning
    from harness.history.showing import pruning_text

    retention = _retention(parsed)
    left_out: dict[str, str] = {}
    heads = [
        head_of(record, {figure.subject for figure in figures})
        for record, figures in history.scan_figures(left_out)
    ]
    _warn(left_out)
    now_s = time.time()
    protected = protected_records(history, now_s=now_s)
    pruning = plan_pruning(heads, retention, now_s=now_s, protected=protected)
    if parsed.yes:
        history.remove(pruning.removed)
    if parsed.json:
        outcome = {"removed": pruning.removed, "spared": pruning.spared, "kept": pruning.kept, "done": parsed.yes}
        _print_json(outcome)
    else:
        print(pruning_text(pruning, history.where, removed=parsed.yes))
    return ExitCode.PASS


def _retention(parsed: argparse.Namespace) -> "Retention":
    from harness.history.retention import Retention

    if parsed.daily_for is not None and parsed.all_for is None:
        raise UsageError(explain("option", "--daily-for", fault="thins what --all-for leaves", need="--all-for"))
    if parsed.keep is None and parsed.all_for is None:
        raise UsageError(explain("command", "prune", fault="says not what to keep", need="--keep or --all-for"))
    if parsed.keep is not None and parsed.keep < 1:
        raise UsageError(explain("option", "--keep", fault="keeps nothing", got=parsed.keep, need="1 or more"))
    for option, days in (("--all-for", parsed.all_for), ("--daily-for", parsed.daily_for)):
        if days is not None and not 0 <= days < 1e6:
            raise UsageError(explain("option", option, fault="no number of days", got=days, need="0 or more"))
    if parsed.daily_for is not None and parsed.daily_for < parsed.all_for:
        fault = "ends before --all-for does"
        raise UsageError(explain("option", "--daily-for", fault=fault, got=parsed.daily_for))
    return Retention(
        keep=parsed.keep,
        all_for_s=None if parsed.all_for is None else parsed.all_for * _SECONDS_A_DAY,
        daily_for_s=None if parsed.daily_for is None else parsed.daily_for * _SECONDS_A_DAY,
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="json",
        help="json loses nothing and can be added again (default: json)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: standard output)")


def _export(parsed: argparse.Namespace, history: "History") -> int:
    import io

    from harness.history.exporters import EXPORTERS
    from harness.history.exporters.flat import write_flat
    from harness.history.store import read_records
    from harness.rundir import write_atomically

    found = read_records(history, distributions=parsed.format == "json")
    _warn(found.left_out)
    text = io.StringIO()
    if parsed.format == "json":
        write_flat(found.records, text, marks=(*history.acceptances(), *history.notes()))
    else:
        EXPORTERS[parsed.format](found.records, text)
    if parsed.out is None:
        sys.stdout.write(text.getvalue())
        return ExitCode.PASS
    write_atomically(parsed.out, text.getvalue().encode())
    if parsed.json:
        _print_json({"file": str(parsed.out), "format": parsed.format, "runs": len(found.records)})
    else:
        _say(f"{len(found.records)} runs written to {parsed.out}")
    return ExitCode.PASS


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rebuild-index", action="store_true", help="delete the index and make it again")


def _doctor(parsed: argparse.Namespace, history: "History") -> int:
    from dataclasses import asdict

    from harness.history.doctor import Severity, examine
    from harness.history.folder import FolderHistory
    from harness.history.showing import diagnosis_text

    if parsed.rebuild_index and isinstance(history, FolderHistory):
        history.rebuild_index()
    diagnosis = examine(history)
    if parsed.json:
        _print_json(asdict(diagnosis))
    else:
        print(diagnosis_text(diagnosis))
    has_fault = any(complaint.severity is Severity.FAULT for complaint in diagnosis.complaints)
    return ExitCode.FAIL if has_fault else ExitCode.PASS


def _warn(left_out: dict[str, str]) -> None:
    from harness.history.showing import left_out_lines

    for line in left_out_lines(left_out):
        _say(line)


def _say(text: str) -> None:
    print(f"harness: {text}", file=sys.stderr)


def _print_json(outcome: object) -> None:
    print(json.dumps(outcome, indent=1, ensure_ascii=False))
