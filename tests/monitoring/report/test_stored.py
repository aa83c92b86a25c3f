"""The store read from outside."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError
from monitoring.reports.stored import StoredFigures
from monitoring.tables import SCHEMA_VERSION
from tests.monitoring.report.past import NOON_S, ROUTE, Past, pool_state

Make = Callable[..., Past]


def requests(path: Path, since_s: float, until_s: float) -> tuple[int, float, float]:
    """How many polls a window holds, and between which seconds after noon it lies."""
    store = StoredFigures(path)
    try:
        slot, first_s, last_s = store.read(NOON_S + since_s, NOON_S + until_s)
    finally:
        store.close()
    rollup = slot.routes.get(("GET", ROUTE))
    return (rollup.n if rollup else 0), first_s - NOON_S, last_s - NOON_S


def test_every_poll_of_a_window_is_counted_once(past: Make) -> None:
    """Over all tiers: the first hours lie in hour slots, the last minutes in seconds."""
    service = past().fleet(4 * 3600, agents=1)
    service.write(4 * 3600)
    assert requests(service.store_path, 0, 4 * 3600) == (1440, 0, 4 * 3600)
    assert requests(service.store_path, 3600, 2 * 3600) == (360, 3600, 7200)
    assert requests(service.store_path, 4 * 3600 - 60, 4 * 3600) == (6, 4 * 3600 - 60, 4 * 3600)


def test_a_window_is_covered_from_the_first_run_to_when_it_was_last_heard_of(past: Make) -> None:
    service = past().fleet(60, agents=1)
    service.write(60)
    assert requests(service.store_path, -3600, 3600) == (6, 0, 60)


def test_a_clock_that_stepped_back_hides_neither_what_was_before_nor_what_came_after(past: Make) -> None:
    """It began at 50 s by its clock, was set back at 53, and was last heard of at 20."""
    service = past(start_s=NOON_S + 50)
    service.poll(52.5)
    service.poll(12.5)
    service.write(20)
    assert requests(service.store_path, 0, 60) == (2, 12, 53)
    assert requests(service.store_path, 0, 30) == (1, 12, 30)


def test_a_window_without_anything_is_empty(past: Make) -> None:
    service = past().fleet(60, agents=1)
    service.write(60)
    n, first_s, last_s = requests(service.store_path, -7200, -3600)
    assert (n, last_s - first_s) == (0, 0)
    n, first_s, last_s = requests(service.store_path, 3600, 7200)
    assert (n, last_s - first_s) == (0, 0)


def test_a_store_of_no_request_is_an_answer(past: Make) -> None:
    service = past()
    service.write(60)
    assert requests(service.store_path, 0, 60) == (0, 0, 60)


def test_a_running_service_is_read_and_does_not_notice(past: Make) -> None:
    service = past().fleet(60, agents=1)
    service.write(60, stop=False)
    assert service.store is not None
    before = [(one.id, one.seen_s) for one in service.store.workers()]
    assert requests(service.store_path, 0, 60)[0] == 6
    assert before == [(one.id, one.seen_s) for one in service.store.workers()]


def test_reading_leaves_nothing_behind(past: Make) -> None:
    """A write-ahead log made by root would keep the service itself out."""
    service = past().fleet(60, agents=1)
    folder = service.write(60, logs=False)
    before = sorted(path.name for path in folder.iterdir())
    requests(service.store_path, 0, 60)
    assert ["master-backend.metrics.sqlite"] == before
    assert before == sorted(path.name for path in folder.iterdir())


def test_a_copy_of_a_running_store_is_read_with_its_log(past: Make, tmp_path: Path) -> None:
    service = past().fleet(60, agents=1)
    folder = service.write(60, stop=False)
    copy = tmp_path / "copy # 1?"
    shutil.copytree(folder, copy)
    assert requests(copy / service.store_path.name, 0, 60)[0] == 6


def test_pools_are_those_of_the_workers_last_heard_of(past: Make) -> None:
    service = past()
    service.pools = [pool_state(size=7)]
    service.write(60)
    store = StoredFigures(service.store_path)
    assert [7] == [pool.size for pool in store.pools()]
    store.close()


def test_a_damaged_rollup_is_left_out_and_counted(past: Make) -> None:
    service = past().fleet(60, agents=1)
    service.write(60)
    with sqlite3.connect(service.store_path) as db:
        db.execute("UPDATE slots SET content = x'00' WHERE start_s < ?", (NOON_S + 10,))
    db.close()
    store = StoredFigures(service.store_path)
    slot, _, _ = store.read(NOON_S, NOON_S + 30)
    store.close()
    assert (1, 2) == (store.damaged, slot.routes["GET", ROUTE].n)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        StoredFigures(tmp_path / "a.sqlite")
    assert str(error.value) == (
        f"store '{tmp_path}/a.sqlite': no such file; try --store FILE, or --logs DIR of the service"
    )


def test_something_else_than_a_store(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(MonitoringError) as error:
        StoredFigures(path)
    assert f"store '{path}': can't be read (file is not a database)" == str(error.value)


def test_a_database_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE x (a)")
    db.close()
    with pytest.raises(MonitoringError) as error:
        StoredFigures(path)
    assert str(error.value) == (
        f"store '{path}': can't be read (no such table: tiers); try copying its '-wal' file too"
    )


def test_a_newer_store_is_refused(past: Make) -> None:
    service = past()
    service.write(60)
    with sqlite3.connect(service.store_path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(MonitoringError) as error:
        StoredFigures(service.store_path)
    assert str(error.value) == (
        f"store '{service.store_path}': written by a newer version of this library, "
        f"got schema {SCHEMA_VERSION + 1}, need at most {SCHEMA_VERSION}; "
        "try the version that the service has installed"
    )


def test_stretches_without_a_request(past: Make) -> None:
    """Gaps of five minutes and more within what the store tells of, those at its ends too."""
    service = past()
    for start_s in (0, 1200, 1500):
        for after_s in range(0, 60, 10):
            service.poll(start_s + after_s + 1)
    service.write(2000)
    store = StoredFigures(service.store_path)
    assert [(60, 1200), (1560, 2000)] == [
        (round(since_s - NOON_S, -1), round(until_s - NOON_S, -1))
        for since_s, until_s in store.quiet(NOON_S - 3600, NOON_S + 3600)
    ]
    assert [] == store.quiet(NOON_S, NOON_S + 60)
    assert [] == store.quiet(NOON_S + 3600, NOON_S + 7200)
    store.close()
