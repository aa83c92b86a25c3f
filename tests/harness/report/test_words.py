"""Figures, gates and verdicts in words."""

import math
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import build_parser
from harness.model import Direction, Interval, RunState, Status, TargetKind
from harness.options import RunOptions, check_options, read_run_options
from harness.report.words import (
    command_line,
    effective_n_text,
    index_text,
    interval_text,
    limit_text,
    n_text,
    names,
    plain,
    scenario_text,
    sentence,
    target_text,
    value_text,
    verdict_sentence,
)
from harness.scenarios import DEFAULT_SCENARIO, SCENARIOS
from harness.units import parse_duration_s, parse_ratio
from tests.harness.results import finding, findings_of, fleet, gate, result_of, run_of, summary_of, verdict_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent-007", "agent-007"),
        ("two\nlines\tand \r blanks", "two lines and blanks"),
        ("\x1b[31mred\x07", "[31mred"),
        ("right-to-left \u202eover", "right-to-left over"),
        ("", ""),
    ],
)
def test_text_from_outside_loses_what_a_terminal_would_obey(text: str, expected: str) -> None:
    assert expected == plain(text)


@given(st.text())
def test_plain_text_is_one_printable_line_and_stays_so(text: str) -> None:
    once = plain(text)
    assert once == plain(once)
    assert all(c == " " or not c.isspace() for c in once)
    assert not any(ord(c) < 32 or ord(c) == 127 for c in once)


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_plain_text_is_cut_to_length(text: str, longest: int) -> None:
    assert len(plain(text, longest=longest)) <= longest


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "s", "?"),
        (0.0042, "s", "4.20 ms"),
        (math.inf, "s", "∞"),
        (0.0, "ratio", "0 %"),
        (0.0123, "ratio", "1.23 %"),
        (0.1, "per_s", "0.100/s"),
        (1.0, "index", "served"),
        (0.0, "index", "not served"),
        (3.0, "rows", "3.00 rows"),
    ],
)
def test_a_value_is_written_in_its_gates_unit(value: float | None, unit: str, expected: str) -> None:
    assert expected == value_text(value, unit)


@pytest.mark.parametrize(
    ("limit", "unit", "direction", "tolerance", "expected"),
    [
        (0.05, "s", Direction.BELOW, None, "< 50 ms"),
        (0.2, "s", Direction.BELOW, None, "< 200 ms"),
        (1.25, "s", Direction.BELOW, None, "< 1.25 s"),
        (0.01, "ratio", Direction.BELOW, None, "< 1 %"),
        (100.0, "per_s", Direction.ABOVE, None, "> 100/s"),
        (0.1, "per_s", Direction.NEAR, 0.1, "0.1/s ± 10 %"),
        (0.1, "per_s", Direction.NEAR, None, "≈ 0.1/s"),
        (1.0, "index", Direction.NEAR, 0.0, "served"),
    ],
)
def test_a_limit_shows_direction_and_no_needless_zeros(
    limit: float, unit: str, direction: Direction, tolerance: float | None, expected: str
) -> None:
    made = gate("g", limit=limit, unit=unit, direction=direction, tolerance_ratio=tolerance)
    assert expected == limit_text(made)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0039, 0.00461, "3.90–4.61 ms"),
        (0.0009, 0.00461, "900 µs–4.61 ms"),
        (0.0039, None, "≥ 3.90 ms"),
        (0.0039, math.inf, "≥ 3.90 ms"),
        (None, 0.00461, "≤ 4.61 ms"),
        (math.inf, math.inf, "∞"),
        (None, None, "unbounded"),
    ],
)
def test_an_interval_names_its_unit_once_and_its_open_ends(
    low: float | None, high: float | None, expected: str
) -> None:
    made = finding(gate("p95", limit=0.2), measured=0.0042, interval=Interval(low=low, high=high))
    assert expected == interval_text(made)


