"""`harness trend` as a user calls it: what it prints, what it writes, how it ends."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cli import main
from harness.history.progress import ProgressLine
from harness.history.store import open_history
from harness.history_model import Series
from harness.trending.judging import judged_history
from tests.harness.trends import DAY_S, noisy, record_id, records_of, series_of_values

NOW_S = datetime.now(UTC).timestamp()


def recent(values: list[float], **other: object) -> Series:
    """Return a series whose last run was an hour ago."""
    times = [NOW_S - 3600.0 - (len(values) - 1 - i) * DAY_S for i in range(len(values))]
    return series_of_values(values, times_s=times, **other)  # type: ignore[arg-type]


def stepped(n: int = 40, *, at: int = 25, factor: float = 1.3) -> Series:
    return recent([value * (factor if i >= at else 1.0) for i, value in enumerate(noisy(n, 0.01))])


def keep(folder: Path, *series: Series) -> Path:
    history = open_history(folder)
    for record in records_of(*series):
        history.add(record)
    return folder


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    return keep(tmp_path / "history", stepped())


def trend(*arguments: object) -> int:
    return main(["trend", *map(str, arguments)])


def test_a_regression_fails_only_when_asked_to(
    worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--history", worse, "--out", tmp_path / "out", "--format", "html")
    assert 0 == trend(*common)
    assert 3 == trend(*common, "--fail-on-regression")
    out = capsys.readouterr().out
    assert "FAIL" in out
    assert out.rstrip().endswith(f"page: {tmp_path}/out/trend.html")


def test_accepting_the_change_ends_the_failure(
    worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--history", worse, "--format", "none", "--fail-on-regression")
    assert 3 == trend(*common)
    record = stepped().points[25].record
    assert 0 == trend("--history", worse, "accept", "*response_time p95", "--run", record, "--reason", "wanted")
    told = capsys.readouterr().out
    assert f"accepted for 1 series from {record} on, in {worse}:" in told
    assert 0 == trend(*common)
    assert "wanted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "typed", "meant"),
    [
        ("--metric", "respons_time", "response_time"),
        ("--subject", "/api/deployments/pending/{agentid}", "/api/deployments/pending/{agent_id}"),
        ("--scenario", "agent-poling", "agent-polling"),
    ],
)
def test_of_a_mistyped_name_the_nearest_is_told(
    worse: Path, capsys: pytest.CaptureFixture[str], option: str, typed: str, meant: str
) -> None:
    what = option.removeprefix("--")
    told = f"left out {what} '{typed}': fits no figure that was measured; did you mean '{meant}'."
    assert 4 == trend("--history", worse, option, typed, "--format", "none")
    assert told in " ".join(capsys.readouterr().out.split())
    # Beside one that fits it would go unnoticed.
    assert 0 == trend("--history", worse, option, typed, option, meant, "--format", "none")
    assert told in " ".join(capsys.readouterr().out.split())


def test_of_names_that_depend_on_each_other_the_first_wrong_one_is_told(
    worse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 4 == trend("--history", worse, "--metric", "zzz", "--subject", "/api/*", "--format", "none")
    out = capsys.readouterr().out
    assert "metric 'zzz': fits no figure that was measured." in out
    assert "subject" not in out


@pytest.mark.parametrize("action", ["accept", "note"])
def test_each_action_shows_how_it_is_called(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trend", action, "--help"])
    assert 0 == ended.value.code
    assert f"examples:\n  harness trend {action} " in capsys.readouterr().out


def test_accepting_what_is_not_there_names_it(worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stepped().points[0].record
    assert 1 == trend("accept", "nothing", "--run", run, "--reason", "x", "--history", worse)
    assert f"series 'nothing': no series of this name has the run {run}" in capsys.readouterr().err
    assert 2 == trend("accept", "*", "--run", record_id(0), "--reason", " \n", "--history", worse)
    assert "option '--reason': says nothing" in capsys.readouterr().err
    assert 1 == trend("accept", "*", "--run", "nix", "--reason", "x", "--history", worse)
    assert f"record 'nix': not in the history {worse}; try harness history list" in capsys.readouterr().err
    assert 2 == trend("accept", "*", "--run", "2", "--reason", "x", "--history", worse)
    assert "record '2': 40 ids begin so, such as " in capsys.readouterr().err
    assert () == open_history(worse).acceptances()


@pytest.mark.parametrize("short", ["latest", "the beginning of its id"])
def test_a_change_is_accepted_from_a_run_by_its_short_name(short: str, worse: Path) -> None:
    """The acceptance holds the whole id: what a short name means changes with every run."""
    name = short if short == "latest" else stepped().points[-1].record[:-1]
    assert 0 == trend("accept", "*", "--run", name, "--reason", "wanted", "--history", worse)
    (acceptance,) = open_history(worse).acceptances()
    assert stepped().points[-1].record == acceptance.record


def test_a_note_reaches_the_charts(worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime.fromtimestamp(stepped().points[10].at_s, UTC)
    assert 0 == trend("note", "v1.5.0", "--release", "--at", at.isoformat(), "--history", worse)
    assert f"noted in {worse}: v1.5.0\n" == capsys.readouterr().out
    trend("--history", worse, "--out", tmp_path / "out", "--format", "html")
    assert "Release v1.5.0" in (tmp_path / "out" / "trend.html").read_text()
    assert 2 == trend("note", "x", "--at", "teatime", "--history", worse)
    assert "option '--at': not a time, got 'teatime'" in capsys.readouterr().err


@pytest.mark.parametrize("n", [1, 3])
def test_too_few_runs_are_inconclusive_and_drawn_all_the_same(n: int, tmp_path: Path) -> None:
    history = keep(tmp_path / "history", recent(noisy(n, 0.01)))
    assert 4 == trend("--history", history, "--out", tmp_path / "out", "--format", "html", "--fail-on-regression")
    assert (tmp_path / "out" / "trend.html").exists()


def test_without_a_run_nothing_is_written_and_the_history_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none"
    assert 4 == trend("--history", missing, "--out", tmp_path / "out")
    captured = capsys.readouterr()
    assert f"history '{missing}': there is no such folder; try harness history list" in captured.err
    missing.mkdir()
    assert 4 == trend("--history", missing, "--out", tmp_path / "out")
    assert f"history '{missing}': holds no figure that fits; try" in capsys.readouterr().err
    assert "INCONCLUSIVE  There is no series to show." in captured.out
    assert [missing] == list(tmp_path.iterdir())


def test_runs_without_a_value_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = open_history(tmp_path / "history")
    for record in records_of(recent(noisy(12, 0.01))):
        nothing = tuple(replace(metric, value=None, interval=None) for metric in record.metrics)
        history.add(replace(record, metrics=nothing))
    assert 4 == trend("--history", tmp_path / "history", "--format", "none")
    assert "no figure that fits" in capsys.readouterr().err


def test_only_what_is_asked_for_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = keep(
        tmp_path / "h",
        recent(noisy(20, 0.01)),
        recent(noisy(20, 5.0), metric="capacity", quantile=0, unit="count"),
    )

    def shown(*arguments: object) -> dict[str, int]:
        trend("--history", history, "--format", "none", "--json", *arguments)
        told = json.loads(capsys.readouterr().out)
        return {one["label"].rpartition("} ")[2]: len(one["points"]) for one in told["series"]}

    assert {"capacity": 20, "response_time p95": 20} == shown()
    assert {"capacity": 20} == shown("--metric", "cap*")
    assert {"response_time p95": 7} == shown("--metric", "response_time", "--last", 7)
    assert {} == shown("--subject", "elsewhere")
    assert {} == shown("--environment", "other")
    assert {} == shown("--branch", "other")
    since = datetime.fromtimestamp(NOW_S - 5 * DAY_S, UTC).date()
    assert 5 <= shown("--since", since)["capacity"] <= 6
    assert {"capacity": 20, "response_time p95": 20} == shown("--scenario", "agent-*", "--order", "commit")


def test_a_control_fails_nothing(worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 4 == trend("--history", worse, "--format", "none", "--control", "*pending*", "--fail-on-regression")
    assert "(control)" in capsys.readouterr().out.replace("\n", " ")


def test_a_control_that_fits_nothing_is_said(worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped one would leave the machine's doing to the code, and nobody would know."""
    assert 3 == trend("--history", worse, "--control", "frosen*", "--format", "none", "--fail-on-regression")
    assert "left out      control 'frosen*': fits no figure that was measured." in capsys.readouterr().out


