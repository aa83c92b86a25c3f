"""`harness gate` as a user calls it: exit codes, what is written and what stays, and every mistake in one line."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.gating.rejudge import rejudge
from harness.model import SCHEMA_VERSION, Reading, Status
from harness.rundir import RunDirectory, encode, read_result
from tests.harness.gating.files import entry, write
from tests.harness.judge.support import header, poll
from tests.harness.results import run_of

AGENTS, INTERVAL_S, WARMUP_S, RUN_TIME_S = 50, 10.0, 10.0, 70.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as it is before its verdict: 300 judged polls of about 20 ms, and no word of the target's."""
    rng = random.Random(3)
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    directory.run.write_bytes(encode(run_of(ended_s=RUN_TIME_S)))
    polls = [
        poll(agent, (agent + 0.5) / AGENTS * INTERVAL_S + turn * INTERVAL_S, rng.uniform(0.018, 0.022))
        for turn in range(int(RUN_TIME_S / INTERVAL_S))
        for agent in range(AGENTS)
    ]
    ordered = sorted(polls, key=lambda sample: sample.start_s)
    lines = [encode(header()), *map(encode, ordered)]
    directory.samples.write_bytes(b"".join(line + b"\n" for line in lines))
    return directory.path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("p(99) < 30ms", 0),
        ("p(99) < 10ms", 3),
        ("p(99.9) < 30ms", 4),
        ("p(99.9) < 30ms, on_inconclusive pass", 0),
        ("query_time p(95) < 30ms, optional", 4),
    ],
)
def test_a_stored_run_is_judged_by_the_gates_that_are_named(
    run: Path, gate: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(run)
    assert code == main(["gate", str(run), "--no-default-gates", "--gate", gate])
    assert before == files(run)
    told = capsys.readouterr().out.splitlines()
    assert "gates: command line (1 gate)" == told[-1]


def test_write_keeps_the_new_verdict_and_a_second_time_changes_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["gate", str(run), "--no-default-gates", "--gate", "p(99) < 10ms", "--write"]
    assert 3 == main(asked)
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out
    stored = read_result(RunDirectory(run))
    assert Status.FAIL is stored.verdict.status
    assert "command line (1 gate)" == stored.gates_from
    assert 3 == main(asked)
    assert stored == read_result(RunDirectory(run))
    assert 3 == main(["report", str(run)])
    assert 0 == main(["gate", str(run), "--no-default-gates", "--gate", "p(99) < 30ms"])
    assert stored == read_result(RunDirectory(run))


def test_a_run_that_was_called_off_stays_failed_whatever_it_is_judged_by(run: Path, tmp_path: Path) -> None:
    """The target went down: a gate that holds on what was measured before is no PASS of the run."""
    called_off = "the run was called off after 70 s, because the target is going down"
    RunDirectory(run).run.write_bytes(encode(run_of(ended_s=RUN_TIME_S, called_off=called_off)))
    junit = tmp_path / "junit.xml"
    asked = ["gate", str(run), "--no-default-gates", "--gate", "p(99) < 30ms"]
    assert 3 == main([*asked, "--junit", str(junit), "--write"])
    cases = {case.get("name"): [child.tag for child in case] for case in ElementTree.parse(junit).iter("testcase")}
    assert {"p99": ["system-out"], "target-up": ["failure"]} == cases
    assert 3 == main(["report", str(run)])
    RunDirectory(run).run.unlink()
    assert 3 == main(asked)


def test_a_gate_file_and_the_outputs(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = tmp_path / "strict.toml"
    gates.write_text('[gates]\nfast = "p(99) < 10ms"\nfine = "p(50) < 30ms"\n')
    junit = tmp_path / "junit.xml"
    assert 3 == main(["gate", str(run), "--gates", str(gates), "--junit", str(junit), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert {"fast": "FAIL", "fine": "PASS"} == {
        f["gate"]["name"]: f["status"] for f in told["verdict"]["findings"]
    }
    cases = [case.get("name") for case in ElementTree.parse(junit).iter("testcase")]
    assert ["fast", "fine"] == cases


def test_a_verdict_is_printed_even_where_an_output_fails_later(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "junit.xml"
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert 1 == main(["gate", str(run), "--no-default-gates", "--gate", "p(99) < 30ms", "--junit", str(target)])
    captured = capsys.readouterr()
    assert "PASS" in captured.out
    assert "can't be written" in captured.err
    assert 1 == captured.err.count("\n")


def test_benchmarks_have_their_own_verdict_json_and_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "new.json", entry(), entry("test_slow", data=[0.02] * 100))
    asked = ["gate", "--benchmark-json", str(path)]
    assert 0 == main([*asked, "--gate", "test_poll: p(95) < 5ms"])
    assert "1 of 1 gate held, on 2 benchmarks." in " ".join(capsys.readouterr().out.split())
    assert 3 == main([*asked, "--gate", "p(95) < 5ms", "--json"])
    assert "FAIL" == json.loads(capsys.readouterr().out)["verdict"]["status"]
    assert 5 == main([*asked, "--gate", "test_pool: p(95) < 5ms"])
    assert "did you mean 'test_poll'" in " ".join(capsys.readouterr().out.split())
    old = write(tmp_path / "old.json", entry(), entry("test_gone"))
    assert 5 == main([*asked, "--baseline-json", str(old)])
    same = write(tmp_path / "same.json", entry())
    assert 4 == main([*asked, "--baseline-json", str(same)])
    assert "Nothing was judged" in capsys.readouterr().out


def test_gates_over_benchmarks_are_found_beside_those_over_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "new.json", entry())
    (tmp_path / "gates.toml").write_text('[gates]\np95 = "p95 < 1s"\n[benchmarks]\n"*" = "max < 2s"\n')
    assert 0 == main(["gate", "--benchmark-json", str(path), "--gate", "p(95) < 5ms"])
    assert capsys.readouterr().out.endswith("\ngates: gates.toml (1 gate), command line (1 gate)\n")
    assert 2 == main(["gate", "--benchmark-json", str(path), "--no-default-gates"])


def test_the_outputs_of_benchmarks(tmp_path: Path) -> None:
    path = write(tmp_path / "new.json", entry())
    out = {name: tmp_path / name for name in ("j.xml", "c.md", "b.json", "b.svg")}
    flags = zip(("--junit", "--markdown", "--github-benchmark", "--badge"), out.values(), strict=True)
    named = [word for flag, file in flags for word in (flag, str(file))]
    assert 0 == main(["gate", "--benchmark-json", str(path), "--gate", "p(95) < 5ms", *named])
    assert out["c.md"].read_text().startswith("<!-- harness: benchmarks -->\n## PASS: benchmarks")
    (figure,) = json.loads(out["b.json"].read_text())
    assert ("benchmark_time p95 benchmarks/test_it.py::test_poll", 1.0) == (figure["name"], figure["value"])


def test_what_gates_can_be_about_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["gate", "--metrics"])
    assert any(line.startswith("response_time  ") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "command 'gate': nothing to judge, need either RUN_DIR or --benchmark-json FILE"),
        (
            ["r", "--benchmark-json", "b"],
            2,
            "command 'gate': a run and a file of benchmarks, need either RUN_DIR or",
        ),
        (
            ["r", "--baseline-json", "b"],
            2,
            "option '--baseline-json': is for --benchmark-json; try harness compare",
        ),
        (["--benchmark-json", "b", "--write"], 2, "option '--write': is for a run's folder; try --json > FILE"),
        (
            ["--benchmark-json", "b", "--history", "h"],
            2,
            "option '--history': is for a run; a file of benchmarks is its own record; try --baseline-json FILE",
        ),
        (["--benchmark-json", "b"], 2, "option '--benchmark-json': no gate: the specification has none for bench"),
        (
            ["--benchmark-json", "b", "--gate", "x: p(50) vs baseline < +10%"],
            2,
            "option '--gate': a gate 'vs baseline' and nothing to compare with; try --baseline-json FILE",
        ),
        (["--benchmark-json", "b", "--gate", "p(50) < 1ms"], 1, "benchmark file 'b': can't be read: No such file"),
        (["nowhere"], 1, "run 'nowhere': no such folder, need a folder that holds run.json"),
        (["."], 1, "run '.': no run's folder, need a folder that holds run.json"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str],
    code: int,
    text: str,
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code == main(["gate", *arguments])
    captured = capsys.readouterr()
    assert ("", 1) == (captured.out, captured.err.count("\n"))
    assert captured.err.startswith(f"harness: {text}"), captured.err


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("run.json", b"", "not a Run record"),
        ("run.json", b'{"schema_version": 99}', "written by a newer version of the harness, got schema 99"),
        ("run.json", b"[]", "not a Run record"),
        ("run.json", ("interval_s", 0), "its scenario makes no sense, got 50 agents every 0 s for 70 s"),
        ("run.json", ("agents", 0), "its scenario makes no sense, got 0 agents every 10 s for 70 s"),
        ("run.json", ("run_time_s", 1e300), "its scenario makes no sense, got 50 agents every 10 s for 1e+300 s"),
        ("samples.jsonl", b"", "not a SampleHeader record"),
        ("samples.jsonl", b"\x00\xff", "not a SampleHeader record"),
    ],
)
def test_a_corrupt_folder_is_no_pass_and_no_traceback(
    run: Path, name: str, content: bytes | tuple[str, float], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(content, tuple):
        stored = json.loads((run / name).read_bytes())
        stored["scenario"][content[0]] = content[1]
        content = json.dumps(stored).encode()
    (run / name).write_bytes(content)
    assert 1 == main(["gate", str(run), "--no-default-gates", "--gate", "p(99) < 30ms"])
    captured = capsys.readouterr()
    assert "" == captured.out
    assert text in captured.err
    assert 1 == captured.err.count("\n")


@pytest.mark.parametrize(
    ("name", "content", "warning"),
    [
        ("result.json", b"", "The verdict of before is left out, and the samples were judged anew: "),
        ("result.json", b'{"schema_version": 99}', "written by a newer version of the harness"),
        ("run.json", b"{", "The run's record and what its target said are taken from result.json: "),
        ("run.json", None, "run.json': missing."),
        ("evidence.json", b"NaN", "not a Reading record"),
    ],
)
def test_what_the_samples_can_do_without_is_left_out_and_said(
    run: Path, name: str, content: bytes | None, warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = Reading(schema_version=SCHEMA_VERSION, server=None, indexes=(), target_death=None, notes=())
    RunDirectory(run).evidence.write_bytes(encode(silent))
    rejudge(run, file=None, texts=(), written=True)
    asked = ["gate", str(run), "--json"]
    code = main(asked)
    before = json.loads(capsys.readouterr().out)["verdict"]
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    assert code == main(asked)
    now = json.loads(capsys.readouterr().out)
    assert before == now["verdict"]
    assert 1 == sum(warning in text for text in now["warnings"]), now["warnings"]


def test_a_run_in_reach_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rejudge(run, file=None, texts=(), written=True)
    for path, said in (
        (run.parent, f"no run's folder, need a folder that holds run.json; try one of the 1 in it, such as {run}"),
        (run / "result.json", f"a file, need a folder that holds run.json; try {run}"),
    ):
        assert 1 == main(["gate", str(path)])
        assert f"harness: run '{path}': {said}\n" == capsys.readouterr().err
    partial = run.rename(f"{run}.partial")
    assert 1 == main(["gate", str(run)])
    assert capsys.readouterr().err.endswith(f"no such folder, need a folder that holds run.json; try {partial}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_standard_output_is_said_and_costs_no_other_output(run: Path, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    gate = ["gate", str(run), "--no-default-gates", "--gate", "p(99) < 10ms", "--junit", str(junit)]
    script = f"import sys; from harness.cli import main; sys.exit(main({gate!r}))"
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"harness: standard output: can't be written: No space left on device\n"
    assert (1, said) == (ended.returncode, ended.stderr)
    assert "1" == ElementTree.parse(junit).getroot().get("failures")


def test_a_full_disk_under_standard_error_changes_no_exit_code(run: Path) -> None:
    gate = ["gate", str(run), "--no-default-gates", "--gate", "p(99) < 10ms", "--annotations"]
    script = f"import sys; from harness.cli import main; sys.exit(main({gate!r}))"
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=full, check=False)
    assert 3 == ended.returncode


def test_a_reader_that_goes_away_changes_no_exit_code(run: Path) -> None:
    """As in `harness gate … | head -1`, with tables and with JSON."""
    judged = ["gate", str(run), "--no-default-gates", "--gate", "p(99) < 10ms"]
    for code, gate in ((3, judged), (3, [*judged, "--json"]), (0, ["gate", "--metrics"]), (0, ["schema", "ab"])):
        script = f"import sys; from harness.cli import main; sys.exit(main({gate!r}))"
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.close()
        _, errors = child.communicate(timeout=60)
        assert (code, b"") == (child.returncode, errors)
