"""The whole audit: a captured log against real databases, shown as text, JSON and HTML, and the command on top."""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from harness.errors import ExitCode, HarnessError, UsageError
from harness.indexes import trial, workload
from harness.indexes.catalog import PENDING_INDEX
from harness.indexes.command import add_indexes_arguments, run_indexes
from harness.indexes.opening import open_database
from harness.indexes.records import Audit, CapturedStatement, Weight, Workload
from harness.indexes.render import render_html, render_text
from harness.indexes.workload import read_workload
from harness.indexes.workload_audit import audit_workload
from harness.model import Status
from harness.postgres import ephemeral_postgres, find_binaries
from tests.harness.indexes.master import COMPOSITE, build, run
from tests.postgres_fixture import SKIP_REASON

SCAN = "SELECT * FROM deployments WHERE artifact = {} ORDER BY created_at"
PENDING = "SELECT id FROM deployments WHERE agent_id = {} AND status = {} ORDER BY created_at"
RETYPED = "No pending query of the log could be judged: the one in the specification's words was instead."
OWN_SORT = "SELECT * FROM deployments WHERE agent_id = {} ORDER BY artifact"


def line(statement: str, duration_ms: float = 5.0, **more: Any) -> str:
    fields = {
        "time": "2026-11-23T09:00:00.000000Z",
        "level": "INFO",
        "logger": "monitoring.query",
        "engine": "main",
        "statement": statement,
        "duration_ms": duration_ms,
    }
    return json.dumps(fields | more) + "\n"


def captured(*statements: str, mean_s: float = 0.005) -> Workload:
    made = tuple(CapturedStatement(text=one, calls=2, total_s=2 * mean_s, max_s=mean_s) for one in statements)
    return Workload(statements=made, lines=len(made), bad_lines=0, text_lines=0, damaged=())


def audit(url: str, work: Workload | None, **options: Any) -> Audit:
    with open_database(url) as database:
        return audit_workload(database, work, **options)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A filled master on each kind of database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'master.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    return build(url, rows=5000)


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def marked(engine: Engine, statement: str) -> str:
    return statement.replace("{}", "?" if engine.dialect.name == "sqlite" else "%(x)s::VARCHAR")


def test_healthy(engine: Engine) -> None:
    """Statements that their indexes serve leave no finding."""
    run(engine, "DROP INDEX idx_agent_name")
    run(engine, "CREATE UNIQUE INDEX name_of_agent ON agents (name)")
    made = audit(url_of(engine), captured(marked(engine, PENDING)))
    assert (Status.PASS, (), (), 1) == (made.status, made.statements, made.indexes, made.served)
    assert (1, 1, 1.0, {}, ()) == (
        made.coverage.captured,
        made.coverage.explained,
        made.coverage.time_ratio,
        made.coverage.skipped,
        made.coverage.notes,
    )


def test_full_scan_with_a_cure(engine: Engine) -> None:
    """A full scan of a large table fails, and the index that cures it was tried, elsewhere."""
    made = audit(url_of(engine), captured(marked(engine, SCAN)))
    (found,) = made.statements
    assert (Status.FAIL, Weight.FAULT) == (made.status, found.weight)
    assert " of deployments (5,000 rows) read: " in found.fault
    assert found.proposal is not None
    name = "idx_deployments_artifact_created_at"
    assert f"CREATE INDEX {name} ON deployments (artifact, created_at)" == found.proposal.statement
    assert name in found.proposal.plan
    if engine.dialect.name == "postgresql":
        assert found.proposal.cost_ratio is not None
        assert 2.0 < found.proposal.cost_ratio
    else:
        assert found.proposal.cost_ratio is None
    with open_database(url_of(engine)) as database:
        assert name not in {index.name for index in database.indexes()}


def test_full_scan_without_a_cure(engine: Engine) -> None:
    """What no index can help is advice, and says so."""
    work = captured("SELECT count(*) FROM deployments", "SELECT * FROM deployments WHERE lower(artifact) = 'x'")
    made = audit(url_of(engine), work)
    assert Status.PASS is made.status
    assert {
        "the statement asks for all rows; no index can spare that",
        "no index comes to mind",
    } == {found.note for found in made.statements}


