"""The command line: usage errors answer at once, in one line, with the right exit code and nothing started."""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import build_parser, main
from harness.errors import ExitCode
from harness.rundir import RunDirectory, encode
from tests.harness.results import fleet, result_of
from tests.harness.test_rundir import HEADER, sample

RUN = ["run", "--out", "."]


@pytest.fixture
def finished_run(tmp_path: Path) -> Path:
    """A folder as a run leaves it, its report not drawn."""
    columns = fleet(agents=2, run_time_s=20.0)
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    directory.result.write_bytes(encode(result_of(columns, run_time_s=20.0)))
    header = replace(HEADER, agents=2)
    directory.samples.write_bytes(encode(header) + b"\n" + encode(sample()) + b"\n")
    return directory.path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return exit code and the one line that says why."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    assert "" == captured.out
    assert 1 == captured.err.count("\n"), captured.err
    return code, captured.err.strip()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--agents", "0"], "option '--agents': no agents, got 0, need 1 or more"),
        (["-u", "-5"], "option '--agents': no agents, got -5, need 1 or more"),
        (["-u", "3000000"], "option '--agents': too many, got 3000000, need 100000 or fewer"),
        (["--interval", "0s"], "option '--interval': not a time to wait, got 0 s, need 1 ms or more"),
        (["--interval", "100us"], "option '--interval': not a time to wait, got 0.0001 s, need 1 ms or more"),
        (
            ["--interval", "-10s"],
            "option '--interval': not a duration, got '-10s', need a form such as 600ms, 10s or 1m30s",
        ),
        (["--seed", "-1"], "option '--seed': below zero, got -1, need 0 or more"),
        (["--host", "http://exa mple/"], "option '--host': not an http URL, got 'http://exa mple/'"),
        (
            ["--run-time", "5s"],
            "option '--run-time': after the warm-up there is less than one polling interval left to measure",
        ),
        (["-t", "-5s"], "option '--run-time': not a duration, got '-5s', need a form such as 600ms, 10s or 1m30s"),
        (["-t", "99999999999s"], "option '--run-time': too long, got 1e+11 s, need 1000000000 s or less"),
        (["--interval", "2000000000s"], "option '--interval': too long, got 2e+09 s, need 1000000000 s or less"),
        (["--run-time", "70.5s"], "option '--run-time': no whole seconds, got 70.5 s, need a form such as 70s"),
        (["--host", "staging"], "option '--host': not an http URL, got 'staging', need a form such as"),
        (
            ["--host", "http://127.0.0.1:9", "--target-delay", "1s"],
            "option '--host': options that begin with --target are for the embedded target only",
        ),
        (
            ["--host", "http://127.0.0.1:9", "--target-pool-size", "2"],
            "option '--host': options that begin with --target are for the embedded target only",
        ),
        (["--target-pool-size", "0"], "option '--target-pool-size': out of range, got 0, need 1..1000"),
        (
            ["--database-url", "sqlite:///x.db", "--target-drop-index", "idx_deployment_status"],
            "option '--target-drop-index': the index would stay dropped in a database that is somebody's",
        ),
        (["--target-error-ratio", "5"], "option '--target-error-ratio': not a ratio, got '5'"),
        (["--deployments", "-1"], "option '--deployments': less than none, got -1, need 0 or more"),
        (["--request-timeout", "0s"], "option '--request-timeout': no time at all, got 0 s, need more than 0 s"),
    ],
)
def test_what_can_not_work_is_refused(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, line = refused(capsys, *RUN, *arguments)
    assert ExitCode.USAGE == code
    assert line.startswith(f"harness: {text}"), line
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--agents", "many"], ["run", "--phase-model", "odd"]])
def test_what_does_not_parse_is_usage_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert ExitCode.USAGE == end.value.code
    assert "Traceback" not in capsys.readouterr().err


def test_ids_that_can_not_be_read_are_told_before_a_target_is_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (ExitCode.OWN_ERROR, "harness: file 'none.txt': can't be read: No such file or directory") == refused(
        capsys, "run", "--agents-file", "none.txt"
    )
    assert [] == list(tmp_path.iterdir())


def test_nobody_at_the_host_is_our_own_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "runs"
    code, line = refused(capsys, "run", "--host", "http://127.0.0.1:9", "--out", str(out))
    assert ExitCode.OWN_ERROR == code
    assert line.startswith(
        "harness: target 'http://127.0.0.1:9/api/agents?limit=1': no answer: Connection refused"
    )
    assert not out.exists()


def test_a_folder_that_can_not_be_made_is_our_own_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, line = refused(capsys, "run", "--out", str(tmp_path / "file"))
    assert ExitCode.OWN_ERROR == code
    assert "can't be written: Not a directory; try another folder with --out, or free space" in line


@pytest.mark.parametrize(
    ("url", "code", "text"),
    [
        ("nonsense", ExitCode.USAGE, "option '--database-url': not a database URL, need a form such as sqlite"),
        ("oracle+nothing://x", ExitCode.USAGE, "only SQLite and PostgreSQL are supported, got oracle"),
        (
            "sqlite:////nowhere/at/all.db",
            ExitCode.OWN_ERROR,
            "can't be used: the folder '/nowhere/at' does not exist",
        ),
        ("postgresql+psycopg://user:s3cret@127.0.0.1:9/x", ExitCode.OWN_ERROR, "can't be used: connection failed"),
    ],
)
def test_a_wrong_database_is_named_and_keeps_its_secret(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str, code: ExitCode, text: str
) -> None:
    got, line = refused(capsys, "run", "--database-url", url, "--out", str(tmp_path / "runs"))
    assert code == got
    assert text in line
    assert "s3cret" not in line
    assert not (tmp_path / "runs").exists()


def test_reporting_on_a_folder_that_is_none_is_our_own_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, line = refused(capsys, "report", str(tmp_path))
    assert (
        ExitCode.OWN_ERROR,
        f"harness: file '{tmp_path}/run.json': can't be read: No such file or directory",
    ) == (
        code,
        line,
    )


def test_the_database_may_be_named_by_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command line is public on the machine, and a URL may hold a password."""
    monkeypatch.setenv("HARNESS_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    code, line = refused(capsys, "run", "--out", str(tmp_path / "runs"))
    assert ExitCode.OWN_ERROR == code
    assert "the folder '/nowhere/at' does not exist" in line


@pytest.mark.parametrize("redirection", [">&-", "> /dev/full", "| head -c 1"])
def test_an_output_that_takes_nothing_costs_no_traceback(finished_run: Path, redirection: str) -> None:
    harness = shlex.quote(str(Path(sys.executable).with_name("harness")))
    command = f"{harness} report {shlex.quote(str(finished_run))} {redirection}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    harness = shlex.quote(str(Path(sys.executable).with_name("harness")))
    folder = shlex.quote(str(tmp_path / "gone"))
    command = (
        f"mkdir {folder} && cd {folder} && rmdir {folder} && {harness} run --out {shlex.quote(str(tmp_path))}"
    )
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (1, "harness: working directory: can't be used: No such file or directory\n") == (
        done.returncode,
        done.stderr.replace("sh: 0: getcwd() failed: No such file or directory\n", ""),
    )


def test_help_shows_exit_codes_and_examples() -> None:
    text = build_parser().format_help()
    for part in ("0 pass", "4 inconclusive", "examples:", "harness run --target-delay 600ms"):
        assert part in text


@pytest.mark.parametrize("command", ["run", "report", "serve", "seed", "indexes"])
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert 0 == end.value.code
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "gates", "planned", "needed", "run_time"),
    [
        # p95 needs 59 polls, and 60 are planned: it is not among them.
        (["--agents", "10"], "p99, error-ratio, query-time", 60, 299, "310s"),
        (["--stop-when-settled"], "p99, error-ratio", 300, 358, "90s"),
    ],
)
def test_a_run_that_is_too_short_to_pass_says_so_before_it_starts(
    words: list[str],
    gates: str,
    planned: int,
    needed: int,
    run_time: str,
    *,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    main(["run", *words, "--host", "http://127.0.0.1:9", "--out", str(tmp_path)])
    first = capsys.readouterr().err.splitlines()[0]
    expected = (
        f"harness: this run is too short to pass {gates}: {planned} polls are planned after the warm-up, "
        f"{needed} are needed; --run-time {run_time} would do"
    )
    assert expected == first


def test_the_installed_command_runs() -> None:
    script = Path(sys.executable).with_name("harness")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert "harness 0.1.0\n" == done.stdout


def test_help_declares_the_options_of_no_command() -> None:
    """Each command's module is imported when that command is asked for: the help of all needs none of them."""
    script = (
        "import atexit, sys; from harness.cli import main;"
        "atexit.register(lambda: print(sorted(name for name in sys.modules if name.startswith('harness'))));"
        "main(sys.argv[1:])"
    )

    def imported(*words: str) -> str:
        done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1]

    assert "['harness', 'harness.cli', 'harness.errors']" == imported("--help")
    assert imported("--help") == imported("--version")
    assert "harness.options" not in imported("indexes", "--help")


def test_every_command_is_declared_in_full() -> None:
    """Without a name, as the docs' tests use it, the parser knows the options of all."""
    parsed = build_parser().parse_args(["indexes", "--database-url", "sqlite://"])
    assert "run_indexes" == parsed.command.__name__
