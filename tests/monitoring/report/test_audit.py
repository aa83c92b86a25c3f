"""The harness's index audit, asked by command, and what becomes of its answer."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from monitoring.checklist import IndexState
from monitoring.cli import main
from monitoring.logs.lines import format_query
from monitoring.reports.audit import Audit, audit_indexes, find_harness, with_audit
from tests.monitoring.logs.builders import query
from tests.monitoring.report.test_indexes import AS_SQLALCHEMY_WRITES_IT, INDEXES, TABLES, made

GOOD = IndexState(status="pass", present=4, expected=4, note="searched")
ANSWER: dict[str, Any] = {
    "status": "FAIL",
    "statements": [{"statement": "SELECT 1", "fault": "a whole table read", "weight": "fault"}],
    "indexes": [
        {"name": "idx_a", "fault": "missing", "weight": "fault", "remedy": "CREATE INDEX idx_a"},
        {"name": "idx_b", "fault": "idle", "weight": "advice", "remedy": None},
    ],
    "coverage": {"explained": 2},
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "database-queries.log"
    path.write_text("")
    return path


def answering(code: int, out: str, err: str = "") -> Any:
    def run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(list(arguments), code, out, err)

    return run


def test_faults_of_the_audit_fail_and_advice_does_not(log: Path) -> None:
    """Each fault is told with its cure; at most five of them."""
    audit = audit_indexes("sqlite://", log, command="harness", run=answering(3, json.dumps(ANSWER)))
    assert Audit(explained=2, faults=("idx_a missing (CREATE INDEX idx_a)", "a whole table read")) == audit
    judged = with_audit(GOOD, audit)
    assert ("fail", "searched; harness indexes: idx_a missing (CREATE INDEX idx_a); a whole table read") == (
        judged.status,
        judged.note,
    )
    many = with_audit(GOOD, Audit(faults=tuple("abcdefg")))
    assert many.note == "searched; harness indexes: a; b; c; d; e; and 2 more"


def test_an_audit_without_a_fault(log: Path) -> None:
    clean = {**ANSWER, "statements": [], "indexes": []}
    audit = audit_indexes("sqlite://", log, command="harness", run=answering(0, json.dumps(clean)))
    judged = with_audit(GOOD, audit)
    assert judged.status == "pass"
    assert judged.note == "searched; harness indexes explained 2 logged statements and found no fault"


@pytest.mark.parametrize(
    ("run", "trouble"),
    [
        (answering(1, "", "a\nharness: no driver\n"), "`harness indexes` failed: harness: no driver"),
        (answering(2, ""), "`harness indexes` failed: exit code 2"),
        (answering(0, "[]"), "`harness indexes` answered in a form that this version does not know"),
    ],
)
def test_an_audit_that_was_not_made_changes_nothing(log: Path, run: Any, trouble: str) -> None:
    audit = audit_indexes("sqlite://", log, command="harness", run=run)
    assert Audit(trouble=trouble) == audit
    assert with_audit(GOOD, audit) == IndexState(status="pass", present=4, expected=4, note=f"searched; {trouble}")


def test_a_command_that_gives_no_answer(log: Path) -> None:
    def hang(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        raise subprocess.TimeoutExpired(list(arguments), 120)

    audit = audit_indexes("sqlite://", log, command="harness", run=hang)
    assert audit.trouble == "`harness indexes` gave no answer (TimeoutExpired)"


def test_without_the_harness_or_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are named, and neither is an error."""
    none = audit_indexes("sqlite://", tmp_path / "nothing.log", command="harness")
    assert none.trouble == "no query log is here, whose statements `harness indexes` would explain"
    monkeypatch.setattr("monitoring.reports.audit.shutil.which", lambda *_, **__: None)
    assert find_harness() is None
    assert audit_indexes("sqlite://", None).trouble == (
        "the harness is not installed here; its `harness indexes` explains every statement"
    )


def test_the_weekly_check_asks_the_real_harness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a database with the composite index and without: the second fails, with the index to create."""
    if find_harness() is None:
        pytest.skip("the harness command is not installed")
    logs = tmp_path / "logs"
    logs.mkdir()
    line = format_query(query(statement=AS_SQLALCHEMY_WRITES_IT, many=False, error=None))
    (logs / "database-queries.log").write_bytes(line + b"\n")
    url = made(f"sqlite:///{tmp_path / 'master.db'}", *TABLES, *INDEXES)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        rows = [
            {"n": n, "a": f"agent-{n % 50}", "s": "done", "t": f"2026-11-0{n % 9 + 1} 00:00:00"}
            for n in range(3000)
        ]
        connection.execute(text("INSERT INTO deployments VALUES (:n, :a, :s, :t)"), rows)
    command = ["check", "--weekly", "--logs", str(logs), "--database-url", url, "--json"]

    def indexes() -> dict[str, Any]:
        main(command)
        [found] = [one for one in json.loads(capsys.readouterr().out)["items"] if one["name"] == "indexes"]
        return dict(found)

    with_it = indexes()
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX idx_deployment_agent_status_created"))
        connection.execute(text("ANALYZE"))
    without = indexes()
    engine.dispose()
    assert ("pass", "fail") == (with_it["status"], without["status"])
    assert "harness indexes explained 1 logged statements and found no fault" in with_it["note"]
    assert "harness indexes: " in without["note"]
    assert "idx_deployment_agent_status_created" in without["note"].partition("harness indexes: ")[2]