def test_index_that_gains_little(postgres_url: str) -> None:
    """A planner may take an index that is hardly worth having: it is not proposed."""
    engine = build(postgres_url, rows=5000)
    run(engine, "UPDATE deployments SET artifact = 'artifact-' || id % 12")
    run(engine, "VACUUM (ANALYZE) deployments", transaction=False)
    (found,) = audit(postgres_url, captured("SELECT * FROM deployments WHERE artifact = %(x)s")).statements
    assert (Weight.ADVICE, None, "no index that was tried serves it better") == (
        found.weight,
        found.proposal,
        found.note,
    )


def test_small_tables_are_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'small.db'}"
    build(url, rows=500)
    made = audit(url, captured(SCAN.format("?")))
    assert ((), 1) == (made.statements, made.served)


def test_sort_counts_when_it_is_slow(tmp_path: Path) -> None:
    """A sort alone is advice; one that takes longer than a query may is a fault."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    build(url, rows=5000)
    statement = OWN_SORT.format("?")
    quick = audit(url, captured(statement))
    slow = audit(url, captured(statement, mean_s=0.2))
    assert (Weight.ADVICE, Weight.FAULT) == (quick.statements[0].weight, slow.statements[0].weight)
    assert "rows sorted anew each time: USE TEMP B-TREE FOR ORDER BY" == quick.statements[0].fault
    assert quick.statements[0].proposal is not None
    assert "tried on a copy of the schema and its statistics" in render_text(quick)


def test_order_of_an_index_up_to_a_limit(engine: Engine) -> None:
    """Reading an index in its order until a limit is no scan that hurts."""
    made = audit(url_of(engine), captured("SELECT * FROM deployments ORDER BY created_at LIMIT 10"))
    assert () == made.statements


def test_specified_index_dropped(engine: Engine) -> None:
    run(engine, f"DROP INDEX {COMPOSITE}")
    made = audit(url_of(engine), None)
    assert Status.FAIL is made.status
    assert [(COMPOSITE, "missing, and the specification names it")] == [
        (one.name, one.fault) for one in made.indexes
    ]
    assert "No query log was given: the service's own statements were not looked at." in made.coverage.notes


def test_pending_query_passed_over(postgres_url: str) -> None:
    """An index that stands right and isn't used: a fault on a table of size, told with its plan."""
    engine = build(postgres_url, rows=5000)
    database = engine.url.database
    run(engine, f'ALTER DATABASE "{database}" SET enable_indexscan = off')
    run(engine, f'ALTER DATABASE "{database}" SET enable_bitmapscan = off')
    made = audit(postgres_url, None)
    (found,) = made.statements
    assert (Status.FAIL, Weight.FAULT) == (made.status, found.weight)
    assert (
        f"not served by {COMPOSITE}, which the specification names for it: all rows are read: Seq Scan"
        in found.fault
    )
    assert "the specification's own query" in render_text(made)


def test_pending_query_on_a_small_table(postgres_url: str) -> None:
    build(postgres_url, rows=150)
    made = audit(postgres_url, None)
    assert (Status.PASS, Weight.ADVICE) == (made.status, made.statements[0].weight)
    assert "too small to judge" in str(made.statements[0].note)


def test_what_can_not_be_explained(engine: Engine) -> None:
    """Everything odd is named, counted and skipped; the rest is judged."""
    work = captured(
        marked(engine, PENDING),
        "BEGIN",
        "PRAGMA table_info(x)",
        "SELECT * FROM gone",
        "SELECT * FROM deployments WHERE id IN (1, 2… (3000 more)",
        "DELETE FROM deployments; DROP TABLE agents",
    )
    made = audit(url_of(engine), work)
    assert (6, 1) == (made.coverage.captured, made.coverage.explained)
    assert pytest.approx(1 / 6) == made.coverage.time_ratio
    assert 2 == made.coverage.skipped["no query: nothing to explain"]
    assert 1 == made.coverage.skipped["cut off in the log"]
    assert 2 == sum(
        n for reason, n in made.coverage.skipped.items() if "the database can't explain it: " in reason
    )
    with engine.connect() as connection:
        assert 5000 == connection.scalar(text("SELECT count(*) FROM deployments"))