def test_what_has_no_usable_value_in_any_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no steady series, and must not look like one that was never asked for."""
    history = open_history(tmp_path / "history")
    for record in records_of(recent(noisy(12, 0.01))):
        gone = replace(record.metrics[0], metric="pool_use", quantile=None, value=float("nan"), unit="ratio")
        history.add(replace(record, metrics=(*record.metrics, gone)))
    assert 0 == trend("--history", tmp_path / "history", "--format", "none", "--json")
    left_out = json.loads(capsys.readouterr().out)["left_out"]
    (name,) = left_out
    assert name.startswith(f"{record.metrics[0].subject} pool_use")
    assert "no run has a usable value, the latest: no value" == left_out[name]
    trend("--history", tmp_path / "history", "--format", "none")
    assert "pool_use" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_reader_that_has_gone_changes_no_exit_code(worse: Path, flags: tuple[str, ...]) -> None:
    script = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    common = ("trend", "--history", str(worse), "--format", "none", "--fail-on-regression", *flags)
    with subprocess.Popen(
        [sys.executable, "-c", script, *common], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"" == process.stderr.read()
        assert 3 == process.wait(timeout=60)


def test_dated_folders_and_their_index(worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        trend("--history", worse, "--out", tmp_path / "t", "--format", "html", "--dated", "--keep", 2)
    assert f"page: {tmp_path}/t/index.html" in capsys.readouterr().out
    assert 3 == len(list((tmp_path / "t").iterdir()))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--last", "0"), "option '--last': too small, got 0, need 1 or more"),
        (("--keep", "0", "--dated"), "option '--keep': too small, got 0, need 1 or more"),
        (("--keep", "3"), "option '--keep': keeps dated folders only; try --dated with it"),
        (("--format", "none", "--format", "png"), "option '--format': none goes with no other format"),
        (("--format", "none", "--dated"), "option '--dated': has nothing to write"),
        (
            ("--since", "soon"),
            "option '--since': not a time, got 'soon', need ISO 8601 such as 2026-11-23T08:30:00Z",
        ),
        (("--title", " "), "option '--title': says nothing, got ' ', need a few words"),
        (("--history", " "), "option '--history': names nothing"),
    ],
)
def test_options_that_cannot_work(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == trend(*arguments)
    assert text in capsys.readouterr().err


def test_what_fails_its_series_is_marked(worse: Path) -> None:
    (judged,) = judged_history(open_history(worse)).series
    assert [True] == [change.fails for change in judged.changes]


class Terminal:
    """A stream that says it is a terminal, and remembers."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.written.append(text)

    def flush(self) -> None:
        pass


