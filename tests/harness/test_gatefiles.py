"""Gate files: what is read, which file counts, what is said of mistakes, and the file of `harness init`."""

import os
from dataclasses import replace

import pytest

from harness.errors import HarnessError, UsageError
from harness.gate_text import format_gate
from harness.gatefiles import STARTER_FILE, choose_gates, read_gate_file
from harness.judge.gates import spec_gates

FULL = """
confidence = "90%"
on_inconclusive = "pass"

[gates]
p95 = "p(95) < 200ms"
tail = { gate = "p(99) < 500ms", confidence = 0.99, on_inconclusive = "fail", abort_on_fail = true }
"POST /api/agents" = "POST /api/agents: error_ratio < 1%, confidence 80%, optional"

[gates.pool]
gate = "pool_use < 80%"
optional = true
"""


def write(folder, text, name="gates.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def chosen(folder, **options):
    return choose_gates(interval_s=10.0, folder=folder, **options)


def test_a_gate_file_is_read(tmp_path):
    gates = read_gate_file(write(tmp_path, FULL))
    assert [
        ("p95", "p(95) < 200ms, confidence 90%, on_inconclusive pass"),
        ("tail", "p(99) < 500ms, confidence 99%, abort_on_fail"),
        (
            "POST /api/agents",
            "POST /api/agents: error_ratio < 1%, confidence 80%, on_inconclusive pass, optional",
        ),
        ("pool", "pool_use < 80%, confidence 90%, on_inconclusive pass, optional"),
    ] == [(gate.name, format_gate(gate)) for gate in gates]


def test_the_file_that_init_writes_holds_the_targets_of_the_specification(tmp_path):
    path = write(tmp_path, STARTER_FILE)
    assert spec_gates(interval_s=10.0) == read_gate_file(path, interval_s=10.0)
    assert spec_gates(interval_s=0.5) == read_gate_file(path, interval_s=0.5)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "gates.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert 4 == len(read_gate_file(path))


def test_the_nearest_source_counts_and_is_named(tmp_path):
    """The first of --gates, gates.toml and pyproject.toml that names gates is the base, else the specification."""
    assert ("the targets of the specification (8 gates)", 8) == told(chosen(tmp_path))
    project = write(tmp_path, '[project]\nname = "x"\n', "pyproject.toml")
    assert ("the targets of the specification (8 gates)", 8) == told(chosen(tmp_path))
    project.write_text('[tool.harness]\nhistory = "h"\n[tool.harness.gates]\na = "p50 < 1s"\nb = "p95 < 2s"\n')
    assert ("pyproject.toml (2 gates)", 2) == told(chosen(tmp_path))
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    assert ("pyproject.toml (2 gates)", 2) == told(chosen(below))
    write(tmp_path, '[gates]\na = "p50 < 1s"\n')
    assert ("gates.toml (1 gate)", 1) == told(chosen(tmp_path))
    assert ("gates.toml (1 gate)", 1) == told(chosen(below))
    other = write(tmp_path, '[gates]\na = "p50 < 1s"\nb = "p95 < 2s"\nc = "p99 < 3s"\n', "staging.toml")
    assert (f"{other} (3 gates)", 3) == told(chosen(tmp_path, file=other))


def told(gates):
    return gates.source, len(gates.gates)


def test_gates_of_the_command_line_take_the_place_of_those_on_the_same_figure(tmp_path):
    gates = chosen(tmp_path, texts=["p95 < 300ms", "POST /api/agents: p95 < 1s"])
    assert ["p50", "p95", "p99", "error-ratio", "poll-rate", "query-time", "pool-use", "pending-index"] == [
        gate.name for gate in gates.gates[:-1]
    ]
    assert "p(95) < 300ms" == format_gate(gates.gates[1])
    assert "POST /api/agents: p(95) < 1s" == format_gate(gates.gates[-1])
    assert "the targets of the specification (8 gates), command line (2 gates, in place of p95)" == gates.source


def test_without_the_defaults_only_what_was_named_is_judged(tmp_path):
    write(tmp_path, FULL)
    gates = chosen(tmp_path, texts=["p95 < 300ms", "p95 < 400ms, abort_on_fail"], defaults=False)
    assert ("command line (2 gates)", 2) == told(gates)
    assert ["p95", "p95-2"] == [gate.name for gate in gates.gates]
    with pytest.raises(UsageError) as fault:
        chosen(tmp_path, defaults=False)
    assert "option '--no-default-gates': leaves no gate; try --gate 'p(95) < 200ms'" == str(fault.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'confidense = "95%"\n[gates]\na = "p95 < 1s"\n',
            (
                ":1: gate file 'gates.toml': unknown key, got 'confidense', need one of confidence, "
                "on_inconclusive, gates, benchmarks; try 'confidence'"
            ),
        ),
        (
            '[gates]\n\na = { gate = "p95 < 1s", abort_on_fial = true }\n',
            (
                ":3: gate 'a': unknown key, got 'abort_on_fial', need one of gate, confidence, on_inconclusive, "
                "abort_on_fail, optional; try 'abort_on_fail'"
            ),
        ),
        (
            '[gates]\nfine = "p50 < 1s"\nlat = "latency p95 < 200ms"\n',
            ":3: gate 'latency p95 < 200ms': unknown metric, got 'latency'; try 'response_time'",
        ),
        (
            '[gates]\na = "p95 < 200"\n',
            (
                ":2: gate 'p95 < 200': a limit without a unit, got '200', need a duration such as 200ms or 2s; "
                "try '200ms'"
            ),
        ),
        (
            "[gates]\na = 5\n",
            ':2: gate \'a\': is no gate, got 5, need a = "p(95) < 200ms" or a = { gate = "…", … }',
        ),
        ('[gates]\na = ["p95 < 1s"]\n', None),
        ('[gates]\na = { confidence = "95%" }\n', ":2: gate 'a': no text of the gate, need gate = \"…\""),
        (
            '[gates]\na = { gate = "p95 < 1s", confidence = 95 }\n',
            ':2: gate \'a\': confidence out of range, got 95, need "50%" to below "100%"',
        ),
        (
            '[gates]\na = { gate = "p95 < 1s", confidence = true }\n',
            ':2: gate \'a\': confidence out of range, got True, need "50%" to below "100%"',
        ),
        (
            '[gates]\na = { gate = "p95 < 1s", abort_on_fail = "yes" }\n',
            ":2: gate 'a': 'abort_on_fail' is neither true nor false, got 'yes'",
        ),
        (
            'on_inconclusive = "warn"\n[gates]\na = "p95 < 1s"\n',
            ":1: key 'on_inconclusive': unknown value of on_inconclusive, got 'warn', need 'fail' or 'pass'",
        ),
        (
            '[gates]\na = { gate = "p95 < 1s", on_inconclusive = ["pass"] }\n',
            ":2: gate 'a': unknown value of on_inconclusive, got ['pass'], need 'fail' or 'pass'",
        ),
        ('[gates]\n"" = "p95 < 1s"\n', ":2: gate '': no name, need a name such as p95 = \"p(95) < 200ms\""),
        (
            '[gates]\np99.9 = "p(99.9) < 1s"\n',
            (':2: gate \'p99\': TOML takes a dot in a name for a table, got p99.9; try "p99.9" = "…", in quotes'),
        ),
        (
            'confidence = nan\n[gates]\na = "p95 < 1s"\n',
            ':1: key \'confidence\': confidence out of range, got nan, need "50%" to below "100%"',
        ),
        ("gates = 5\n", ":1: key 'gates': is no table, need [gates] with lines such as p95 = \"p(95) < 200ms\""),
        (
            '[gates]\npool = { gate = "pool_use < 80%", abort_on_fail = true }\n',
            (
                ":2: gate 'pool': 'pool_use' is not known before the run is over, got abort_on_fail, need a gate "
                "on error_ratio, errors, response_time or service_time that has to stay below a limit"
            ),
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as fault:
        read_gate_file(path)
    if said is not None:
        assert f"{path}{said}" == str(fault.value)
    assert str(fault.value).startswith(f"{path}:")


@pytest.mark.parametrize("text", ["", "[gates]\n", 'confidence = "95%"\n'])
def test_a_file_without_gates_is_refused(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as fault:
        chosen(tmp_path)
    assert (
        f"gate file '{path}': no gate in it, need [gates] with lines such as p95 = \"p(95) < 200ms\"; "
        "try harness init" == str(fault.value)
    )


def test_what_is_no_toml_is_said_with_its_line(tmp_path):
    path = write(tmp_path, "[gates]\np95 = p(95) < 200ms\n")
    with pytest.raises(UsageError) as fault:
        read_gate_file(path)
    assert f"gate file '{path}': not TOML: Invalid value (at line 2, column 7)" == str(fault.value)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8"):
        read_gate_file(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(HarnessError) as fault:
        read_gate_file(path)
    assert f"gate file '{path}': can't be read: No such file or directory; try harness init" == str(fault.value)
    with pytest.raises(HarnessError, match="can't be read: Is a directory"):
        read_gate_file(tmp_path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "gates.toml"
    path.touch()
    os.truncate(path, 2_000_000)
    with pytest.raises(UsageError, match="too large to be one, need 1 MB or less"):
        read_gate_file(path)


def test_a_file_nested_without_end_is_no_toml(tmp_path):
    path = write(tmp_path, "x = " + "[" * 100_000)
    with pytest.raises(UsageError, match="not TOML: nested too deeply"):
        read_gate_file(path)


def test_a_file_with_gates_over_benchmarks_alone_leaves_those_of_a_run_to_the_next_source(tmp_path):
    path = write(tmp_path, '[benchmarks]\n"test_a" = "p(95) < 5ms"\n')
    assert "the targets of the specification (8 gates)" == chosen(tmp_path).source
    with pytest.raises(UsageError) as fault:
        chosen(tmp_path, file=path)
    assert f"gate file '{path}': names no gates of a run, need [gates] in it" == str(fault.value)


def test_mistakes_in_the_project_file_name_the_table(tmp_path):
    path = write(tmp_path, "[tool.other]\ngates = 1\n[tool.harness]\ngatess = 1\n", "pyproject.toml")
    with pytest.raises(UsageError) as fault:
        chosen(tmp_path)
    assert (
        f"{path}:4 [tool.harness]: gate file 'pyproject.toml': unknown key, got 'gatess', need one of confidence, "
        "on_inconclusive, gates, benchmarks, history; try 'gates'" == str(fault.value)
    )
    path.write_text("tool.harness = 3\n")
    with pytest.raises(UsageError, match=r"tool\.harness is no table, got 3"):
        chosen(tmp_path)
    path.write_text("tool = 3\n")
    assert 8 == len(chosen(tmp_path).gates)
    with pytest.raises(UsageError) as fault:
        chosen(tmp_path, file=path)
    assert f"gate file '{path}': names no gates of a run, need [tool.harness.gates] in it" == str(fault.value)


def test_the_spec_gates_can_be_left_out_where_the_target_is_silent():
    optional = [gate.name for gate in spec_gates(interval_s=10.0) if gate.optional]
    assert ["query-time", "pool-use", "pending-index"] == optional
    assert replace(spec_gates(interval_s=10.0)[0], optional=False) == spec_gates(interval_s=10.0)[0]
