"""The commands as a person or cron calls them: what is printed, what is written, which code comes back."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitoring import cli, generate_report
from monitoring.clock import SystemClock
from tests.monitoring.report.past import NOON_S, Past
from tests.test_architecture import HEAVY

ROOT = Path(__file__).resolve().parents[3]
UNTIL = "2026-11-23T13:00:00Z"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service that had an hour of six agents, a tenth of whose polls failed; don't change it."""
    folder = tmp_path_factory.mktemp("built")
    service = Past(folder / "logs")
    service.fleet(3600, agents=6)
    for number in range(240):
        service.poll(100 + number * 10, "agent-0001", status=500, exception="ValueError")
    service.write(3600)
    return folder


@pytest.fixture
def backend(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, and the time is an hour later."""
    folder = tmp_path / "backend"
    shutil.copytree(built, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(SystemClock, "wall_s", staticmethod(lambda: NOON_S + 7200))
    for name in list(os.environ):
        if name.startswith("MONITORING_"):
            monkeypatch.delenv(name)
    return folder


def run(*argv: str) -> int:
    return cli.main(argv)


def test_a_report_in_the_terminal(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run("report", "--until", UNTIL)
    out, err = capsys.readouterr()
    assert out.startswith("Monitoring report: master-backend\n")
    assert "2,400 requests, 0.67 per second; error rate 10.00 %, refused (4xx) 0.00 %." in out
    assert "The store holds 1 h of the 24 h asked for." in out
    assert not err


def test_a_report_in_a_file_is_silent(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cron's jobs print is mailed to somebody."""
    assert 0 == run("report", "--until", UNTIL, "--output", "reports/x.json")
    assert ("", "") == capsys.readouterr()
    stored = json.loads((backend / "reports/x.json").read_text())
    assert ("monitoring-report", 2400) == (stored["kind"], stored["now"]["totals"]["total_requests"])


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("a.json", "{"),
        ("a.html", "<!DOCTYPE html>"),
        ("a.md", "# Monitoring report"),
        ("a.txt", "Monitoring report"),
    ],
)
def test_the_file_s_name_chooses_the_format(backend: Path, name: str, begin: str) -> None:
    run("report", "--until", UNTIL, "--output", name)
    assert (backend / name).read_text().startswith(begin)


@pytest.mark.parametrize("suffix", ["json", "html", "md", "txt"])
def test_old_reports_of_every_format_are_removed(backend: Path, suffix: str) -> None:
    for day in range(1, 5):
        run("report", "--until", UNTIL, "--output", f"reports/daily_{day}.{suffix}", "--keep", "2")
        os.utime(f"reports/daily_{day}.{suffix}", (day, day))
    assert [f"daily_3.{suffix}", f"daily_4.{suffix}"] == sorted(os.listdir("reports"))  # noqa: PTH208  # names


def test_keep_without_output(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run("report", "--keep", "3")
    assert "monitoring: option '--keep': given without --output, need both or none\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("--hours", "0"), 2, "option '--hours': out of range, got 0"),
        (("--hours", "87600"), 2, "option '--hours': out of range, got 87600"),
        (("--logs", "nowhere"), 1, "logs 'nowhere': no such folder"),
        (("--store", "nowhere.sqlite"), 1, "store 'nowhere.sqlite': no such file"),
        (("--output", "logs"), 1, "output 'logs': is a folder"),
        (("--output", "/proc/none/a.json"), 1, "output '/proc/none/a.json': can't be written"),
        (("--url", "nonsense"), 2, "url: not usable, got 'nonsense'"),
        (("--token-env", "NO_SUCH_TOKEN"), 2, "option '--token-env': variable not set, got NO_SUCH_TOKEN"),
        (("--service", "other"), 1, "service 'other': no log and no store in 'logs', only master-backend.log"),
    ],
)
def test_mistakes_are_one_line(
    backend: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], code: int, text: str
) -> None:
    assert code == run("report", *argv)
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"monitoring: {text}")
    assert 1 == err.count("\n")


