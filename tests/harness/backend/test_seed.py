"""Seeding: the same rows on both databases, all or none, never among agents that are real; and its command."""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select

from harness.backend import filling
from harness.backend import seed as module
from harness.backend.database import make_sole_engine
from harness.backend.models import Agent, Deployment
from harness.backend.population import DeploymentBlock
from harness.backend.seed import add_seed_arguments, run_seed, seed
from harness.errors import HarnessError, UsageError
from tests.harness.backend.conftest import NOW, Master


def digest(url: str) -> str:
    """Return a hash over every column of every row, as the service reads them."""
    engine = make_sole_engine(url)
    hashed = hashlib.sha256()
    with engine.connect() as connection:
        for model in (Agent, Deployment):
            for row in connection.execute(select(*model.__table__.columns).order_by(model.id)):
                hashed.update(repr(tuple(row)).encode())
    engine.dispose()
    return hashed.hexdigest()


def counts(url: str) -> tuple[int, int]:
    engine = make_sole_engine(url)
    with engine.connect() as connection:
        found = tuple(
            connection.execute(select(func.count()).select_from(model)).scalar_one()
            for model in (Agent, Deployment)
        )
    engine.dispose()
    return found[0], found[1]


def test_both_databases_get_identical_rows(postgres_url: str, tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'master.db'}"
    reports = [seed(url, agents=50, deployments=25_000) for url in (file, postgres_url)]
    assert [(50, 25_000, 85, False)] * 2 == [
        (report.agents, report.deployments, report.pending, report.skipped) for report in reports
    ]
    assert digest(file) == digest(postgres_url)


def test_the_seed_and_the_instant_decide_the_rows(tmp_path: Path) -> None:
    def made(name: str, **arguments: object) -> str:
        url = f"sqlite:///{tmp_path / name}.db"
        seed(url, agents=3, deployments=200, **arguments)
        return digest(url)

    usual = made("usual")
    assert usual == made("again", seed=1)
    assert usual != made("other", seed=2)
    assert usual != made("later", instant=datetime(2027, 1, 1, tzinfo=UTC))


def test_what_is_there_already_is_used_as_it_is(database_url: str) -> None:
    seed(database_url, agents=3, deployments=200)
    before = digest(database_url)
    report = seed(database_url, agents=2, deployments=100, seed=9)
    assert (3, 200, True) == (report.agents, report.deployments, report.skipped)
    assert before == digest(database_url)


def test_a_seeded_database_is_topped_up(database_url: str) -> None:
    """Numbers go on where they ended, and what was there stays."""
    seed(database_url, agents=2, deployments=100)
    report = seed(database_url, agents=4, deployments=150)
    assert (4, 150, False) == (report.agents, report.deployments, report.skipped)
    engine = make_sole_engine(database_url)
    with engine.connect() as connection:
        assert list(range(1, 151)) == list(
            connection.execute(select(Deployment.id).order_by(Deployment.id)).scalars()
        )
        added = select(Deployment.agent_id).where(Deployment.id > 100).distinct()
        assert {"agent-0001", "agent-0002", "agent-0003", "agent-0004"} == set(connection.execute(added).scalars())
    engine.dispose()
    assert (5, 150) == (seed(database_url, agents=5, deployments=0).agents, counts(database_url)[1])


def test_nothing_is_seeded_among_agents_that_registered_themselves(engine: Engine, database_url: str) -> None:
    """They would carry out the made-up deployments."""
    with engine.begin() as connection:
        row = {"id": "real", "name": "real", "registered_by": "agent", "registered_at": NOW, "last_seen_at": None}
        connection.execute(insert(Agent), [row])
    expected = re.escape(
        "too few rows, and nothing is seeded among its 1 agents that registered themselves, "
        "need 2 agents and 10 deployments; try another --database-url, or fewer --agents and --deployments"
    )
    with pytest.raises(HarnessError, match=expected):
        seed(database_url, agents=2, deployments=10)
    assert (1, 0) == counts(database_url)
    assert seed(database_url, agents=1, deployments=0).skipped