def test_nothing_explained(engine: Engine) -> None:
    """Without one plan there is no verdict."""
    made = audit(url_of(engine), captured("BEGIN"))
    assert Status.INCONCLUSIVE is made.status
    assert "INCONCLUSIVE: There was nothing that could be judged." == render_text(made).splitlines()[-1]


def test_empty_log(engine: Engine) -> None:
    made = audit(url_of(engine), captured())
    assert (Status.INCONCLUSIVE, ("The query log holds no statements.", RETYPED)) == (
        made.status,
        made.coverage.notes,
    )


def test_top_and_no_trial(engine: Engine) -> None:
    """Beyond the longest ones, each specified index's own statement is looked at."""
    other = "SELECT count(*) FROM agents"
    work = captured(marked(engine, SCAN), other, marked(engine, PENDING))
    made = audit(url_of(engine), work, top=1, trial=False)
    assert (Status.PASS, None) == (made.status, made.statements[0].proposal)
    assert [None, COMPOSITE] == [one.index for one in made.servings]
    assert (
        (
            "Of 3 different statements 2 were looked at: the longest, and one at least for each index of the "
            "specification."
        ),
        "No index was tried.",
    ) == made.coverage.notes


def test_foreign_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    engine = create_engine(url)
    run(engine, "CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT)")
    engine.dispose()
    note = "This is no deployment master's database: the specification's indexes were not looked for."
    alone, with_work = audit(url, None), audit(url, captured("SELECT * FROM notes WHERE words = ?"))
    assert (Status.INCONCLUSIVE, Status.PASS) == (alone.status, with_work.status)
    assert note in alone.coverage.notes
    assert note in with_work.coverage.notes


def test_no_server_to_try_on(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no server of our own can be started, the finding stays and says why nothing was tried."""

    def none() -> None:
        raise HarnessError("no server here")

    monkeypatch.setattr(trial, "ephemeral_postgres", none)
    engine = build(postgres_url, rows=5000)
    made = audit(postgres_url, captured(marked(engine, SCAN)))
    assert (Weight.ADVICE, "no index was tried: no server to try indexes on: no server here") == (
        made.statements[0].weight,
        made.statements[0].note,
    )


@pytest.fixture
def hypopg_url() -> Iterator[str]:
    """A database with the extension, on the first installation of this machine that has it."""
    for binaries in find_binaries():
        with ephemeral_postgres(binaries=binaries) as server:
            url = server.create_database("hypothetical")
            made = create_engine(url, poolclass=NullPool)
            with made.connect() as connection:
                found = "SELECT count(*) FROM pg_available_extensions WHERE name = 'hypopg'"
                available = connection.execute(text(found)).scalar_one()
            if available:
                run(made, "CREATE EXTENSION hypopg")
                yield url
                return
    pytest.skip(f"{SKIP_REASON}hypothetical indexes: no installation here has the extension hypopg")


def test_hypothetical_index(hypopg_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extension an index is tried in place: nothing is copied, and nothing is left behind."""
    monkeypatch.setattr(trial, "ephemeral_postgres", None)
    engine = build(hypopg_url, rows=20_000)
    (found,) = audit(hypopg_url, captured(marked(engine, SCAN))).statements
    proposal = found.proposal
    assert proposal is not None
    assert proposal.statement.startswith("CREATE INDEX idx_deployments_artifact_created_at ON deployments")
    assert "using idx_deployments_artifact_created_at" in proposal.plan
    assert proposal.cost_ratio is not None
    assert proposal.cost_ratio > 2
    assert proposal.tried_on.startswith("a hypothetical index (hypopg ")
    with engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM pg_indexes WHERE tablename = 'deployments'"))
        assert 4 == left.scalar_one()


def test_table_that_can_not_be_copied(postgres_url: str) -> None:
    """A type of the database's own does not exist on ours."""
    engine = build(postgres_url, rows=5000)
    run(engine, "CREATE TYPE mood AS ENUM ('sad', 'happy')")
    run(engine, "ALTER TABLE deployments ADD COLUMN mood mood")
    (found,) = audit(postgres_url, captured(marked(engine, SCAN))).statements
    assert 'no index was tried: table deployments can\'t be copied: type "mood" does not exist' == found.note


def test_stale_statistics_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'master.db'}"
    engine = build(url, rows=100)
    run(
        engine,
        "INSERT INTO deployments SELECT id + 1000 * n, agent_id, status, created_at, artifact FROM deployments, "
        "(WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < 12) SELECT n FROM k)",
    )
    (found,) = audit(url, None).indexes
    assert "statistics out of date: its statistics are of 100 rows, and it holds 1,300" == found.fault