def test_the_daily_checklist_fails_by_its_exit_code(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run("check", "--daily", "--until", UNTIL)
    out = capsys.readouterr().out
    assert re.search(r"fail +10\.00 % +< 1\.00 % +error rate", out)
    assert re.search(r"warn +0\.10 +0\.1 ± 20% +polls per second .* 1 too fast: agent-0001 each 6 s", out)


def test_the_weekly_checklist_as_json(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run("check", "--weekly", "--until", UNTIL, "--json")
    found = json.loads(capsys.readouterr().out)
    assert ("weekly", "fail") == (found["period"], found["status"])
    assert {"p95-trend": "unknown", "indexes": "unknown"} == {
        one["name"]: one["status"] for one in found["items"] if one["name"] in {"p95-trend", "indexes"}
    }


def test_a_checklist_needs_its_period(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("check")
    assert 2 == stop.value.code
    assert "one of the arguments --daily --weekly is required" in capsys.readouterr().err


def test_the_database_is_asked_weekly_only(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run("check", "--daily", "--database-url", "sqlite:///x.db")
    assert capsys.readouterr().err == (
        "monitoring: option '--database-url': not part of the daily list; try --weekly\n"
    )


def test_a_diagnosis(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run("diagnose", "--until", UNTIL)
    out = capsys.readouterr().out
    assert "Found: High error rate" in out
    assert "- By exception: ValueError: 240." in out
    assert "- High response times: not found." in out


def test_a_diagnosis_as_json(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run("diagnose", "--until", UNTIL, "--json")
    found = json.loads(capsys.readouterr().out)
    assert "found" == next(one["status"] for one in found["problems"] if one["name"] == "errors")


def test_generate_report_is_the_same_command(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == generate_report.main(["--until", UNTIL, "--format", "markdown"])
    assert capsys.readouterr().out.startswith("# Monitoring report: master-backend\n")


def documented() -> tuple[str, list[str]]:
    """The two-line file and the cron lines of the documentation."""
    page = (ROOT / "docs/reports.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    crontab = re.search(r"```cron\n(.*?)```", page, re.DOTALL)
    assert script is not None
    assert crontab is not None
    lines = [line for line in crontab.group(1).splitlines() if "generate_report.py" in line]
    return script.group(1), lines


def test_the_documented_file_and_cron_lines_work_as_written(backend: Path) -> None:
    script, lines = documented()
    (backend / "generate_report.py").write_text(script)
    assert 3 == len(lines)
    for line in lines:
        # What cron does: five fields of time, then the command, where \% stands for %.
        command = line.split(maxsplit=5)[5].replace("\\%", "%").replace("/path/to/master/backend", str(backend))
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=60,
        )
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr), command
    today = time.strftime("%Y%m%d")
    names = sorted(path.name for path in (backend / "reports").iterdir())
    assert [f"daily_{today}.html", f"daily_{today}.json", True, "index.html"] == [
        *names[:2],
        names[2].startswith(f"hourly_{today}_"),
        *names[3:],
    ]


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("> /dev/full", 1, "monitoring: standard output: can't be used (No space left on device)\n"),
        (">&-", 0, ""),
        ("| head -c 1 > /dev/null", 0, ""),
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(
    backend: Path, redirection: str, code: int, said: str
) -> None:
    command = f"{shlex.quote(sys.executable)} -m monitoring.generate_report {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=backend, capture_output=True, text=True, check=False, timeout=60
    )
    assert (code, said) == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", ["report", "check", "diagnose"])
def test_help_of_each_command_imports_nothing_heavy(command: str) -> None:
    script = (
        "import atexit, sys; from monitoring.cli import main;"
        f"atexit.register(lambda: print(sorted(set(sys.modules) & {HEAVY!r})));"
        f"main([{command!r}, '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "[]" == done.stdout.splitlines()[-1]
    assert "Exit codes:" in done.stdout


def test_noon_is_what_the_tests_think_it_is() -> None:
    assert "2026-11-23T12:00:00" == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOON_S))
