"""The verdict over benchmarks: only what the data show, and never a pass for what is gone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.gating.benchmark_file import read_benchmark_file
from harness.gating.benchmark_gates import parse_benchmark_gate
from harness.gating.benchmark_judge import BenchmarkVerdict, judge_benchmarks
from harness.gating.benchmark_show import benchmarks_sentence
from harness.model import Status
from tests.harness.gating.files import entry, without_data, write

RNG = np.random.default_rng(5)


def judged(
    tmp_path: Path, *gates: str, entries: list[dict[str, Any]], before: list[list[dict[str, Any]]] | None = None
) -> BenchmarkVerdict:
    file = read_benchmark_file(write(tmp_path / "new.json", *entries))
    baselines = [
        read_benchmark_file(write(tmp_path / f"old-{i}.json", *old)) for i, old in enumerate(before or [])
    ]
    return judge_benchmarks([parse_benchmark_gate(gate) for gate in gates], file, baselines)


def statuses(verdict: BenchmarkVerdict) -> list[str]:
    return [finding.status.value for finding in verdict.verdict.findings]


@pytest.mark.parametrize(
    ("rounds", "slow", "gate", "status"),
    [
        # Smallest n that can pass at 95 %: 59 for p95 and 299 for p99.
        (59, 0, "p(95) < 5ms", "PASS"),
        (58, 0, "p(95) < 5ms", "INCONCLUSIVE"),
        (299, 0, "p(99) < 5ms", "PASS"),
        (298, 0, "p(99) < 5ms", "INCONCLUSIVE"),
        (100, 40, "p(95) < 5ms", "FAIL"),
        (100, 6, "p(95) < 5ms", "INCONCLUSIVE"),
        (100, 0, "max < 5ms", "PASS"),
        (100, 1, "max < 5ms", "FAIL"),
    ],
)
def test_rounds_are_counted_against_the_budget(
    tmp_path: Path, rounds: int, slow: int, gate: str, status: str
) -> None:
    values = np.full(rounds, 0.001)
    values[RNG.permutation(rounds)[:slow]] = 0.02
    assert [status] == statuses(judged(tmp_path, gate, entries=[entry(data=values.tolist())]))


def test_a_pattern_gives_one_finding_for_each_benchmark(tmp_path: Path) -> None:
    entries = [entry("test_a[1]"), entry("test_a[2]", data=[0.02] * 100), entry("test_b")]
    verdict = judged(tmp_path, "test_a*: p(95) < 5ms", entries=entries)
    assert ["test_a[1] p95", "test_a[2] p95"] == [f.gate.name for f in verdict.verdict.findings]
    assert ["PASS", "FAIL"] == statuses(verdict)
    assert Status.FAIL is verdict.verdict.status
    assert ("benchmarks/test_it.py::test_b",) == verdict.verdict.coverage.ungated


def test_a_gate_that_names_no_benchmark_is_invalid_and_names_the_near_miss(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "test_pol: p(95) < 5ms, on_inconclusive pass", entries=[entry()])
    assert ["INVALID"] == statuses(verdict)
    (finding,) = verdict.verdict.findings
    assert "new.json holds 1 benchmark, and none is 'test_pol'; did you mean 'test_poll'" == finding.reason
    assert ["INVALID"] == statuses(judged(tmp_path, "p(95) < 5ms", entries=[]))


def test_a_renamed_benchmark_is_found_even_where_every_gate_passes(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "p(95) < 5ms", entries=[entry("test_polls")], before=[[entry("test_poll")]])
    assert ["PASS", "INVALID"] == statuses(verdict)
    assert Status.INVALID is verdict.verdict.status
    assert (
        "old-0.json holds it, and new.json does not; 'benchmarks/test_it.py::test_polls' is new: was it renamed"
        == verdict.verdict.findings[1].reason
    )
    assert (0.0, "count") == (verdict.verdict.findings[1].measured, verdict.verdict.findings[1].gate.unit)
    assert benchmarks_sentence(verdict).startswith("1 of 2 gates can't be judged: a benchmark or its values are ")


def test_a_benchmark_that_the_latest_baseline_no_longer_holds_is_not_missed(tmp_path: Path) -> None:
    before = [[entry("test_poll"), entry("test_retired")], [entry("test_poll")]]
    assert ["PASS"] == statuses(judged(tmp_path, "p(95) < 5ms", entries=[entry("test_poll")], before=before))
    reversed_order = judged(tmp_path, "p(95) < 5ms", entries=[entry("test_poll")], before=before[::-1])
    assert ["PASS", "INVALID"] == statuses(reversed_order)


def test_without_raw_data_nothing_is_judged_and_the_option_is_named(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "max < 5ms", entries=[without_data(entry())])
    (finding,) = verdict.verdict.findings
    assert Status.INCONCLUSIVE is finding.status
    assert "the file holds no raw durations of it, so no quantile can be judged" == finding.reason
    assert "--benchmark-save-data" in str(finding.remedy)


def test_values_that_are_means_of_many_calls_have_no_quantiles_of_calls(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "p(95) < 5ms", entries=[entry(iterations=20)])
    (finding,) = verdict.verdict.findings
    assert Status.INCONCLUSIVE is finding.status
    assert finding.reason.startswith("each of its 100 values is the mean of 20 calls")
    assert "iterations=1" in str(finding.remedy)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_value_that_is_none_is_invalid(tmp_path: Path, odd: float) -> None:
    verdict = judged(tmp_path, "p(50) < 5ms", entries=[entry(data=[0.001] * 200 + [odd])])
    (finding,) = verdict.verdict.findings
    assert Status.INVALID is finding.status
    assert "1 of 201 values are no durations (NaN or infinite)" == finding.reason


def test_no_round_is_never_a_pass(tmp_path: Path) -> None:
    assert ["INCONCLUSIVE"] == statuses(judged(tmp_path, "p(50) < 5ms", entries=[entry(data=[])]))


def test_slow_spells_count_as_fewer_rounds(tmp_path: Path) -> None:
    """A hundred rounds of which the first half is slower than the second are not a hundred independent ones."""
    values = np.concatenate([np.full(200, 0.004), np.full(200, 0.001)]) * (1 + 0.01 * RNG.random(400))
    (finding,) = judged(tmp_path, "p(99) < 5ms", entries=[entry(data=values.tolist())]).verdict.findings
    assert finding.effective_n is not None
    assert finding.effective_n < 100
    assert Status.INCONCLUSIVE is finding.status


def test_against_a_baseline_a_file_is_one_value(tmp_path: Path) -> None:
    """Thousands of rounds in one old file don't tell how far two runs of the same code lie apart."""
    old = [[entry(data=[0.001 * (1 + 0.01 * i)] * 500)] for i in range(-3, 4)]
    one = judged(tmp_path, "p(50) vs baseline < +10%", entries=[entry(data=[0.002] * 500)], before=old[:1])
    assert ["INCONCLUSIVE"] == statuses(one)
    worse = judged(tmp_path, "p(50) vs baseline < +10%", entries=[entry(data=[0.002] * 500)], before=old)
    (finding,) = worse.verdict.findings
    assert (Status.FAIL, 7) == (finding.status, finding.n)
    assert finding.measured == pytest.approx(1.0, abs=0.02)
    same = judged(tmp_path, "p(50) vs baseline < +20%", entries=[entry(data=[0.001] * 500)], before=old)
    assert ["PASS"] == statuses(same)