def test_a_seeding_that_breaks_off_leaves_no_row(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = filling.deployment_blocks

    def break_off(population: filling.Population) -> object:
        blocks: list[DeploymentBlock] = list(real(population))
        yield blocks[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(filling, "deployment_blocks", break_off)
    with pytest.raises(KeyboardInterrupt):
        seed(database_url, agents=2, deployments=100)
    monkeypatch.undo()
    assert (0, 0) == counts(database_url)
    assert (2, 100) == (seed(database_url, agents=2, deployments=100).agents, counts(database_url)[1])


def test_the_service_numbers_on_after_a_seeding(make_master: object, engine: Engine, database_url: str) -> None:
    """On PostgreSQL the sequence has to be moved past the rows that brought their own numbers."""
    seed(database_url, agents=2, deployments=100)
    master: Master = make_master()  # type: ignore[operator]  # a fixture function
    order = {"agent_id": "agent-0001", "artifact": "x", "version": "1", "created_by": "ci"}
    assert 101 == master.post("/api/deployments", order).json()["id"]
    assert 200 == master.get("/api/deployments/pending/agent-0002").status_code


def test_the_planner_knows_the_table_afterwards(database_url: str) -> None:
    seed(database_url, agents=2, deployments=100)
    engine = make_sole_engine(database_url)
    question = {
        "sqlite": "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'deployments'",
        "postgresql": "SELECT count(*) FROM pg_stats WHERE tablename = 'deployments'",
    }
    with engine.connect() as connection:
        assert connection.exec_driver_sql(question[engine.dialect.name]).scalar_one() > 0
    engine.dispose()


def test_progress_is_told_up_to_the_end(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backend.population._BLOCK_ROWS", 40)
    told: list[tuple[int, int]] = []
    seed(database_url, agents=1, deployments=100, progress=lambda done, total: told.append((done, total)))
    assert [(40, 100), (80, 100), (100, 100)] == told


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"agents": 0}, "option '--agents': out of range, got 0, need 1..1000000"),
        ({"agents": 1_000_001}, "option '--agents': out of range, got 1000001, need 1..1000000"),
        ({"deployments": -1}, "option '--deployments': out of range, got -1, need 0..100000000"),
        (
            {"deployments": 100_000_001},
            "option '--deployments': out of range, got 100000001, need 0..100000000",
        ),
        ({"seed": -1}, "option '--seed': too small, got -1, need 0 or more"),
    ],
)
def test_counts_out_of_range_are_usage_errors(arguments: dict[str, int], error: str, tmp_path: Path) -> None:
    file = tmp_path / "master.db"
    with pytest.raises(UsageError) as caught:
        seed(f"sqlite:///{file}", **arguments)
    assert error == str(caught.value)
    assert not file.exists()


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_seed_arguments(parser)
    return run_seed(parser.parse_args(arguments))


def test_the_command_says_what_there_is_in_words_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'master.db'}"
    options = ("--agents", "3", "--deployments", "200", "--database-url", url)
    assert 0 == command(*options)
    expected = r"seeded in [\d.]+ m?s: the database holds 3 agents, 200 deployments, \d+ of them pending\n"
    assert re.fullmatch(expected, capsys.readouterr().out)
    assert 0 == command(*options)
    assert capsys.readouterr().out.startswith("nothing to seed: the database holds 3 agents, 200 deployments")
    assert 0 == command(*options, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (3, 200, True) == (told["agents"], told["deployments"], told["skipped"])
    assert {"agents", "deployments", "pending", "elapsed_s", "skipped"} == set(told)


def test_the_url_comes_from_the_environment_when_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def default() -> str:
        parser = argparse.ArgumentParser()
        add_seed_arguments(parser)
        return str(parser.parse_args([]).database_url)

    monkeypatch.delenv("HARNESS_DATABASE_URL", raising=False)
    assert "sqlite:///master.db" == default()
    monkeypatch.setenv("HARNESS_DATABASE_URL", "sqlite:///other.db")
    assert "sqlite:///other.db" == default()


def test_a_killed_seeding_leaves_no_row(tmp_path: Path) -> None:
    """kill -9 in the middle: SQLite rolls the open transaction back when the file is next opened."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    script = (
        "import os, signal\n"
        "from harness.backend.seed import seed\n"
        f"seed({url!r}, agents=2, deployments=60_000,"
        " progress=lambda done, total: done > 20_000 and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert -9 == done.returncode
    assert (0, 0) == counts(url)


def test_no_bar_is_drawn_where_nobody_sees_it() -> None:
    with module.progress_bar() as progress:
        assert progress is None