def test_stale_statistics_on_postgres(postgres_url: str) -> None:
    engine = build(postgres_url, rows=5000, analyse=False)
    run(engine, "SELECT pg_stat_force_next_flush()")
    faults = [one.fault for one in audit(postgres_url, None).indexes]
    assert ["statistics out of date: it was never analysed and holds about 5,000 rows"] == faults


def test_reading_a_log(tmp_path: Path) -> None:
    """By total time, over rotated files; what is no line of ours is counted."""
    log = tmp_path / "database-queries.log"
    (tmp_path / "database-queries.log.1").write_text(line("A", 10.0) + line("B", 1.0))
    log.write_text(line("B", 30.0) + "garbage\n" + '{"half":')
    work = read_workload(log)
    assert (
        CapturedStatement(text="B", calls=2, total_s=0.031, max_s=0.03),
        CapturedStatement(text="A", calls=1, total_s=0.01, max_s=0.01),
    ) == work.statements
    assert (5, 2, 0) == (work.lines, work.bad_lines, work.text_lines)
    assert 0.0155 == work.statements[0].mean_s


def test_log_with_too_many_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that builds values into its statements does not fill our memory."""
    monkeypatch.setattr(workload, "MOST_STATEMENTS", 2)
    log = tmp_path / "database-queries.log"
    log.write_text("".join(line(f"SELECT {number}") for number in range(5)))
    assert 2 == len(read_workload(log).statements)


def test_missing_log(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        read_workload(tmp_path / "none.log")
    assert (
        f"file '{tmp_path / 'none.log'}': can't be read: No such file or directory; "
        "try the path of the monitoring layer's database-queries.log"
    ) == str(caught.value)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_indexes_arguments(parser)
    return parser.parse_args(words)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, JSON and a page of the same audit; the exit code is the gates'."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    engine = build(url, rows=5000)
    log = tmp_path / "database-queries.log"
    log.write_text(line(SCAN.format("?"), 20.0) + line("SELECT * FROM deployments WHERE artifact = '<b>\x1b[31m'"))
    page = tmp_path / "audit.html"
    words = ("--database-url", url, "--queries", str(log))
    assert ExitCode.FAIL == run_indexes(options(*words, "--html", str(page)))
    shown = capsys.readouterr().out
    assert "FAIL: 2 faults, 0 pieces of advice.\n" == shown.splitlines(keepends=True)[-1]
    assert (
        "  remedy     CREATE INDEX idx_deployments_artifact_created_at ON deployments (artifact, created_at);"
        in shown
    )
    assert "1 call, 20.0 ms in all, mean 20.0 ms, longest 20.0 ms" in shown
    assert "\x1b" not in shown
    html = page.read_text()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "CREATE INDEX idx_deployments_artifact_created_at" in html
    assert ExitCode.FAIL == run_indexes(options(*words, "--json"))
    stored = json.loads(capsys.readouterr().out)
    assert (1, "FAIL") == (stored["schema_version"], stored["status"])
    run(engine, "DELETE FROM deployments")
    assert ExitCode.PASS == run_indexes(options("--database-url", url))
    assert "No finding." in capsys.readouterr().out


def test_command_usage() -> None:
    with pytest.raises(UsageError, match=r"^option '--top': too small, got 0, need 1 or more$"):
        run_indexes(options("--database-url", "sqlite://", "--top", "0"))


def test_page_without_findings(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'master.db'}"
    build(url, rows=0)
    assert "Plans without anything to find: 0." in render_html(audit(url, None))


def test_each_captured_statement_with_the_index_that_serves_it(engine: Engine) -> None:
    """By name and with figures, in every form; the specification's own wording is not judged besides."""
    name = marked(engine, "SELECT id FROM agents WHERE name = {}")
    run(engine, f"INSERT INTO agents {CAST_IDS} FROM deployments")
    run(engine, "ANALYZE")
    made = audit(url_of(engine), captured(marked(engine, PENDING), name, "SELECT count(*) FROM agents"))
    assert [(COMPOSITE, True), ("idx_agent_name", True), (None, None)] == [
        (one.index, one.served) for one in made.servings
    ]
    assert (COMPOSITE,) == made.servings[0].used
    assert RETYPED not in made.coverage.notes
    shown = render_text(made).splitlines()
    assert f"  served  {COMPOSITE}  2 calls, mean 5.00 ms  SELECT id FROM deployments WHERE agent_id =" in shown[3]
    assert "<td><code>idx_agent_name</code></td>" in render_html(made)


