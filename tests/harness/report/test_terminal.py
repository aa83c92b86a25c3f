"""The verdict in a terminal."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.model import Result, RunState, Status
from harness.report.terminal import print_verdict
from harness.report.words import limit_text, value_text
from tests.harness.results import finding, findings_of, fleet, gate, result_of, run_of, verdict_of

GOLDEN = Path(__file__).parent / "golden"


def printed(result: Result, *, width: int = 80, encoding: str = "utf-8", **console: object) -> str:
    """Return what a console of this width and encoding shows, as it would be piped into a file."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    print_verdict(result, Console(file=stream, width=width, legacy_windows=False, **console))  # type: ignore[arg-type]
    stream.seek(0)
    return stream.read()


def spoilt() -> Result:
    """Return a result with every status, everything long that occurs, and something left out."""
    columns = fleet(failing_ratio=0.04, error_kinds=("http-500", "timeout"))
    found = result_of(columns)
    p50, p95, p99, errors, rate, index = found.verdict.findings
    cure = "the report's 'where the time went': handler, database or pool wait; then database-queries.log"
    correlated = (
        "200 of 300 polls took 50 ms or longer; neighbours resemble each other, so they count as 10.6 (τ = 28.2)"
    )
    findings = (
        replace(p50, status=Status.INCONCLUSIVE, effective_n=10.6, reason=correlated, remedy="a longer run"),
        replace(p95, status=Status.FAIL, reason="199 of 300 polls took 200 ms or longer", remedy=cure),
        replace(p99, status=Status.FAIL, reason="198 of 300 polls took 500 ms or longer", remedy=cure),
        errors,
        replace(rate, status=Status.INVALID, reason="the generator was late", remedy="fewer agents"),
        index,
    )
    left_out = {"query-time": "the target told no query times"}
    return replace(
        found,
        run=run_of(state=RunState.INTERRUPTED),
        verdict=verdict_of(findings, left_out),
        warnings=("Every poll opened a new connection; start the target with --timeout-keep-alive 75.",),
    )


SHAPES = {
    "pass": lambda: result_of(fleet()),
    "spoilt": spoilt,
    "no-polls": lambda: result_of(fleet(agents=0)),
    "all-failed": lambda: result_of(fleet(failing_ratio=1.0)),
    "no-server": lambda: result_of(fleet(server_timing=False), server=None, indexes=()),
    "nothing-judged": lambda: result_of(fleet(), verdict=verdict_of(())),
}


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", SHAPES)
def test_the_whole_output_is_as_it_was_agreed(name: str, width: int, request: pytest.FixtureRequest) -> None:
    """Compare with the golden file; `pytest --update` writes it anew, to be read before it is committed."""
    shown = "\n".join(line.rstrip() for line in printed(SHAPES[name](), width=width).splitlines()) + "\n"
    golden = GOLDEN / f"verdict-{name}-{width}.txt"
    if request.config.getoption("--update"):
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", SHAPES)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert [] == [line for line in printed(SHAPES[name](), width=width).splitlines() if len(line) > width]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [30, 40, 60, 77, 78, 80])
@pytest.mark.parametrize("name", SHAPES)
def test_no_width_takes_a_gates_name_verdict_measured_value_or_limit(name: str, width: int, encoding: str) -> None:
    """Eight verdicts without a name are worth nothing."""
    result = SHAPES[name]()
    shown = printed(result, width=width, encoding=encoding)
    for found in result.verdict.findings:
        told = (value_text(found.measured, found.gate.unit), limit_text(found.gate), found.status.value)
        for text in (found.gate.name, *told):
            plain = text.replace("µ", "u").replace("∞", "inf").replace("±", "+/-")
            assert (plain if encoding == "ascii" else text) in shown


def test_a_narrow_terminal_gets_a_line_for_each_gate() -> None:
    assert "p95  PASS  7.51 ms  < 200 ms" in printed(result_of(fleet()), width=40).splitlines()


def test_the_targets_figures_say_their_window() -> None:
    """They cover whole seconds: more requests than polls were sent is no contradiction."""
    assert "requests in 60 s (whole seconds), p95 handler" in printed(result_of(fleet()), width=120)


@pytest.mark.parametrize("width", [80, 120])
def test_each_gate_stands_on_one_line_with_limit_measured_interval_n_and_verdict(width: int) -> None:
    lines = printed(result_of(fleet()), width=width).splitlines()
    assert ["Gate", "Limit", "Measured", "Interval", "n", "Verdict"] == lines[0].split()
    assert "p95 < 200 ms 7.51 ms 6.98–8.11 ms 300 PASS" == " ".join(lines[3].split())


def test_the_verdict_is_the_last_thing_said() -> None:
    assert printed(result_of(fleet())).splitlines()[-1].startswith("PASS  All 6 gates held")


def test_a_remedy_that_several_gates_share_is_told_once() -> None:
    shown = " ".join(printed(spoilt(), width=200).split())
    assert 1 == shown.count("where the time went")
    assert "remedy p95 and p99: the report's" in shown


def test_the_effective_n_shows_where_it_decided() -> None:
    shown = printed(spoilt())
    assert "n (worth)" in shown
    assert "300 (11)" in shown


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252"])
@pytest.mark.parametrize("name", SHAPES)
def test_an_encoding_without_our_characters_gets_readable_ones(name: str, encoding: str) -> None:
    shown = printed(SHAPES[name](), encoding=encoding)
    assert shown.isascii()
    assert "?" not in shown.replace(" ?", "")  # an unknown figure is "?"; a lost character would be inside a word


def test_ascii_names_what_it_replaces() -> None:
    shown = printed(spoilt(), encoding="ascii")
    assert "0.1/s +/- 10 %" in shown
    assert "tau = 28.2" in shown
    assert " us" in shown
    assert "inf" in shown


def test_there_is_no_colour_without_a_terminal() -> None:
    assert "\x1b" not in printed(spoilt())


def test_a_terminal_gets_colour_and_no_color_takes_it_away() -> None:
    terminal = {"force_terminal": True, "color_system": "standard"}
    colours = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")
    assert colours.search(printed(spoilt(), **terminal, _environ={"TERM": "xterm"}))
    assert not colours.search(printed(spoilt(), **terminal, _environ={"TERM": "xterm", "NO_COLOR": "1"}))


def test_markup_and_escape_sequences_from_outside_are_only_text() -> None:
    hostile = "[red]x[/red] \x1b[31mred\x1b]0;title\x07\nsecond line"
    found = finding(gate("p95", limit=0.2), Status.FAIL, 1.0, reason=hostile, remedy=hostile)
    result = result_of(fleet(), verdict=verdict_of((found,), {hostile: hostile}), warnings=(hostile,))
    shown = printed(result, width=200)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]x[/red] [31mred ]0;title second line" in shown


def test_a_million_polls_widen_the_table_no_further_than_the_terminal() -> None:
    made = tuple(
        replace(found, n=1_000_000, effective_n=12_345.6)
        for found in findings_of(result_of(fleet(failing_ratio=0.5)).summary)
    )
    lines = printed(result_of(fleet(), verdict=verdict_of(made))).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("1,000,000" in line for line in lines)
