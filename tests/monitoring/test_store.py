"""The store: exact over workers, restarts, roll-ups, stepping clocks and broken files."""

import logging
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring import Settings
from monitoring.histogram import nearest_rank
from monitoring.metrics import Recorder
from monitoring.monitor import RETRY_STORE_S, Monitor
from monitoring.opening import move_aside, open_store
from monitoring.process import Process, identity_of
from monitoring.rollup import Limits
from monitoring.slot import Slot
from monitoring.store import Store
from monitoring.tables import SCHEMA_VERSION
from tests.monitoring.driver import FakeClock
from tests.monitoring.test_rollup import observation

LIMITS = Limits()
KEY = ("GET", "/a")


class Host:
    """Processes that are alive until they are killed."""

    def __init__(self) -> None:
        self.dead: set[int] = set()

    def process(self, pid: int) -> Process:
        return Process(pid=pid, host="here", is_alive=lambda other: other not in self.dead)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "service.metrics.sqlite"


@pytest.fixture
def stores(path: Path, clock: FakeClock) -> Iterator["Opener"]:
    opener = Opener(path, clock)
    yield opener
    for store in opener.opened:
        store.close()


class Opener:
    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path, self.clock, self.host = path, clock, Host()
        self.opened: list[Store] = []

    def open(self, pid: int) -> Store:
        store = Store(self.path, clock=self.clock, limits=LIMITS, process=self.host.process(pid))
        self.opened.append(store)
        return store


def packed(n: int = 1, *, duration_s: float = 0.01, at_s: float = 0.0) -> bytes:
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=10)
    for _ in range(n):
        recorder.request(observation(time_s=at_s, duration_s=duration_s), [], [])
    total = Slot(LIMITS)
    for _, slot in recorder.take():
        total.merge(slot)
    return total.pack()


def count(slot: Slot) -> int:
    return slot.routes[KEY].n if KEY in slot.routes else 0


def test_workers_give_one_answer(stores: Opener, clock: FakeClock) -> None:
    """Whichever worker is asked, the figures are those of all."""
    a, b = stores.open(1), stores.open(2)
    now = int(clock.now_s)
    a.append([(now, packed(3))], state=b"")
    b.append([(now, packed(4))], state=b"")
    assert count(a.read_run()) == 7
    assert count(b.read_run()) == 7
    assert count(a.read(now, now + 1).slot) == 7
    assert [1, 2] == [worker.pid for worker in b.workers()]


def test_a_restarted_worker_joins_the_run(stores: Opener, clock: FakeClock) -> None:
    """A worker that was killed is counted on, and its successor answers for it."""
    a, b = stores.open(1), stores.open(2)
    a.append([(int(clock.now_s), packed(3))], state=b"")
    stores.host.dead.add(1)
    clock.advance(2)
    b.append([], state=b"")
    c = stores.open(3)
    assert c.run_id == a.run_id
    assert count(c.read_run()) == 3
    assert [2, 3] == [worker.pid for worker in c.workers()]


def test_a_restarted_service_begins_a_new_run(stores: Opener, clock: FakeClock) -> None:
    """After the last worker has gone, "since start" begins anew; windows reach back over it."""
    a = stores.open(1)
    a.append([(int(clock.now_s), packed(3))], state=b"")
    stores.host.dead.add(1)
    clock.advance(2)
    b = stores.open(2)
    b.append([(int(clock.now_s), packed(1))], state=b"")
    assert b.run_id != a.run_id
    assert count(b.read_run()) == 1
    assert count(b.read(clock.now_s - 10, clock.now_s + 1).slot) == 4


def test_a_container_restarted_with_the_same_process_id(stores: Opener) -> None:
    """A predecessor with our own process id is no longer there."""
    a = stores.open(1)
    assert stores.open(1).run_id != a.run_id


def test_a_clean_end_is_known_at_once(stores: Opener) -> None:
    a = stores.open(1)
    a.end()
    assert stores.open(2).run_id != a.run_id