def test_progress_is_shown_after_two_seconds_and_leaves_no_trace() -> None:
    stream, now = Terminal(), iter([0.0, 1.0, 2.5, 2.6, 3.0, 4.0])
    with ProgressLine(stream, clock=lambda: next(now)) as progress:  # type: ignore[arg-type]
        for done in range(1, 5):
            progress("charts", done, 1000)
    assert ["\rcharts: 2 of 1,000", "\rcharts: 4 of 1,000", f"\r{' ' * 18}", "\r"] == stream.written
    stream.written.clear()
    with ProgressLine(stream, clock=iter([0.0, 3.0]).__next__) as progress:  # type: ignore[arg-type]
        progress("charts", 1, 2)
        progress("charts", 2, 2)
        assert ["\rcharts: 1 of 2", f"\r{' ' * 14}", "\r"] == stream.written
    assert 3 == len(stream.written)


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(None) as progress:
        progress("charts", 1, 1)
    assert ("", "") == tuple(capsys.readouterr())


def test_a_large_history_tells_how_far_it_is(tmp_path: Path) -> None:
    """The files that are read anew, the runs, the series: each takes its time in a large one."""
    told: list[tuple[str, int, int]] = []
    folder = keep(tmp_path / "history", recent(noisy(500, 0.01)))
    history = open_history(folder, progress=lambda *how_far: told.append(how_far))
    judged_history(history, progress=lambda *how_far: told.append(how_far))
    assert {
        "reading new files into the index": {250, 500},
        "reading runs": {250, 500},
        "judging series": {1},
    } == {what: {done for name, done, _ in told if name == what} for what, _, _ in told}