CAST_IDS = "SELECT CAST(id AS VARCHAR), CAST(id AS VARCHAR)"


def test_row_ids_of_sqlite(tmp_path: Path) -> None:
    """A table's own key is no index, and it is no full scan either."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    build(url, rows=2000)
    made = audit(url, captured("SELECT artifact FROM deployments WHERE id = ?"))
    assert [("primary key",)] == [one.used for one in made.servings]


def test_captured_pending_query_that_is_not_served(engine: Engine) -> None:
    """The composite is missing: the index's finding names the cure, and the statement's line says it too."""
    run(engine, f"DROP INDEX {COMPOSITE}")
    made = audit(url_of(engine), captured(marked(engine, PENDING)))
    assert Status.FAIL is made.status
    (serving,) = made.servings
    assert (COMPOSITE, False, f"there is no index {COMPOSITE}") == (serving.index, serving.served, serving.note)
    assert [COMPOSITE] == [one.name for one in made.indexes if one.weight is Weight.FAULT]
    # One cure under one name, whichever finding is read.
    proposed = {one.proposal.statement for one in made.statements if one.proposal is not None}
    assert proposed <= {PENDING_INDEX.create_statement}
    assert f"  NOT SERVED  {COMPOSITE}" in render_text(made)


def test_captured_pending_query_passed_over(postgres_url: str) -> None:
    """The index stands and the planner takes another way: a fault, told once, with its plan."""
    engine = build(postgres_url, rows=5000)
    for setting in ("enable_indexscan", "enable_bitmapscan"):
        run(engine, f'ALTER DATABASE "{engine.url.database}" SET {setting} = off')
    made = audit(postgres_url, captured(marked(engine, PENDING)))
    (found,) = made.statements
    assert (Status.FAIL, Weight.FAULT) == (made.status, found.weight)
    assert f"not served by {COMPOSITE}, which the specification names for it: all rows are read: " in found.fault
    assert found.statement.calls == 2


def test_what_a_healthy_planner_does_too_is_no_fault(postgres_url: str) -> None:
    """On a small table nobody can tell, and the statement's line says why."""
    engine = build(postgres_url, rows=150)
    made = audit(postgres_url, captured(marked(engine, PENDING)))
    (serving,) = made.servings
    assert (Status.PASS, None) == (made.status, serving.served)
    assert "  can't tell  " in render_text(made)
    assert "too small to judge: deployments holds 150 rows" in render_text(made)


def test_ties_of_the_pending_order_may_be_sorted(engine: Engine) -> None:
    """An id behind the time of creation makes the order certain; equal times are few."""
    made = audit(url_of(engine), captured(marked(engine, f"{PENDING}, artifact")))
    assert [True] == [one.served for one in made.servings]
    assert Status.PASS is made.status


