"""`harness gate`: judge a stored run, or a file of benchmarks, without load. Light to import."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.ci.options import OutputOptions, add_output_arguments, read_output_options
from harness.errors import ExitCode, UsageError, explain
from harness.project import add_history_argument, history_place

if TYPE_CHECKING:
    from harness.gating.benchmark_judge import BenchmarkVerdict
    from harness.model import Gate

EPILOG = """\
examples:
  harness gate runs/20261123T083000Z-3f9a --gate 'p(99) < 300ms'
  harness gate runs/20261123T083000Z-3f9a --gate 'p(95) vs baseline < +10%'
  harness gate runs/20261123T083000Z-3f9a --gates strict.toml --write
  harness gate runs/20261123T083000Z-3f9a --junit junit.xml --no-default-gates --gate 'error_ratio < 0.1%'
  harness gate --benchmark-json new.json --gate 'test_pending*: p(95) < 5ms'
  harness gate --benchmark-json new.json --gates gates.toml --baseline-json old.json

The run's folder stays as it is unless --write is given: result.json and report.html are then made anew.
Gates over benchmarks stand in a table [benchmarks] of the gate file: "test_name*" = "p(95) < 5ms". The same file
may hold the gates over runs in [gates].
A benchmark that a gate or the latest --baseline-json names and the file doesn't hold ends in exit code 5.
"""


def add_gate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness gate`, which `run_gate` reads."""
    parser.add_argument("run_dir", type=Path, nargs="?", metavar="RUN_DIR", help="a run's folder")
    parser.add_argument(
        "--benchmark-json", type=Path, metavar="FILE", help="judge pytest-benchmark's JSON instead"
    )
    parser.add_argument(
        "--baseline-json",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="an earlier run of the same benchmarks, oldest first: for gates 'vs baseline', which need 3 or more, "
        "and to find benchmarks that vanished",
    )
    parser.add_argument("--gates", type=Path, metavar="FILE", help="gate file (default: as for harness run)")
    parser.add_argument(
        "--gate", action="append", default=[], metavar="TEXT", help="a gate such as 'p(95) < 200ms'; any number"
    )
    parser.add_argument(
        "--no-default-gates", action="store_true", help="judge the gates of --gates and --gate and no others"
    )
    add_history_argument(parser)
    parser.add_argument("--write", action="store_true", help="keep the new verdict: result.json and report.html")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    parser.add_argument("--metrics", action="store_true", help="list what gates can be about, and end")
    add_output_arguments(parser)


def run_gate(parsed: argparse.Namespace) -> int:
    """
    Judge, print, and return the verdict's exit code.

    Raises:
        UsageError: options that don't go together, or a gate that can't be read.
        HarnessError: a folder or a file that can't be read or written.
    """
    if parsed.metrics:
        return _list_metrics()
    _check_together(parsed)
    outputs = read_output_options(parsed)
    return _gate_run(parsed, outputs) if parsed.benchmark_json is None else _gate_benchmarks(parsed, outputs)


def _check_together(parsed: argparse.Namespace) -> None:
    if (parsed.run_dir is None) == (parsed.benchmark_json is None):
        fault = "nothing to judge" if parsed.run_dir is None else "a run and a file of benchmarks"
        raise UsageError(explain("command", "gate", fault=fault, need="either RUN_DIR or --benchmark-json FILE"))
    if parsed.run_dir is not None and parsed.baseline_json:
        fault, remedy = "is for --benchmark-json", "harness compare"
        raise UsageError(explain("option", "--baseline-json", fault=fault, remedy=remedy))
    if parsed.benchmark_json is not None and parsed.history is not None:
        fault, remedy = "is for a run; a file of benchmarks is its own record", "--baseline-json FILE"
        raise UsageError(explain("option", "--history", fault=fault, remedy=remedy))
    if parsed.benchmark_json is not None and parsed.write:
        raise UsageError(explain("option", "--write", fault="is for a run's folder", remedy="--json > FILE"))


def _gate_run(parsed: argparse.Namespace, outputs: OutputOptions) -> int:
    from harness.ci.command import show_result
    from harness.gating.rejudge import redraw, rejudge
    from harness.rundir import RunDirectory

    conclusion = rejudge(
        parsed.run_dir,
        file=parsed.gates,
        texts=parsed.gate,
        defaults=not parsed.no_default_gates,
        written=parsed.write,
        history=history_place(parsed.history, out=parsed.run_dir.absolute().parent),
    )
    fault = redraw(conclusion, parsed.run_dir) if parsed.write else None
    report = RunDirectory(parsed.run_dir).report if parsed.write and fault is None else None
    told = f"gates: {conclusion.result.gates_from}"
    return show_result(conclusion.result, outputs, as_json=parsed.json, report=report, fault=fault, told=told)


def _gate_benchmarks(parsed: argparse.Namespace, outputs: OutputOptions) -> int:
    from harness.ci.command import show_judged
    from harness.gating.benchmark_file import read_benchmark_file
    from harness.gating.benchmark_gates import find_benchmark_gates, parse_benchmark_gate, read_benchmark_gates
    from harness.gating.benchmark_judge import judge_benchmarks
    from harness.gating.benchmark_show import judged_benchmarks
    from harness.report.words import counted

    named: Path | None = parsed.gates
    base: tuple[Gate, ...] = ()
    if named is not None:
        base = read_benchmark_gates(named)
    elif not parsed.no_default_gates:
        base, named = find_benchmark_gates(Path())
    gates = [*base, *map(parse_benchmark_gate, parsed.gate)]
    if not gates and not parsed.baseline_json:
        fault = "no gate: the specification has none for benchmarks"
        remedy = "--gate 'test_name: p(95) < 5ms', or --gates FILE with a table [benchmarks]"
        raise UsageError(explain("option", "--benchmark-json", fault=fault, remedy=remedy))
    if any(gate.against_baseline for gate in gates) and not parsed.baseline_json:
        fault = "a gate 'vs baseline' and nothing to compare with"
        raise UsageError(explain("option", "--gate", fault=fault, remedy="--baseline-json FILE"))
    file = read_benchmark_file(parsed.benchmark_json)
    baselines = [read_benchmark_file(path) for path in parsed.baseline_json]
    verdict = judge_benchmarks(gates, file, baselines)
    sources = [(named, len(base)), ("command line", len(parsed.gate))]
    parts = [f"{name} ({counted(n, 'gate')})" for name, n in sources if name is not None and n]
    told = f"gates: {', '.join(parts)}" if parts else None
    return show_judged(
        lambda: _print(verdict, as_json=parsed.json, told=told), judged_benchmarks(verdict), outputs
    )


def _print(verdict: "BenchmarkVerdict", *, as_json: bool, told: str | None) -> None:
    from rich.console import Console

    from harness.gating.benchmark_show import print_benchmarks
    from harness.rundir import encode

    if as_json:
        print(encode(verdict).decode())
        return
    print_benchmarks(verdict, Console())
    if told is not None:
        print(told)


def _list_metrics() -> int:
    from harness.ci.command import print_safely
    from harness.judge.catalogue import METRICS

    lines = [f"{name:22}{facts.unit:8}{facts.kind.value:10}{facts.text}" for name, facts in METRICS.items()]
    print_safely(lambda: print("\n".join(lines)))
    return ExitCode.PASS