def test_an_interval_of_a_rate_names_its_unit_once() -> None:
    made = finding(gate("g", limit=0.1, unit="per_s"), measured=0.1, interval=Interval(low=0.095, high=0.105))
    assert "0.0950–0.105/s" == interval_text(made)


def test_no_interval_and_no_count_are_a_dash_not_a_zero() -> None:
    made = finding(gate("g", limit=1, unit="index"), interval=None, n=None, effective_n=None)
    assert ("–", "–", "–") == (interval_text(made), n_text(made), effective_n_text(made))


@pytest.mark.parametrize(
    ("items", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_joined_as_prose(items: list[str], expected: str) -> None:
    assert expected == names(items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no poll", "No poll."),
        ("Done.", "Done."),
        ("", ""),
        ("why?", "Why?"),
        ("http://127.0.0.1/api has 3 agents", "http://127.0.0.1/api has 3 agents."),
        ("test_with_index* p99 is slow", "test_with_index* p99 is slow."),
        ("p95 had surely failed", "p95 had surely failed."),
        ("error-ratio is open", "error-ratio is open."),
        ("target's memory grows", "Target's memory grows."),
        ("worse, and surely so", "Worse, and surely so."),
    ],
)
def test_a_clause_becomes_a_sentence(text: str, expected: str) -> None:
    assert expected == sentence(text)


@pytest.mark.parametrize(("index", "expected"), [(None, "?"), (0.0002, "0.00"), (1.0, "1.00")])
def test_the_lock_step_index_has_two_decimals(index: float | None, expected: str) -> None:
    assert expected == index_text(index)


def test_a_scenario_is_one_clause() -> None:
    run = run_of()
    assert "50 agents polling every 10 s for 70 s, the first 10 s warm-up" == scenario_text(run.scenario)
    alone = replace(run.scenario, agents=1, warmup_s=0.0, run_time_s=130.0)
    assert "1 agent polling every 10 s for 2m10s" == scenario_text(alone)


def test_a_target_tells_what_was_wrong_with_it_on_purpose() -> None:
    target = replace(run_of().target, delay_s=0.6, error_ratio=0.05, version=None, database=None)
    expected = (
        "embedded at http://127.0.0.1:40123, 100,000 deployments,"
        " artificial delay 600 ms, artificial errors 5.00 %"
    )
    assert expected == target_text(target)


def test_a_pass_says_on_how_many_polls() -> None:
    assert "All 5 gates held, on 300 polls of 50 agents." == verdict_sentence(
        result_of(fleet(), verdict=verdict_of(findings_of(summary_of(fleet()))[:5]))
    )
    one = result_of(fleet(), verdict=verdict_of((finding(gate("p50", limit=1)),)))
    assert "The one gate held, on 300 polls of 50 agents." == verdict_sentence(one)


def test_a_pass_names_what_was_let_pass_undecided() -> None:
    open_gate = finding(gate("p99.9", limit=0.5, quantile=0.999), Status.INCONCLUSIVE)
    held = finding(gate("p50", limit=0.5, quantile=0.5), Status.PASS)
    mixed = replace(verdict_of((held, open_gate)), status=Status.PASS)
    assert "1 gate held, on 300 polls of 50 agents. Not decided, and let pass: p99.9." == verdict_sentence(
        result_of(fleet(), verdict=mixed)
    )
    alone = replace(verdict_of((open_gate,)), status=Status.PASS)
    assert "No gate failed, on 300 polls of 50 agents. Not decided, and let pass: p99.9." == verdict_sentence(
        result_of(fleet(), verdict=alone)
    )


def test_a_verdict_names_the_gates_that_made_it_and_the_first_reason() -> None:
    passed = finding(gate("p50", limit=1))
    failed = finding(gate("p95", limit=1), Status.FAIL, 2.0, reason="20 of 300 polls were slow")
    also = finding(gate("p99", limit=1), Status.FAIL, 3.0, reason="others too")
    assert "1 of 2 gates failed: p95. 20 of 300 polls were slow." == verdict_sentence(
        result_of(fleet(), verdict=verdict_of((passed, failed)))
    )
    assert "2 of 3 gates failed: p95 and p99. p95: 20 of 300 polls were slow." == verdict_sentence(
        result_of(fleet(), verdict=verdict_of((passed, failed, also)))
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.INCONCLUSIVE, "1 of 1 gate could not be decided: p50. Because."),
        (
            Status.INVALID,
            "1 of 1 gate can't be judged, because the measurement itself is in doubt: p50. Because.",
        ),
    ],
)
def test_a_verdict_that_is_no_verdict_says_so(status: Status, expected: str) -> None:
    made = verdict_of((finding(gate("p50", limit=1), status, reason="because"),))
    assert expected == verdict_sentence(result_of(fleet(), verdict=made))


