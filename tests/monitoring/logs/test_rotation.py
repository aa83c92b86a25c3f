import errno
import fcntl
import gzip
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.logs.compression import Compression
from monitoring.logs.rotation import LOCK_PATIENCE_S, RotatingFile
from tests.monitoring.logs.builders import NOON_S

DAY_S = 86_400.0


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RotatingFile]]:
    """Make files on one path, as several processes would; all are closed in the end."""
    made: list[RotatingFile] = []

    def make(**changes: Any) -> RotatingFile:
        fields: dict[str, Any] = {"max_bytes": 20, "backups": 3, "max_age_s": None, "compress": False}
        file = RotatingFile(tmp_path / "a.log", **fields | changes)
        made.append(file)
        return file

    yield make
    for file in made:
        file.abandon_compression()
        file.close()


@pytest.fixture
def no_room() -> Iterator[Callable[[int | None], None]]:
    """Limit how large this process's files may grow: the nearest thing to a full disk that needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted(folder.iterdir())
    }


def test_lines_are_appended_to_what_is_there(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"before\n")
    assert make().append(b"one\ntwo\n") == (8, None)
    assert contents(tmp_path) == {"a.log": b"before\none\ntwo\n"}


def test_the_folder_is_made(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "x" / "y" / "a.log", max_bytes=20, backups=3, max_age_s=None, compress=False)
    assert file.append(b"one\n") == (4, None)
    file.close()
    assert contents(tmp_path / "x" / "y") == {"a.log": b"one\n"}


def test_a_file_is_filled_to_the_brim_and_never_beyond(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """Twenty bytes hold two lines of ten; the third begins a new file."""
    file = make()
    assert file.append(b"line 0001\nline 0002\n") == (20, None)
    assert contents(tmp_path) == {"a.log": b"line 0001\nline 0002\n"}
    assert file.append(b"line 0003\n") == (10, None)
    assert contents(tmp_path) == {"a.log": b"line 0003\n", "a.log.1": b"line 0001\nline 0002\n"}


def test_a_batch_is_spread_over_as_many_files_as_it_needs(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """The oldest files go when there are more than the backups allow."""
    lines = b"".join(b"line %04d\n" % number for number in range(1, 12))
    assert make(backups=3).append(lines) == (110, None)
    assert contents(tmp_path) == {
        "a.log": b"line 0011\n",
        "a.log.1": b"line 0009\nline 0010\n",
        "a.log.2": b"line 0007\nline 0008\n",
        "a.log.3": b"line 0005\nline 0006\n",
    }


def test_a_line_longer_than_a_file_gets_one_of_its_own(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    long = b"x" * 50 + b"\n"
    assert make().append(b"short 1\n" + long + b"short 2\n") == (67, None)
    assert contents(tmp_path) == {"a.log": b"short 2\n", "a.log.1": long, "a.log.2": b"short 1\n"}


def test_without_backups_only_the_current_file_is_kept(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    make(backups=0).append(b"line 0001\nline 0002\nline 0003\n")
    assert contents(tmp_path) == {"a.log": b"line 0003\n"}


def test_a_missing_number_is_filled_before_anything_is_dropped(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """A process killed in the middle of a rotation leaves such a gap, and costs no file."""
    (tmp_path / "a.log").write_bytes(b"x" * 19 + b"\n")
    (tmp_path / "a.log.1").write_bytes(b"newer\n")
    (tmp_path / "a.log.3").write_bytes(b"oldest\n")
    make().append(b"now\n")
    assert contents(tmp_path) == {
        "a.log": b"now\n",
        "a.log.1": b"x" * 19 + b"\n",
        "a.log.2": b"newer\n",
        "a.log.3": b"oldest\n",
    }


def test_compressed_and_plain_files_move_together(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 19 + b"\n")
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(b"1"))
    (tmp_path / "a.log.2").write_bytes(b"2")
    (tmp_path / "a.log.3.gz").write_bytes(gzip.compress(b"3"))
    make().append(b"now\n")
    assert contents(tmp_path) == {
        "a.log": b"now\n",
        "a.log.1": b"x" * 19 + b"\n",
        "a.log.2.gz": b"1",
        "a.log.3": b"2",
    }


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=60),
    owners=st.lists(st.integers(0, 2), min_size=60, max_size=60),
    max_bytes=st.integers(1, 120),
)
def test_interleaved_writers_lose_and_tear_nothing(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], owners: list[int], max_bytes: int
) -> None:
    """Three writers on one path, in any order: every line once, whole, in order, and no file too large."""
    folder = tmp_path_factory.mktemp("interleaved")
    files = [
        RotatingFile(folder / "a.log", max_bytes=max_bytes, backups=100, max_age_s=None, compress=False)
        for _ in range(3)
    ]
    lines = [b"%d:" % number + b"x" * length + b"\n" for number, length in enumerate(lengths)]
    for line, owner in zip(lines, owners, strict=False):
        assert files[owner].append(line) == (len(line), None)
    for file in files:
        file.close()
    stored = contents(folder)
    in_order = sorted(stored, key=lambda name: -int(name.rpartition(".")[2] if name != "a.log" else 0))
    assert b"".join(stored[name] for name in in_order) == b"".join(lines)
    assert all(len(held) <= max_bytes or held.count(b"\n") == 1 for held in stored.values())


def test_a_new_period_begins_a_new_file(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    now_s = NOON_S
    file = make(max_age_s=DAY_S, clock=lambda: now_s)
    file.append(b"today\n")
    os.utime(tmp_path / "a.log", (NOON_S, NOON_S))
    now_s = NOON_S + DAY_S / 2 - 1
    file.append(b"at 23:59:59\n")
    assert contents(tmp_path) == {"a.log": b"today\nat 23:59:59\n"}
    os.utime(tmp_path / "a.log", (now_s, now_s))
    now_s += 1
    file.append(b"tomorrow\n")
    assert contents(tmp_path) == {"a.log": b"tomorrow\n", "a.log.1": b"today\nat 23:59:59\n"}


def test_a_restart_in_a_later_period_begins_a_new_file(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """The file's own time tells, so nothing needs to be remembered over the restart."""
    (tmp_path / "a.log").write_bytes(b"last week\n")
    os.utime(tmp_path / "a.log", (NOON_S - 7 * DAY_S,) * 2)
    make(max_age_s=DAY_S, clock=lambda: NOON_S).append(b"now\n")
    assert contents(tmp_path) == {"a.log": b"now\n", "a.log.1": b"last week\n"}