@pytest.mark.parametrize("seed", range(3))
def test_roll_up_keeps_every_count(stores: Opener, clock: FakeClock, seed: int) -> None:
    """Hours of slots, rolled up as they age: every window and the run stay exact, late rows included."""
    store = stores.open(1)
    rng = random.Random(seed)
    start = int(clock.now_s)
    truth: dict[int, int] = {}
    for _ in range(400):
        clock.advance(rng.choice([1, 7, 30, 60]))
        second = int(clock.now_s) - rng.choice([0, 0, 0, 1, 40, 4000])
        if second < start:
            continue
        n = rng.randint(1, 3)
        truth[second] = truth.get(second, 0) + n
        store.append([(second, packed(n))], state=b"")
        store.roll_up(force=True)
        if rng.random() < 0.1:
            assert count(store.read_run()) == sum(truth.values())
    assert count(store.read_run()) == sum(truth.values())
    for _ in range(50):
        since = rng.randint(start, int(clock.now_s))
        until = rng.randint(since + 1, int(clock.now_s) + 1)
        reading = store.read(since, until)
        covered = range(int(reading.since_s), int(reading.until_s))
        assert count(reading.slot) == sum(n for second, n in truth.items() if second in covered)
        assert reading.since_s <= since
        assert reading.until_s >= until
    fresh = stores.open(2)
    assert count(fresh.read_run()) == sum(truth.values())


def test_recent_windows_are_exact_to_the_second(stores: Opener, clock: FakeClock) -> None:
    """The last 15 minutes are kept by second, whatever was rolled up."""
    store = stores.open(1)
    start = int(clock.now_s)
    for _ in range(900):
        store.append([(int(clock.now_s), packed())], state=b"")
        clock.advance(1)
    store.roll_up(force=True)
    reading = store.read(start + 3, start + 74)
    assert (start + 3, start + 74, 1.0) == (reading.since_s, reading.until_s, reading.resolution_s)
    assert count(reading.slot) == 71


def test_old_windows_say_what_they_cover(stores: Opener, clock: FakeClock) -> None:
    """After a day only minutes are left: the answer grows to the minute and says so."""
    store = stores.open(1)
    start = int(clock.now_s) + 7
    store.append([(start, packed(5))], state=b"")
    clock.advance(86_400)
    store.roll_up(force=True)
    reading = store.read(start - 3, start + 3)
    assert count(reading.slot) == 5
    assert reading.resolution_s == 60.0
    assert reading.since_s % 60 == 0
    rows = sqlite3.connect(stores.path)
    try:
        assert [(60,), (3600,)] == rows.execute("SELECT DISTINCT width_s FROM slots ORDER BY 1").fetchall()
    finally:
        rows.close()


def test_a_month_is_kept_exactly(stores: Opener, clock: FakeClock) -> None:
    """30 days later the count is exact, and the store has forgotten what was finer."""
    store = stores.open(1)
    for _ in range(30 * 24):
        store.append([(int(clock.now_s), packed(2))], state=b"")
        clock.advance(3600)
        store.roll_up(force=True)
    reading = store.read(clock.now_s - 31 * 86_400, clock.now_s)
    assert count(reading.slot) == 30 * 24 * 2
    assert count(store.read_run()) == 30 * 24 * 2


def test_nothing_is_removed_before_it_is_rolled_up(stores: Opener, clock: FakeClock) -> None:
    """A service that was down for a day loses nothing of its last minutes."""
    store = stores.open(1)
    second = int(clock.now_s)
    store.append([(second, packed(5))], state=b"")
    stores.host.dead.add(1)
    clock.advance(2 * 86_400)
    later = stores.open(2)
    later.roll_up(force=True)
    assert count(later.read(second, second + 1).slot) == 5


def test_a_clock_that_steps_back(stores: Opener, clock: FakeClock) -> None:
    """An hour back in mid-run: nothing is lost, "since start" is exact, windows hold both passes."""
    store = stores.open(1)
    for _ in range(30):
        store.append([(int(clock.now_s), packed())], state=b"")
        clock.advance(1)
    store.roll_up(force=True)
    assert count(store.read_run()) == 30
    clock.now_s -= 3600
    for _ in range(30):
        store.append([(int(clock.now_s), packed())], state=b"")
        clock.advance(1)
        store.roll_up(force=True)
    assert count(store.read_run()) == 60
    assert count(stores.open(2).read(clock.now_s - 30, clock.now_s).slot) == 30
    clock.advance(3600)
    store.roll_up(force=True)
    assert count(store.read_run()) == 60
    # As fresh as the first look: built from the coarse slots, not kept.
    assert count(stores.open(3).read(clock.now_s - 8000, clock.now_s).slot) == 60


