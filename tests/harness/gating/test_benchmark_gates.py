"""Gates over benchmarks as text: subject, pattern, condition."""

from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.gatefiles import read_gate_file
from harness.gating.benchmark_gates import (
    find_benchmark_gates,
    matches,
    parse_benchmark_gate,
    read_benchmark_gates,
)


@pytest.mark.parametrize(
    ("text", "subject", "quantile", "limit"),
    [
        ("test_poll: p(95) < 5ms", "test_poll", 0.95, 0.005),
        ("benchmarks/test_it.py::test_poll: max < 1s", "benchmarks/test_it.py::test_poll", 1.0, 1.0),
        ("test_poll[a:b-1:2]: med < 5ms", "test_poll[a:b-1:2]", 0.5, 0.005),
        ("test_*: p99.9 < 5ms", "test_*", 0.999, 0.005),
        ("p(95) < 5ms", "*", 0.95, 0.005),
        (": p(95) < 5ms", "*", 0.95, 0.005),
    ],
)
def test_a_gate_names_benchmarks_and_a_budget(text: str, subject: str, quantile: float, limit: float) -> None:
    gate = parse_benchmark_gate(text)
    assert (subject, quantile, limit) == (gate.subject, gate.quantile, gate.limit)
    assert "benchmark_time" == gate.metric


def test_options_and_baselines_are_those_of_every_gate() -> None:
    gate = parse_benchmark_gate("test_poll: p(50) vs baseline < +10%, confidence 99%, on_inconclusive pass")
    assert gate.against_baseline
    assert (0.1, 0.99, "pass") == (gate.limit, gate.confidence, gate.on_inconclusive)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("test_poll: p(95) < 5", "a limit without a unit"),
        ("test_poll: error_ratio < 1%", "a benchmark has durations only, got 'error_ratio'"),
        ("test_poll: service_time p(95) < 5ms", "a benchmark has durations only, got 'service_time'"),
        ("test_poll: p(95) < 5ms, abort_on_fail", "a finished benchmark can't be ended early, got abort_on_fail"),
        ("test_it.py::test_poll p(95) < 5ms", "a benchmark without a colon after it"),
        ("test_poll:", "empty"),
        ("", "empty"),
    ],
)
def test_what_can_not_be_a_gate_is_refused(text: str, error: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_benchmark_gate(text)
    assert error in str(refusal.value)


def test_brackets_in_a_pattern_are_brackets() -> None:
    assert matches("test_poll[[]1]", "test_poll[[]1]")
    assert matches("test_poll[*]", "test_poll[1-2]")
    assert matches("test_?oll*", "test_poll")
    assert not matches("test_poll[1]", "test_poll1")
    assert not matches("test_po", "test_poll")


def test_a_file_has_a_table_of_them(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text('[benchmarks]\n"test_poll*" = ["p(50) < 1ms", "p(95) < 5ms"]\n"*" = "max < 2s"\n')
    assert ["test_poll* p50", "test_poll* p95", "* max"] == [gate.name for gate in read_benchmark_gates(path)]
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.harness.benchmarks]\n"*" = "max < 2s"\n')
    assert ["* max"] == [gate.name for gate in read_benchmark_gates(project)]


def test_one_file_holds_gates_over_runs_and_over_benchmarks(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(
        'confidence = "99%"\n[gates]\np95 = "p(95) < 200ms"\n[benchmarks]\n"test_a" = "p(95) < 5ms"\n'
        '"test_b" = { gate = "max < 2s", confidence = "90%", on_inconclusive = "pass" }\n'
    )
    assert [("test_a", 0.99, "fail"), ("test_b", 0.9, "pass")] == [
        (gate.subject, gate.confidence, gate.on_inconclusive) for gate in read_benchmark_gates(path)
    ]
    run_gates = read_gate_file(path)
    assert run_gates is not None
    assert [("p95", 0.99)] == [(gate.name, gate.confidence) for gate in run_gates]


def test_a_file_is_found_where_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.harness.benchmarks]\n"*" = "max < 2s"\n')
    (tmp_path / "gates.toml").write_text('[gates]\np95 = "p(95) < 200ms"\n')
    gates, found = find_benchmark_gates(tmp_path)
    assert (["* max"], "pyproject.toml") == ([gate.name for gate in gates], found and found.name)
    (tmp_path / "pyproject.toml").unlink()
    assert ((), None) == find_benchmark_gates(tmp_path)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            '[gates]\np95 = "p(95) < 5ms"\n',
            'no gate over benchmarks in it, need [benchmarks] with lines such as "te',
        ),
        (
            '[benchmark]\na = "p(95) < 5ms"\n',
            (
                ":1: gate file 'gates.toml': unknown key, got 'benchmark', need one of confidence, "
                "on_inconclusive, gates, benchmarks; try 'benchmarks'"
            ),
        ),
        ('[benchmarks]\na = "p95 < 1s"\n[gatez]\n', ":3: gate file 'gates.toml': unknown key, got 'gatez'"),
        ("[benchmarks]\n", "no gate over benchmarks in it"),
        ("benchmarks = 3\n", "no gate over benchmarks in it"),
        ("[benchmarks]\na = 3\n", ":2: gate 'a': is no gate, got 3"),
        ('[benchmarks]\n\na = "p(95) < 5"\n', ":3: gate 'p(95) < 5': a limit without a unit"),
        ('[benchmarks]\na = ["p50 < 1s", { gat = "p(95) < 5s" }]\n', ":2: gate 'a': unknown key, got 'gat'"),
        (
            '[benchmarks]\na = { gate = "p95 < 5s", abort_on_fail = true }\n',
            ":2: gate 'a': a finished benchmark can't be ended early, got abort_on_fail",
        ),
        ("[benchmarks\n", "not TOML: "),
    ],
)
def test_a_file_that_can_not_work_is_refused(tmp_path: Path, content: str, error: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as refusal:
        read_benchmark_gates(path)
    assert str(path) in str(refusal.value)
    assert error in str(refusal.value)


def test_a_file_that_is_not_there_is_no_usage_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="can't be read: No such file"):
        read_benchmark_gates(tmp_path / "gates.toml")
