"""A self-test from its runs to its table, with made-up runs; and one true run of it, marked slow."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import main
from harness.interrupt import Interrupt
from harness.model import Result, Status
from harness.rundir import RunDirectory, read_result
from harness.selftest.conduct import conduct, run_injection
from harness.selftest.outcome import SelftestReport
from harness.selftest.plan import SOURCE, Injection, Load, plan, selftest_gates
from harness.selftest.show import print_selftest
from tests.harness.results import finding, fleet, result_of, verdict_of

LATENCY = {"p50", "p95", "p99", "query-time", "pool-wait", "poll-rate"}
"""Gates that a busy machine may trip, or leave open, with good reason."""


def perfect(injection: Injection, _folder: Path, _interrupt: Interrupt) -> Result:
    """A run in which exactly the right gates trip."""
    findings = tuple(
        finding(gate, Status.FAIL if gate.name in injection.trips else Status.PASS, 0.1)
        for gate in selftest_gates(interval_s=1.0).gates
    )
    return result_of(fleet(), verdict=verdict_of(findings))


def report_of(run_one=perfect, *, quick: bool = True) -> tuple[SelftestReport, list[str]]:  # type: ignore[no-untyped-def]
    said: list[str] = []
    report = conduct(
        plan(quick=quick),
        quick=quick,
        out=None,
        interrupt=Interrupt(),
        say=said.append,
        run_one=run_one,
        clock_s=iter([0.0, 61.0]).__next__,
    )
    return report, said


def shown(report: SelftestReport) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_selftest(report, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_perfect_tool_passes_and_says_what_it_showed() -> None:
    report, said = report_of()
    assert (Status.PASS, None, 61.0) == (report.status, report.reason, report.duration_s)
    text = " ".join(shown(report).split())
    assert "PASS Exactly the right gates tripped for 4 faults, and none in 2 runs without a fault." in text
    assert "1 of 6: nothing (about 55 s to go)" == said[0]
    assert 6 == len(said)
    assert 8 == len(report_of(quick=False)[0].outcomes)


def test_a_blind_tool_fails_and_the_table_says_where() -> None:
    def blind(injection: Injection, folder: Path, interrupt: Interrupt) -> Result:
        return perfect(plan(quick=True)[0], folder, interrupt)

    report, _ = report_of(blind)
    assert Status.FAIL is report.status
    assert "composite index dropped: pending-index did not trip; expected: pending-index" in " ".join(
        shown(report).split()
    )


def test_the_first_interrupt_ends_it() -> None:
    def interrupted(injection: Injection, folder: Path, interrupt: Interrupt) -> Result:
        interrupt.requested = True
        return perfect(injection, folder, interrupt)

    with pytest.raises(KeyboardInterrupt):
        report_of(interrupted)


@pytest.mark.xdist_group("load")
def test_a_gate_file_of_the_folder_has_no_part_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A self-test is about the tool: a project's own gates, broken ones above all, neither stop nor shorten it."""
    (tmp_path / "gates.toml").write_text("no TOML")
    monkeypatch.chdir(tmp_path)
    load = Load(agents=2, interval_s=0.5, warmup_s=0.5, run_time_s=1.0)
    result = run_injection(Injection(name="A", told="nothing", load=load), tmp_path / "runs", Interrupt())
    assert SOURCE == result.gates_from
    (folder,) = (tmp_path / "runs").iterdir()
    assert result == read_result(RunDirectory(folder))


@pytest.mark.slow
@pytest.mark.xdist_group("load")
def test_the_quick_form_trips_exactly_the_right_gates(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """
    Six real runs. Gates on times are not asked to hold: whatever else this machine does now may truly trip them.
    """
    code = main(["selftest", "--quick", "--json", "--out", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    assert code in {0, 3, 4, 5}
    assert [run.name for run in plan(quick=True)] == [outcome["name"] for outcome in report["outcomes"]]
    for outcome in report["outcomes"]:
        tripped, expected = set(outcome["tripped"]), set(outcome["expected"])
        assert expected <= tripped | set(outcome["invalid"]), outcome
        assert set() == tripped - expected - LATENCY, outcome
        assert expected - LATENCY <= tripped, outcome
    assert 6 == len(list(tmp_path.iterdir()))