def test_a_verdict_tells_what_it_leaves_out() -> None:
    left_out = {"query-time": "no figures", "pool-use": "no bound"}
    made = verdict_of((finding(gate("p50", limit=1)),), left_out)
    assert verdict_sentence(result_of(fleet(), verdict=made)).endswith(" Not judged: query-time and pool-use.")


def test_nothing_judged_is_nothing_known() -> None:
    assert "Nothing was judged, so nothing is known." == verdict_sentence(
        result_of(fleet(), verdict=verdict_of((), {"p50": "no polls"}))
    )


def test_the_command_line_is_one_that_the_command_takes() -> None:
    run = run_of()
    attached = replace(run.target, kind=TargetKind.ATTACHED, url="http://staging:8000/a b")
    spoilt = replace(run.target, delay_s=0.6, error_ratio=0.05)
    starved = replace(run.target, pool_size=2, hold_s=0.05, design="common", dropped_index="idx")
    for target, tail in (
        (run.target, "--deployments 100000"),
        (attached, "--host 'http://staging:8000/a b'"),
        (spoilt, "--deployments 100000 --target-delay 600ms --target-error-ratio 0.05"),
        (
            starved,
            (
                "--deployments 100000 --target-pool-size 2 --target-hold 50ms --target-design common"
                " --target-drop-index idx"
            ),
        ),
    ):
        line = command_line(replace(run, target=target))
        assert (
            "harness run --agents 50 --interval 10s --run-time 70s --warmup 10s --phase-model uniform --seed 7 "
            + tail
            == line
        )
        parsed = build_parser().parse_args(shlex.split(line)[1:])
        assert (50, 7, "uniform") == (parsed.agents, parsed.seed, parsed.phase_model)


def test_the_command_line_names_what_else_the_load_was_told() -> None:
    told = command_line(replace(run_of(), keep_alive=False, processes=4))
    assert " --seed 7 --keep-alive off --processes 4 --deployments " in told
    options = _options(shlex.split(told)[1:])
    assert (False, 4) == (options.keep_alive, options.processes)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_command_line_makes_the_same_work_of_every_scenario(name: str) -> None:
    """A line that leaves out the scenario's numbers makes another run, with another digest."""
    typed = [] if name == DEFAULT_SCENARIO else ["--scenario", name]
    for parameter in SCENARIOS[name].parameters:
        typical = {parse_duration_s: "3s", parse_ratio: "25%"}
        other = parameter.choices[-1] if parameter.choices else typical.get(parameter.parse, "3")  # type: ignore[call-overload]
        typed += [parameter.flag, other]
    planned = check_options(_options(["run", *typed]))
    line = command_line(replace(run_of(), scenario=planned))
    assert planned == check_options(_options(shlex.split(line)[1:]))


def _options(arguments: list[str]) -> RunOptions:
    return read_run_options(build_parser().parse_args(arguments))


def test_the_state_of_a_run_does_not_change_its_command() -> None:
    assert command_line(run_of()) == command_line(run_of(state=RunState.INTERRUPTED))
