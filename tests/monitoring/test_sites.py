"""Where a connection was taken: the service's own line nearest to the pool, the first time and ever after."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from monitoring.capture import sites
from monitoring.capture.pool import PoolCapture
from monitoring.monitor import Monitor
from monitoring.settings import Settings


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[PoolCapture]:
    """A watched pool of an engine on SQLite."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", poolclass=QueuePool)
    monitor = Monitor(Settings(log_dir=tmp_path, store=False), [("main", engine)])
    monitor.install()
    yield monitor.pools[0]
    monitor.remove()
    engine.dispose()


def place(function: Callable[..., object], line: int) -> str:
    """Return how a line of a function is told, counted from its first."""
    code = function.__code__
    return f"{Path(__file__).relative_to(Path.cwd())}:{code.co_firstlineno + line} in {code.co_name}"


def held_at(pool: PoolCapture) -> list[str]:
    """Return where the connections out at the moment were taken."""
    return [holder.site for holder in pool.state().holders]


def test_two_lines_of_one_function_are_two_places_however_often(pool: PoolCapture) -> None:
    """What is remembered of the first call does not blur the later ones."""

    def take() -> list[str]:
        with pool.engine.connect(), pool.engine.connect():
            one = held_at(pool)
        with pool.engine.connect():
            return one + held_at(pool)

    assert [take() for _ in range(3)] == [[place(take, 1), place(take, 1), place(take, 3)]] * 3


def test_one_line_is_found_at_any_distance(pool: PoolCapture) -> None:
    """By way of a session, of the engine, of the pool itself, and from the bottom of a thread."""
    found: list[str] = []

    def by_session() -> None:
        with Session(pool.engine) as session:
            session.execute(text("SELECT 1"))
            found.extend(held_at(pool))

    def by_engine() -> None:
        with pool.engine.connect():
            found.extend(held_at(pool))

    def by_pool() -> None:
        connection = pool.engine.pool.connect()
        found.extend(held_at(pool))
        connection.close()

    for _ in range(2):
        by_session()
        by_engine()
        by_pool()
        threads = [threading.Thread(target=one) for one in (by_pool, by_session)]
        for thread in threads:
            thread.start()
            thread.join()
    told = [place(by_session, 2), place(by_engine, 1), place(by_pool, 1)]
    assert found == [*told, told[2], told[0]] * 2


def test_the_nearest_of_several_own_lines_is_told(pool: PoolCapture) -> None:
    """A helper that takes the connection is named, not its callers, also where a library stands between them."""

    @contextmanager
    def helper() -> Iterator[Connection]:
        with pool.engine.connect() as connection:
            yield connection

    def route() -> list[str]:
        with helper():
            return held_at(pool)

    assert [route() for _ in range(3)] == [[place(helper.__wrapped__, 2)]] * 3  # type: ignore[attr-defined]


def test_code_that_comes_and_goes_is_told_right_and_not_kept_for_ever(
    pool: PoolCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions made anew for each call are told apart, and what is remembered of them has an end."""
    monkeypatch.setattr(sites, "_places", {})
    for number in range(sites._MAX_PLACES + 50):
        lines = "\n" * (number % 7)
        made: dict[str, Callable[[], list[str]]] = {}
        source = f"{lines}def made_{number}():\n    with connect():\n        return held()"
        scope = {"connect": pool.engine.connect, "held": lambda: held_at(pool)}
        exec(compile(source, "/made/up.py", "exec"), scope, made)  # as templates and notebooks do
        assert made[f"made_{number}"]() == [f"/made/up.py:{number % 7 + 2} in made_{number}"]
    assert len(sites._places) == sites._MAX_PLACES