@pytest.mark.parametrize("lag_s", [0.01, 3600.0])
def test_a_clock_that_lags_behind_rotates_once(
    make: Callable[..., RotatingFile], tmp_path: Path, lag_s: float
) -> None:
    """The kernel stamps files some milliseconds late, a file server's clock may be far off: no storm follows."""
    midnight_s = NOON_S + DAY_S / 2
    file = make(max_age_s=DAY_S, clock=lambda: midnight_s, max_bytes=1000)
    (tmp_path / "a.log").write_bytes(b"yesterday\n")
    for number in range(3):
        stamp_s = midnight_s - (lag_s if number else DAY_S)
        os.utime(tmp_path / "a.log", (stamp_s, stamp_s))
        file.append(b"line %d\n" % number)
    assert contents(tmp_path) == {"a.log": b"line 0\nline 1\nline 2\n", "a.log.1": b"yesterday\n"}


def test_the_kernels_coarse_clock_does_not_make_a_second_process_rotate_again(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """The first line of a day may be stamped with the last milliseconds of the day before."""
    midnight_s = NOON_S + DAY_S / 2
    (tmp_path / "a.log").write_bytes(b"stamped late\n")
    os.utime(tmp_path / "a.log", (midnight_s - 0.01,) * 2)
    make(max_age_s=DAY_S, clock=lambda: midnight_s + 0.2).append(b"now\n")
    assert contents(tmp_path) == {"a.log": b"stamped late\nnow\n"}


def test_a_clock_that_stepped_back_does_not_rotate(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"future\n")
    os.utime(tmp_path / "a.log", (NOON_S + 9 * DAY_S,) * 2)
    make(max_age_s=DAY_S, clock=lambda: NOON_S).append(b"now\n")
    assert contents(tmp_path) == {"a.log": b"future\nnow\n"}


def test_half_a_line_left_by_a_killed_process_is_ended(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """It stays half, but the next line isn't joined to it."""
    (tmp_path / "a.log").write_bytes(b"half a l")
    assert make().append(b"whole\n") == (6, None)
    assert contents(tmp_path) == {"a.log": b"half a l\nwhole\n"}


def test_half_a_line_by_another_writer_in_between_is_ended(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = make()
    file.append(b"one\n")
    with (tmp_path / "a.log").open("ab") as other:
        other.write(b"ha")
    file.append(b"two\n")
    assert contents(tmp_path) == {"a.log": b"one\nha\ntwo\n"}


def test_a_removed_file_is_made_anew(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """As `logrotate` or a person leaves it."""
    file = make()
    file.append(b"one\n")
    (tmp_path / "a.log").rename(tmp_path / "moved")
    file.append(b"two\n")
    assert contents(tmp_path) == {"a.log": b"two\n", "moved": b"one\n"}


def test_a_stopped_lock_holder_delays_and_then_no_longer_matters(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """Lines are appended after a while all the same; only rotation waits for the lock."""
    (tmp_path / "a.log").write_bytes(b"x" * 19 + b"\n")
    slept_s: list[float] = []
    file = make(sleep=slept_s.append)
    with (tmp_path / "a.log").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert file.append(b"one\n") == (4, None)
        assert contents(tmp_path) == {"a.log": b"x" * 19 + b"\none\n"}
    assert sum(slept_s) == pytest.approx(LOCK_PATIENCE_S, abs=0.001)
    assert file.append(b"two\n") == (4, None)
    assert contents(tmp_path) == {"a.log": b"two\n", "a.log.1": b"x" * 19 + b"\none\n"}


def test_the_lock_is_free_between_appends(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    make().append(b"one\n")
    with (tmp_path / "a.log").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_takes_whole_lines_and_says_how_many(
    make: Callable[..., RotatingFile], tmp_path: Path, no_room: Callable[[int | None], None]
) -> None:
    """What fits in part is taken back, so that the file ends with a whole line."""
    file = make(max_bytes=1000)
    no_room(25)
    written, fault = file.append(b"line 0001\nline 0002\nline 0003\n")
    no_room(None)
    assert (written, fault and fault.errno) == (20, errno.EFBIG)
    assert contents(tmp_path) == {"a.log": b"line 0001\nline 0002\n"}
    assert file.append(b"line 0003\n") == (10, None)
    assert contents(tmp_path) == {"a.log": b"line 0001\nline 0002\nline 0003\n"}


def test_looking_for_room_leaves_the_file_as_it_is(
    make: Callable[..., RotatingFile], tmp_path: Path, no_room: Callable[[int | None], None]
) -> None:
    """A block has to fit, not just the rest of the last one; size and time are as before, and lines go on."""
    file = make(max_bytes=1000)
    file.append(b"one\n")
    os.utime(tmp_path / "a.log", (1_000_000, 2_000_000))
    no_room(4000)
    assert not file.can_append()
    no_room(None)
    assert file.can_append()
    assert contents(tmp_path) == {"a.log": b"one\n"}
    assert (tmp_path / "a.log").stat().st_mtime == 2_000_000
    assert file.append(b"two\n") == (4, None)
    assert contents(tmp_path) == {"a.log": b"one\ntwo\n"}


def test_looking_for_room_where_there_is_no_file(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    assert not make().can_append()
    (tmp_path / "a.log").rmdir()
    (tmp_path / "a.log").symlink_to("/dev/null")
    assert not make().can_append(), "nothing can be taken back from there"
    (tmp_path / "a.log").unlink()
    assert make().can_append()
    assert contents(tmp_path) == {"a.log": b""}


def test_nobody_looks_for_room_in_a_locked_file(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """Without the lock another writer's lines could be taken back too."""
    file = make()
    file.append(b"one\n")
    with (tmp_path / "a.log").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not file.can_append()
    assert file.can_append()


def test_a_folder_that_cannot_be_used_is_a_fault_not_an_exception(tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(b"a file, not a folder")
    file = RotatingFile(tmp_path / "logs" / "a.log", max_bytes=20, backups=3, max_age_s=None, compress=False)
    written, fault = file.append(b"one\n")
    assert (written, fault and fault.errno) == (0, errno.ENOTDIR)
    (tmp_path / "logs").unlink()
    assert file.append(b"one\n") == (4, None)
    file.close()


def test_a_file_that_cannot_be_rotated_grows_and_says_why(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """Better an outgrown file than a lost line; it is rotated as soon as that is possible."""
    obstacle = tmp_path / "a.log.1"
    obstacle.mkdir()
    file = make(backups=1)
    file.append(b"line 0001\nline 0002\n")
    assert file.append(b"line 0003\nline 0004\n") == (20, None)
    refused = file.rotation_fault
    assert refused is not None
    assert (tmp_path / "a.log").read_bytes() == b"line 0001\nline 0002\nline 0003\nline 0004\n"
    obstacle.rmdir()
    file.append(b"line 0005\n")
    assert file.rotation_fault is None
    assert contents(tmp_path) == {
        "a.log": b"line 0005\n",
        "a.log.1": b"line 0001\nline 0002\nline 0003\nline 0004\n",
    }


def test_a_rotated_file_is_compressed_in_slices(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    """With its own time and permissions; until it is whole the uncompressed file stays."""
    (tmp_path / "a.log").write_bytes(b"x" * 3_000_000 + b"\n")
    (tmp_path / "a.log").chmod(0o604)
    os.utime(tmp_path / "a.log", (NOON_S, NOON_S))
    file = make(compress=True)
    file.append(b"now\n")
    steps = 0
    while file.compressing:
        assert (tmp_path / "a.log.1").exists()
        file.compress_some()
        steps += 1
    assert steps == 4
    assert contents(tmp_path) == {"a.log": b"now\n", "a.log.1.gz": b"x" * 3_000_000 + b"\n"}
    status = (tmp_path / "a.log.1.gz").stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (NOON_S, 0o604)
    file.compress_some()
    assert file.append(b"more\n") == (5, None)


def test_a_file_that_moves_on_while_it_is_compressed_keeps_its_place(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """Another process rotates in between: the result stands under the number the file has by then."""
    file, other = make(compress=True), make()
    file.append(b"line 0001\nline 0002\nline 0003\n")
    other.append(b"line 0004\nline 0005\n")
    while file.compressing:
        file.compress_some()
    assert contents(tmp_path) == {
        "a.log": b"line 0005\n",
        "a.log.1": b"line 0003\nline 0004\n",
        "a.log.2.gz": b"line 0001\nline 0002\n",
    }


def test_a_file_that_is_rotated_out_while_it_is_compressed_is_gone(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file, other = make(compress=True, backups=1), make(backups=1)
    file.append(b"line 0001\nline 0002\nline 0003\n")
    other.append(b"line 0004\nline 0005\n")
    while file.compressing:
        file.compress_some()
    assert contents(tmp_path) == {"a.log": b"line 0005\n", "a.log.1": b"line 0003\nline 0004\n"}


def test_a_file_that_grew_while_it_was_compressed_is_left_alone(
    make: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    """Only a writer that had waited in vain for the lock can do that, and its lines must not be lost."""
    file = make(compress=True)
    file.append(b"line 0001\nline 0002\nline 0003\n")
    file.compress_some()
    with (tmp_path / "a.log.1").open("ab") as late:
        late.write(b"late\n")
    while file.compressing:
        file.compress_some()
    assert contents(tmp_path) == {"a.log": b"line 0003\n", "a.log.1": b"line 0001\nline 0002\nlate\n"}


def test_rotating_again_gives_up_the_compression_before(make: Callable[..., RotatingFile], tmp_path: Path) -> None:
    file = make(compress=True)
    file.append(b"line 0001\nline 0002\nline 0003\n")
    file.append(b"line 0004\nline 0005\n")
    while file.compressing:
        file.compress_some()
    assert contents(tmp_path) == {
        "a.log": b"line 0005\n",
        "a.log.1.gz": b"line 0003\nline 0004\n",
        "a.log.2": b"line 0001\nline 0002\n",
    }


def test_a_full_disk_leaves_the_file_uncompressed(
    make: Callable[..., RotatingFile], tmp_path: Path, no_room: Callable[[int | None], None]
) -> None:
    lines = os.urandom(2_000_000).replace(b"\n", b"") + b"\n"
    (tmp_path / "a.log").write_bytes(lines)
    file = make(compress=True)
    file.append(b"now\n")
    no_room(1_000_000)
    while file.compressing:
        file.compress_some()
    no_room(None)
    assert file.compression_fault is not None
    assert file.compression_fault.errno == errno.EFBIG
    assert contents(tmp_path) == {"a.log": b"now\n", "a.log.1": lines}


def test_remains_of_a_killed_compression_are_removed_when_old(tmp_path: Path) -> None:
    log, old, fresh = tmp_path / "a.log", tmp_path / ".a.log.7.1.gz.tmp", tmp_path / ".a.log.8.1.gz.tmp"
    for path in (log, old, fresh):
        path.write_bytes(b"x\n")
    os.utime(old, (NOON_S - 7 * DAY_S, 0))
    Compression(log, log=log).discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.log.8.1.gz.tmp", "a.log"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"max_bytes": 0}, "max_bytes: out of range, got 0, need 1 or more"),
        ({"backups": -1}, "backups: out of range, got -1, need 0 or more"),
        ({"max_age_s": 0.0}, "max_age_s: out of range, got 0.0, need more than 0, or None"),
        ({"max_age_s": float("nan")}, "max_age_s: out of range, got nan, need more than 0, or None"),
    ],
)
def test_limits_out_of_range_are_refused(
    make: Callable[..., RotatingFile], changes: dict[str, float], text: str
) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  # the whole text is compared below
        make(**changes)
    assert str(refusal.value) == text