def test_in_memory(clock: FakeClock) -> None:
    store = Store(None, clock=clock, limits=LIMITS)
    store.append([(int(clock.now_s), packed(2))], state=b"")
    assert count(store.read_run()) == 2
    store.close()


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be looked at" * 50, "newer"])
def test_an_unreadable_store_is_moved_aside(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, content: bytes | str
) -> None:
    """A corrupted store, and one of a newer schema, get another name; nothing of them is overwritten."""
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        database = sqlite3.connect(path)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        database.execute("CREATE TABLE future (x)")
        database.close()
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        store = open_store(path, clock=clock, limits=LIMITS)
    store.append([(int(clock.now_s), packed())], state=b"")
    assert count(store.read_run()) == 1
    store.close()
    aside = path.with_name(f"{path.name}.unreadable-20270115T080000Z")
    assert aside.read_bytes() == before
    why = (
        f"schema version {SCHEMA_VERSION + 1}, this library knows {SCHEMA_VERSION}"
        if content == "newer"
        else "file is not a database"
    )
    assert caplog.messages == [f"monitoring: store '{path}' can't be read ({why}); moved to '{aside}', begun anew"]


def test_every_unreadable_store_keeps_a_name_of_its_own(path: Path, clock: FakeClock) -> None:
    """Two in one second: neither is overwritten."""
    path.parent.mkdir()
    for content in (b"first", b"second"):
        path.write_bytes(content * 500)
        open_store(path, clock=clock, limits=LIMITS).close()
    kept = {one.name: one.read_bytes()[:5] for one in path.parent.glob("*.unreadable-*")}
    first = f"{path.name}.unreadable-20270115T080000Z"
    assert kept == {first: b"first", f"{first}-2": b"secon"}


def test_the_store_that_another_worker_has_begun_is_left_alone(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Two workers find the damage, one was faster: what it has begun is not moved aside as well."""
    path.parent.mkdir()
    path.write_bytes(b"damaged" * 500)
    found = identity_of(path)
    with caplog.at_level(logging.WARNING):
        store = open_store(path, clock=clock, limits=LIMITS)
        store.append([(int(clock.now_s), packed(2))], state=b"")
        move_aside(path, "damaged", found=found, clock=clock)
        move_aside(path.with_name("none"), "damaged", found=found, clock=clock)
    assert len(caplog.messages) == 1
    assert store.in_place
    assert count(store.read_run()) == 2
    store.close()


def test_a_store_that_was_replaced_is_left_for_the_new_one(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Another worker moved the file aside and began anew: this one joins it, or answers would differ by worker."""
    monitor = Monitor(Settings(log_dir=tmp_path), [], clock=clock)
    monitor.store()
    path = monitor.settings.store_path
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).rename(tmp_path / f"aside{suffix}")
    other = Store(path, clock=clock, limits=LIMITS)
    other.append([(int(clock.now_s), packed(3))], state=b"")
    monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
    with caplog.at_level(logging.WARNING), monitor.reading() as store:
        assert store.in_place
        assert count(store.read(clock.now_s - 1, clock.now_s + 1).slot) == 4
    assert caplog.messages == [f"monitoring: store '{path}' has gone, begun anew"]
    other.close()
    monitor.remove()


def test_a_damaged_row_costs_only_itself(stores: Opener, clock: FakeClock) -> None:
    store = stores.open(1)
    now = int(clock.now_s)
    store.append([(now, packed(3)), (now, b"\x00\x01damaged")], state=b"")
    assert count(store.read(now, now + 1).slot) == 3
    assert store.unreadable == 1