def test_index_under_another_name_serves_the_agents(engine: Engine) -> None:
    """The specification leaves that name open."""
    run(engine, "DROP INDEX idx_agent_name")
    run(engine, "CREATE UNIQUE INDEX uq_name ON agents (name)")
    run(engine, f"INSERT INTO agents {CAST_IDS} FROM deployments")
    run(engine, "ANALYZE")
    made = audit(url_of(engine), captured(marked(engine, "SELECT id FROM agents WHERE name = {}")))
    assert [("uq_name", True)] == [(one.index, one.served) for one in made.servings]
    run(engine, "DROP INDEX uq_name")
    made = audit(url_of(engine), captured(marked(engine, "SELECT id FROM agents WHERE name = {}")))
    assert [("idx_agent_name", False, "there is no index on agents (name)")] == [
        (one.index, one.served, one.note) for one in made.servings
    ]


def test_too_little_of_the_log_explained(engine: Engine) -> None:
    """No fault among a tenth of the query time is no PASS; a fault among it is a FAIL all the same."""
    few = captured(marked(engine, PENDING)).statements
    cut = CapturedStatement(text="SELECT 1… (3000 more)", calls=1, total_s=1.0, max_s=1.0)
    work = Workload(statements=(cut, *few), lines=2, bad_lines=0, text_lines=0, damaged=())
    made = audit(url_of(engine), work)
    assert Status.INCONCLUSIVE is made.status
    assert "INCONCLUSIVE: Too little could be explained to tell." == render_text(made).splitlines()[-1]
    run(engine, f"DROP INDEX {COMPOSITE}")
    assert Status.FAIL is audit(url_of(engine), work).status


def as_role(engine: Engine, grants: str = "") -> str:
    """Return a URL of a new user with these rights."""
    name = f"user_{engine.url.database}"
    run(engine, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    if grants:
        run(engine, grants.format(name))
    return engine.url.set(username=name, password="x").render_as_string(hide_password=False)


@pytest.fixture
def role_url(postgres_url: str) -> Iterator[Engine]:
    engine = build(postgres_url, rows=5000)
    yield engine
    run(engine, f"DROP OWNED BY user_{engine.url.database}")
    run(engine, f"DROP ROLE user_{engine.url.database}")


def test_without_rights(role_url: Engine) -> None:
    """Nothing may be read: each statement is left out with the remedy, and there is no verdict."""
    url = as_role(role_url)
    denied = "permission denied for table deployments; try a user that may read the tables (GRANT SELECT)"
    made, alone = audit(url, captured(marked(role_url, PENDING))), audit(url, None)
    assert (Status.INCONCLUSIVE, {f"the database can't explain it: {denied}": 1}) == (
        made.status,
        made.coverage.skipped,
    )
    note = f"The pending query in the specification's words could not be judged: {denied}."
    assert Status.INCONCLUSIVE is alone.status
    assert note in alone.coverage.notes
    assert ("No pending query of the log could be judged.", note) == made.coverage.notes


def test_with_half_of_the_rights(role_url: Engine) -> None:
    """What may be read is judged."""
    url = as_role(role_url, "GRANT SELECT ON agents TO {}")
    made = audit(url, captured("SELECT name FROM agents", marked(role_url, PENDING)))
    assert (1, 2) == (made.coverage.explained, made.coverage.captured)


def test_table_that_another_session_holds(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its statements are left out, the others judged, and the lock is waited for once."""
    monkeypatch.setattr("harness.indexes.postgres.LOCK_TIMEOUT_MS", 20)
    engine = build(postgres_url, rows=5000)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE deployments IN ACCESS EXCLUSIVE MODE"))
        made = audit(
            postgres_url, captured("SELECT name FROM agents", marked(engine, PENDING), marked(engine, SCAN))
        )
    reason = (
        "the database can't explain it: canceling statement due to lock timeout; "
        "try again when no other session holds the table"
    )
    assert (1, {reason: 2}, ()) == (made.coverage.explained, made.coverage.skipped, made.indexes)


def test_log_that_is_a_pipe(tmp_path: Path) -> None:
    """It would be waited for."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(HarnessError, match=r"^file '.*/pipe': not a regular file; try the path of the monitoring"):
        read_workload(path)


def test_page_that_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It costs the page, and not the audit."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    build(url, rows=10)
    with pytest.raises(HarnessError, match="can't be written: No such file or directory"):
        run_indexes(options("--database-url", url, "--html", str(tmp_path / "none" / "x.html")))
    assert "PASS: " in capsys.readouterr().out