def test_inconclusive_may_pass_where_the_gate_says_so_and_is_still_told(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "p(99) < 5ms, on_inconclusive pass", entries=[entry()])
    assert ["INCONCLUSIVE"] == statuses(verdict)
    assert Status.PASS is verdict.verdict.status
    assert "0 of 1 gate held, on 1 benchmark." == benchmarks_sentence(verdict)


def test_what_may_be_inconclusive_is_no_pass_on_nothing_at_all(tmp_path: Path) -> None:
    """As for runs: what holds no value is not let pass, and what has nothing to compare with not alone."""
    held = "test_poll: p(50) < 5ms"
    for entries in ([without_data(entry("test_a"))], [entry("test_a", data=[])]):
        unseen = "test_a: p(50) < 5ms, on_inconclusive pass"
        assert Status.INCONCLUSIVE is judged(tmp_path, unseen, entries=entries).verdict.status
        assert Status.INCONCLUSIVE is judged(tmp_path, unseen, held, entries=[*entries, entry()]).verdict.status
    compared = "test_poll: p(50) vs baseline < +10%, on_inconclusive pass"
    for before in ([[]], [[entry()]], [[entry()]] * 2):
        assert Status.INCONCLUSIVE is judged(tmp_path, compared, entries=[entry()], before=before).verdict.status
        # The first runs of a project: everything else holds, and the baseline is yet to grow.
        assert Status.PASS is judged(tmp_path, compared, held, entries=[entry()], before=before).verdict.status


def test_tests_of_one_name_in_two_files_are_told_apart(tmp_path: Path) -> None:
    twice = [entry(), entry() | {"fullname": "benchmarks/test_other.py::test_poll"}]
    verdict = judged(tmp_path, "test_poll: p(50) < 5ms", entries=twice)
    assert ["test_poll p50", "test_poll p50 (2)"] == [f.gate.name for f in verdict.verdict.findings]


def test_another_machine_is_named(tmp_path: Path) -> None:
    new = read_benchmark_file(write(tmp_path / "new.json", entry(), commit_info={"id": "x", "dirty": True}))
    old = read_benchmark_file(write(tmp_path / "old.json", entry(), machine_info={"python_version": "3.9"}))
    assert (
        "The baseline was measured on another machine or Python: unknown processor, Python 3.9.",
        "Tracked files differed from the commit when this was measured.",
    ) == judge_benchmarks([parse_benchmark_gate("p(50) < 5ms")], new, [old]).warnings