def test_an_unusable_folder_means_memory(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the folder can't be made the figures stay in memory, with one warning."""
    (tmp_path / "file").write_text("in the way")
    monitor = Monitor(Settings(log_dir=tmp_path / "logs", store_dir=tmp_path / "file" / "store"), [], clock=clock)
    with caplog.at_level(logging.WARNING):
        monitor.ensure_started()
    try:
        assert monitor.store().path is None
        assert monitor.store_trouble is not None
        assert "figures stay in memory" in caplog.text
    finally:
        monitor.remove()


def test_figures_go_to_the_disk_once_it_can_be_used(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that could not be opened is tried again; nothing counted in between is lost, nor the start."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("in the way")
    monitor = Monitor(Settings(log_dir=tmp_path / "logs", store_dir=in_the_way), [], clock=clock)
    monitor.ensure_started()
    thread, monitor._thread = monitor._thread, None
    monitor._stop.set()
    assert thread is not None
    thread.join()
    start_s = clock.now_s
    path = in_the_way / "master-backend.metrics.sqlite"
    for _ in range(5):
        monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
        monitor.flush()
        monitor.retry_store()
        clock.advance(1.0)
    assert monitor.store().path is None
    assert monitor.store_trouble is not None
    assert monitor.store_trouble.startswith(f"{path}: ")

    in_the_way.unlink()
    monitor.retry_store()
    assert monitor.store().path is None, "not at every turn: opening may wait for others"
    clock.advance(RETRY_STORE_S)
    with caplog.at_level(logging.WARNING):
        monitor.retry_store()
    monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
    with monitor.reading() as store:
        assert store.path == path
        assert count(store.read_run()) == 6
        assert store.run_started_s == start_s
        assert count(store.read(start_s + 1, start_s + 3).slot) == 2
        assert len(store.workers()) == 1
    assert monitor.store_trouble is None
    text = f"monitoring: store '{path}' can be used; the figures kept in memory are in it now"
    assert text in caplog.messages
    monitor.remove()


def test_a_locked_store_is_no_reason_to_stay_in_memory(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts while somebody holds the file (a copy being made) joins the others later."""
    monkeypatch.setattr("monitoring.store._BUSY_TIMEOUT_S", 0.01)
    chosen = Settings(log_dir=tmp_path)
    other = Store(chosen.store_path, clock=clock, limits=LIMITS)
    other.append([(int(clock.now_s), packed(3))], state=b"")
    monitor = Monitor(chosen, [], clock=clock)
    with other._transaction():
        assert monitor.store().path is None
        assert monitor.store_trouble == f"{chosen.store_path}: database is locked"
        monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
        monitor.flush()
        clock.advance(RETRY_STORE_S)
        monitor.retry_store()
        assert monitor.store().path is None
    clock.advance(RETRY_STORE_S)
    monitor.retry_store()
    with monitor.reading() as store:
        assert count(store.read(0, clock.now_s).slot) == 4
    other.close()
    monitor.remove()


@pytest.mark.parametrize("seed", range(3))
def test_hours_in_memory_are_adopted_exactly(stores: Opener, clock: FakeClock, seed: int) -> None:
    """Whatever was rolled up in memory meanwhile: every count comes over once, in its own stretch of time."""
    rng = random.Random(seed)
    memory = Store(None, clock=clock, limits=LIMITS)
    start_s = int(clock.now_s)
    truth: dict[int, int] = {}
    for _ in range(300):
        clock.advance(rng.choice([1, 10, 60, 120]))
        second = max(start_s, int(clock.now_s) - rng.choice([0, 0, 0, 2, 50, 5000]))
        n = rng.randint(1, 3)
        truth[second] = truth.get(second, 0) + n
        memory.append([(second, packed(n))], state=b"")
        memory.roll_up(force=True)
    disk = stores.open(1)
    disk.append([(int(clock.now_s), packed(5))], state=b"")
    truth[int(clock.now_s)] = truth.get(int(clock.now_s), 0) + 5
    assert count(disk.read_run()) == 5
    disk.adopt(memory)
    assert count(disk.read_run()) == sum(truth.values())
    assert disk.run_started_s == start_s
    for _ in range(2):
        clock.advance(60)
        disk.roll_up(force=True)
        assert count(disk.read_run()) == sum(truth.values())
        for _ in range(30):
            since_s = rng.randint(start_s, int(clock.now_s))
            reading = disk.read(since_s, rng.randint(since_s + 1, int(clock.now_s) + 1))
            covered = range(int(reading.since_s), int(reading.until_s))
            assert count(reading.slot) == sum(n for second, n in truth.items() if second in covered)
    memory.close()


@pytest.mark.parametrize("shape", ["lognormal", "bimodal", "constant"])
def test_percentiles_are_within_one_percent_over_workers_and_roll_ups(
    stores: Opener, clock: FakeClock, shape: str
) -> None:
    """Three workers, six hours, rolled up as they age: p50, p95, p99 of any window are those of the requests."""
    rng = random.Random(11)
    draw = {
        "lognormal": lambda: rng.lognormvariate(-5, 1),
        "bimodal": lambda: rng.gauss(0.002, 0.0001) if rng.random() < 0.9 else rng.gauss(0.5, 0.05),
        "constant": lambda: 0.0421,
    }[shape]
    workers = [stores.open(pid) for pid in (1, 2, 3)]
    start_s = clock.now_s
    told: list[tuple[int, float]] = []
    for number in range(360):
        second = int(clock.now_s)
        slot = Slot(LIMITS)
        for _ in range(10):
            duration_s = draw()
            slot.route(*KEY).record([observation(time_s=clock.now_s, duration_s=duration_s)])
            told.append((second, duration_s))
        workers[number % 3].append([(second, slot.pack())], state=b"")
        clock.advance(60)
        if number % 30 == 0:
            workers[number % 3].roll_up(force=True)
    workers[0].roll_up(force=True)
    for since_s in (start_s, start_s + 2 * 3600, clock.now_s - 1800):
        reading = workers[1].read(since_s, clock.now_s)
        values = sorted(value for second, value in told if reading.since_s <= second < reading.until_s)
        histogram = reading.slot.routes[KEY].response
        assert histogram.n == len(values) > 100
        for q in (0.5, 0.95, 0.99):
            estimate = histogram.quantile(q)
            assert estimate is not None
            assert math.isclose(estimate, values[nearest_rank(q, len(values)) - 1], rel_tol=0.01)


LEAVING = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_opening_takes_no_locks_away(stores: Opener) -> None:
    """Two stores of one process on one file: nobody else can take the write-ahead log away from under them."""
    stores.open(1)
    stores.open(2)
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(stores.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "database is locked\n"


def test_two_services_share_a_folder(tmp_path: Path, clock: FakeClock) -> None:
    """Two services on one folder have a store each, by name; of one name they are workers of one service."""
    monitors = [
        Monitor(Settings(log_dir=tmp_path, service=name), [], clock=clock)
        for name in ("master", "billing", "master")
    ]
    try:
        assert {"master.metrics.sqlite", "billing.metrics.sqlite"} == {
            monitor.store().path.name for monitor in monitors if monitor.store().path is not None
        }
    finally:
        for monitor in monitors:
            monitor.remove()


def test_a_store_taken_away_is_begun_anew(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleting the file under a running service costs the past, not the future."""
    monitor = Monitor(Settings(log_dir=tmp_path), [], clock=clock)
    monitor.store()
    monitor.settings.store_path.unlink()
    monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
    with caplog.at_level(logging.WARNING), monitor.reading() as store:
        assert count(store.read_run()) == 1
    assert "has gone, begun anew" in caplog.text
    monitor.remove()


def test_a_full_disk_is_survived(tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """What can't be written waits, and is written when it can."""
    monitor = Monitor(Settings(log_dir=tmp_path), [], clock=clock)
    store = monitor.store()
    real = store.append

    def full(*args: object, **kwargs: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store.append = full  # type: ignore[method-assign]
    store.roll_up = full  # type: ignore[method-assign]
    monitor.hub.recorder.request(observation(time_s=clock.now_s), [], [])
    with caplog.at_level(logging.WARNING):
        monitor.flush()
        monitor.roll_up()
        monitor.flush()
    assert caplog.text.count("can't be written") == 1
    assert monitor.store_trouble is not None
    assert monitor.state().faults == 0, "a full disk is no fault of ours"
    store.append = real  # type: ignore[method-assign]
    with monitor.reading():
        assert count(store.read_run()) == 1
    assert monitor.store_trouble is None
    monitor.remove()


def test_damage_found_while_figures_are_made_coarser(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dealt with as damage found at any other time: moved aside, said, begun anew."""
    monitor = Monitor(Settings(log_dir=tmp_path), [], clock=clock)
    store = monitor.store()

    def damaged(*args: object, **kwargs: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    store.roll_up = damaged  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        monitor.roll_up()
    assert "can't be read (database disk image is malformed); moved to" in caplog.text
    assert monitor.store() is not store
    assert monitor.state().faults == 0
    assert len(list(tmp_path.glob("*.unreadable-*"))) == 1
    monitor.remove()


WORKER = """
import sys, time
from pathlib import Path
from monitoring.clock import SystemClock
from monitoring.rollup import Limits
from monitoring.store import Store
from tests.monitoring.test_store import packed
store = Store(Path(sys.argv[1]), clock=SystemClock(), limits=Limits())
for n in range(int(sys.argv[2])):
    store.append([(int(time.time()), packed())], state=b"")
    print(n + 1, flush=True)
    store.roll_up(force=n % 10 == 0)
time.sleep(30)
"""


def test_four_processes_and_a_kill(path: Path) -> None:
    """Four processes write and roll up at once, all are killed: everything they said they had stored is there."""
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(path), "40"], stdout=subprocess.PIPE, cwd=Path.cwd())
        for _ in range(4)
    ]
    stored = 0
    try:
        for worker in workers:
            assert worker.stdout is not None
            for _ in range(40):
                stored = stored + 1 if worker.stdout.readline() else stored
    finally:
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()
    clock = FakeClock(start_s=2_000_000_000.0)
    store = Store(path, clock=clock, limits=LIMITS)
    try:
        assert stored == 160
        assert count(store.read(0, clock.now_s).slot) == 160
    finally:
        store.close()
