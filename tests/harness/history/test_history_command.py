"""`harness history` as a user types it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import ExitCode
from harness.history.records import encode_record
from harness.history.store import open_history, read_records
from tests.harness.history.support import acceptance, metric, note, record

DATA = Path(__file__).resolve().parents[2] / "data" / "importers"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)


@pytest.mark.parametrize("action", ["list", "show", "add", "prune", "export", "doctor"])
def test_each_action_shows_how_it_is_called(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["history", action, "--help"])
    assert 0 == ended.value.code
    assert f"examples:\n  harness history {action}" in capsys.readouterr().out


class Shell:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        code = main(["history", *map(str, arguments)])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *arguments: object) -> Any:
        code, out, _ = self(*arguments, "--json")
        assert ExitCode.PASS == code
        return json.loads(out)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_an_empty_history_is_said(shell: Shell) -> None:
    assert (0, "no run in runs/history\n", "") == shell("list")
    assert (0, "no such run in runs/history\n", "") == shell("list", "--branch", "other")
    assert {"total": 0, "runs": []} == shell.json("list")
    assert not Path("runs").exists()


def test_the_newest_runs_are_listed(shell: Shell) -> None:
    history = open_history("runs/history")
    for number in range(3):
        history.add(record(number, dirty=number == 1))
    code, out, _ = shell("list", "--last", "2")
    lines = out.splitlines()
    assert ExitCode.PASS == code
    assert lines[0].split() == ["RUN", "COMMIT", "BRANCH", "SCENARIO", "ENVIRONMENT", "VERDICT", "FIGURES"]
    expected = [record(1).id, "000000000*", "main", "agent-polling@9b2e41", "5c1d7ab2", "PASS", "1"]
    assert expected == lines[1].split()
    assert "3 runs in runs/history, the newest 2 shown (--last 0 shows all)" == lines[3]
    told = shell.json("list", "--last", "0", "--branch", "main", "--scenario", "agent-*")
    assert (3, [record(n).id for n in range(3)]) == (told["total"], [run["id"] for run in told["runs"]])
    assert 0 == shell.json("list", "--branch", "other")["total"]
    assert ExitCode.USAGE == shell("list", "--last", "-1")[0]


def test_what_can_not_be_read_is_said_and_the_rest_shown(shell: Shell) -> None:
    open_history("runs/history").add(record())
    Path("runs/history/runs/2026-11/torn.json").write_bytes(encode_record(record(1))[:60])
    code, out, err = shell("list")
    assert (ExitCode.PASS, True) == (code, record().id in out)
    assert "harness: left out runs/2026-11/torn.json: torn: it ends in the middle\n" == err


def test_a_run_is_shown_with_its_figures(shell: Shell) -> None:
    open_history("runs/history").add(record(0, metric(0.0123, limit=0.2)))
    _, out, _ = shell("show", "latest")
    assert "began        2026-11-01T08:30:00Z" in out
    assert "12.3 ms" in out
    assert record().id == shell.json("show", record().id[:-2])["id"]
    code, _, err = shell("show", "nothing")
    assert (ExitCode.OWN_ERROR, "harness: record 'nothing': not in the history runs/history") == (
        code,
        err.partition(";")[0],
    )


def test_files_of_other_tools_are_added_once(shell: Shell) -> None:
    paths = [DATA / "locust" / "agg_stats.csv", DATA / "github-action-benchmark" / "data.js"]
    code, out, _ = shell("add", *paths, "--history", "h", "--branch", "main", "--environment", "ci")
    assert (ExitCode.PASS, "4 runs added to h") == (code, out.splitlines()[-1])
    assert {"main"} == {one.branch for one in read_records(open_history("h")).records}
    assert {"ci"} == {one.environment_key for one in read_records(open_history("h")).records}
    told = shell.json("add", *paths, "--history", "h")
    assert [(0, 1), (0, 3)] == [(len(one["added"]), len(one["known"])) for one in told]


def test_a_file_whose_time_has_changed_is_known_by_its_content(shell: Shell) -> None:
    path = Path("bench.json")
    path.write_text('[{"name": "a", "unit": "s", "value": 1}]')
    assert 1 == len(shell.json("add", path)[0]["added"])
    path.touch()
    assert 1 == len(shell.json("add", path)[0]["known"])
    assert 1 == shell.json("list")["total"]


def test_the_time_and_commit_can_be_told(shell: Shell) -> None:
    Path("bench.json").write_text('[{"name": "a", "unit": "s", "value": 1}]')
    shell("add", "bench.json", "--at", "2026-11-01T10:00:00+01:00", "--commit", "abc123", "--release", "2.0")
    (one,) = read_records(open_history("runs/history")).records
    assert ("2026-11-01T09:00:00Z", "abc123", "2.0", ()) == (one.at_utc, one.commit, one.version, one.notes)
    code, _, err = shell("add", "bench.json", "--at", "noon")
    assert (ExitCode.USAGE, True) == (code, "option '--at': not a time, got 'noon'" in err)


def test_a_folder_is_walked_and_what_is_no_result_is_named(shell: Shell) -> None:
    code, out, _ = shell("add", DATA / "asv", "--dry-run")
    assert ExitCode.OWN_ERROR == code
    assert "2 runs would be added to runs/history" == out.splitlines()[-1]
    assert "aaaaaaaa-py2.7-Cython-numpy1.8.json: not added: no JSON" in out
    assert not Path("runs").exists()
    code, out, _ = shell("add", "missing.json")
    assert (ExitCode.OWN_ERROR, "missing.json: not added: can't be read: No such file or directory") == (
        code,
        out.splitlines()[0],
    )


def test_records_move_between_histories(shell: Shell) -> None:
    source = open_history("old")
    for number in range(3):
        source.add(record(number))
    shell("export", "--history", "old", "--out", "all.json")
    shell("add", "all.json", "--history", "sqlite:///new.db")
    new = open_history("sqlite:///new.db")
    assert read_records(source).records == read_records(new).records
    shell("add", "old", "--history", "copied")
    assert read_records(source).records == read_records(open_history("copied")).records


def test_an_export_goes_to_standard_output(shell: Shell) -> None:
    open_history("runs/history").add(record())
    _, out, _ = shell("export", "--format", "csv")
    assert 2 == len(out.splitlines())
    _, out, _ = shell("export", "--format", "github-action-benchmark")
    assert out.startswith("window.BENCHMARK_DATA = {")


def test_pruning_asks_first(shell: Shell) -> None:
    history = open_history("runs/history")
    for number in range(5):
        history.add(record(number))
    history.add_acceptance(replace(acceptance(), record=record(0).id))
    code, out, _ = shell("prune", "--keep", "2")
    assert ExitCode.PASS == code
    assert [
        record(1).id,
        record(2).id,
        f"{record(0).id} stays: accepted: the new index",
        "2 runs would be removed from runs/history, 3 kept",
        "nothing was removed; --yes does it",
    ] == out.splitlines()
    assert 5 == shell.json("list")["total"]
    told = shell.json("prune", "--keep", "2", "--yes")
    assert ([record(1).id, record(2).id], True) == (told["removed"], told["done"])
    assert [record(n).id for n in (0, 3, 4)] == [run["id"] for run in shell.json("list")["runs"]]


def test_the_edges_of_a_change_survive(shell: Shell) -> None:
    history = open_history("runs/history")
    for number in range(40):
        history.add(record(number, metric((0.010 if number < 20 else 0.020) * (1 + number % 3 / 100))))
    told = shell.json("prune", "--keep", "5")
    assert {record(19).id, record(20).id} <= told["spared"].keys()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "command 'prune': says not what to keep, need --keep or --all-for"),
        (("--keep", "0"), "option '--keep': keeps nothing, got 0, need 1 or more"),
        (("--all-for", "-1"), "option '--all-for': no number of days, got -1.0, need 0 or more"),
        (("--all-for", "nan"), "option '--all-for': no number of days, got nan"),
        (("--daily-for", "9"), "option '--daily-for': thins what --all-for leaves, need --all-for"),
        (("--all-for", "9", "--daily-for", "3"), "option '--daily-for': ends before --all-for does, got 3.0"),
    ],
)
def test_a_pruning_that_makes_no_sense_is_refused(shell: Shell, arguments: tuple[str, ...], why: str) -> None:
    code, _, err = shell("prune", *arguments)
    assert (ExitCode.USAGE, True) == (code, why in err)


def test_the_doctor_tells_faults_by_its_exit_code(shell: Shell) -> None:
    open_history("runs/history").add(record())
    assert (ExitCode.PASS, "1 run read in runs/history, 0 faults, 0 hints\n", "") == shell("doctor")
    Path("runs/history/runs/2026-11/torn.json").write_text("{")
    code, out, _ = shell("doctor", "--rebuild-index", "--json")
    assert ExitCode.FAIL == code
    assert ["runs/2026-11/torn.json"] == [one["name"] for one in json.loads(out)["complaints"]]


def test_the_history_may_stand_in_the_project_or_the_environment(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pyproject.toml").write_text('[tool.harness]\nhistory = "perf"\n')
    Path("deep").mkdir()
    monkeypatch.chdir("deep")
    open_history("../perf").add(record())
    assert 1 == shell.json("list")["total"]
    monkeypatch.setenv("HARNESS_HISTORY", "other")
    assert 0 == shell.json("list")["total"]
    assert 1 == shell.json("list", "--history", "../perf")["total"]


def test_acceptances_and_notes_come_along(shell: Shell) -> None:
    """A history that is copied, by its folder or by an export, keeps what people said of it."""
    first = open_history("first")
    first.add(record(0))
    first.add_acceptance(acceptance())
    first.add_note(note())
    for number, source in enumerate(("first", "first.json")):
        shell("export", "--history", "first", "--out", "first.json")
        where = f"sqlite:///copy{number}.db"
        code, out, err = shell("add", source, "--history", where)
        assert (ExitCode.PASS, "") == (code, err)
        assert f"1 run and 2 acceptances and notes added to {where}" == out.splitlines()[-1]
        copy = open_history(where)
        assert ((acceptance(),), (note(),)) == (copy.acceptances(), copy.notes())
        again = shell("add", source, "--history", where)[1]
        assert f"0 runs added to {where}" == again.splitlines()[-1]
        assert "there already" in again


@pytest.mark.parametrize("kind", ["acceptances", "notes"])
def test_an_exported_mark_that_is_none_is_counted(shell: Shell, kind: str) -> None:
    first = open_history("first")
    first.add(record(0))
    shell("export", "--history", "first", "--out", "first.json")
    document = json.loads(Path("first.json").read_bytes()) | {kind: [{"id": "x"}]}
    Path("first.json").write_text(json.dumps(document), encoding="utf-8")
    code, out, _ = shell("add", "first.json", "--history", "copy")
    assert ExitCode.PASS == code
    assert f"not taken over: {kind.removesuffix('s')} that is none (" in out


def test_reading_a_database_that_is_not_there_makes_none(shell: Shell) -> None:
    assert (0, "no run in sqlite:///none.db\n", "") == shell("list", "--history", "sqlite:///none.db")
    assert not Path("none.db").exists()


@pytest.mark.parametrize("action", [("list",), ("show", "latest"), ("export",), ("doctor",)])
def test_a_closed_output_is_no_fault(monkeypatch: pytest.MonkeyPatch, action: tuple[str, ...]) -> None:
    open_history("runs/history").add(record(0))
    monkeypatch.setattr("sys.stdout", None)
    assert ExitCode.PASS == main(["history", *action])


def test_what_a_terminal_would_obey_is_not_printed(shell: Shell) -> None:
    hostile = metric(subject="a\nb\x1b[31m\u202ec", metric="x" * 300)
    open_history("runs/history").add(record(0, hostile, branch="b\x1b]0;title\x07", scenario="s\n"))
    for action in (("list",), ("show", "latest")):
        out = shell(*action)[1]
        assert not [c for c in out if c != "\n" and not c.isprintable()]
        assert 200 > max(map(len, out.splitlines()))


@pytest.mark.parametrize("text", ["9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00", "soon"])
def test_a_time_that_is_none_is_said(shell: Shell, text: str) -> None:
    said = f"harness: option '--at': not a time, got {text!r}, need ISO 8601 such as 2026-11-23T08:30:00Z\n"
    assert (ExitCode.USAGE, "", said) == shell("add", "x.json", "--at", text)
