import fcntl
import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.logs.files import rotated_files
from monitoring.logs.lines import LogLine, as_text, format_log, format_query, format_request, instant
from monitoring.logs.reader import Coverage, LogReading, LogRow, QueryRow
from monitoring.logs.rotation import RotatingFile
from tests.monitoring.logs.builders import NOON_S, query, request

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def line(after_s: float, **changes: Any) -> bytes:
    """One request that was over so long after noon."""
    return format_request(request(time_s=NOON_S + after_s, duration_s=0.0, **changes)) + b"\n"


def read(path: Path, **bounds: Any) -> tuple[list[float], Coverage]:
    """Return the rows' times as seconds after noon, and the coverage."""
    reading = LogReading(path, LogRow, **bounds)
    times = [(row.time - NOON).total_seconds() for rows in reading for row in rows]
    return times, reading.coverage


def test_a_request_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(format_request(request(status=500, exception="KeyError")) + b"\n")
    (rows,) = LogReading(tmp_path / "a.log", LogRow)
    assert rows == [
        LogRow(
            time=NOON + timedelta(microseconds=4213),
            level="ERROR",
            logger="monitoring.request",
            method="GET",
            route="/api/deployments/pending/{agent_id}",
            status=500,
            duration_ms=4.213,
            agent="agent-0042",
            exception="KeyError",
        )
    ]


def test_a_logged_message_comes_back_beside_the_requests(tmp_path: Path) -> None:
    logged = LogLine(
        time=instant(NOON_S), level="ERROR", logger="master", message="no", source="a.py:1", exception="KeyError"
    )
    (tmp_path / "a.log").write_bytes(format_log(logged) + b"\n")
    (rows,) = LogReading(tmp_path / "a.log", LogRow)
    assert rows == [LogRow(time=NOON, level="ERROR", logger="master", message="no", exception="KeyError")]


def test_a_statement_comes_back(tmp_path: Path) -> None:
    observation = query(slow=True, error="DataError", duration_s=1.5, rows=None)
    (tmp_path / "q.log").write_bytes(format_query(observation) + b"\n")
    (rows,) = LogReading(tmp_path / "q.log", QueryRow)
    assert rows == [
        QueryRow(
            time=NOON + timedelta(seconds=1.5),
            level="ERROR",
            logger="monitoring.query",
            statement="SELECT 1",
            duration_ms=1500.0,
            slow=True,
            route="/api/health",
            exception="DataError",
        )
    ]


def test_no_file_is_an_answer(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere" / "a.log") == ([], Coverage())
    assert read(tmp_path / "a.log") == ([], Coverage())


def test_an_empty_file_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    (tmp_path / "a.log.1").touch()
    assert read(tmp_path / "a.log") == ([], Coverage(files_read=2))


def test_rotated_and_compressed_files_are_read_oldest_first(tmp_path: Path) -> None:
    """Eleven comes before two, whatever the alphabet says; other names are other files."""
    for name, after_s in (("a.log", 5), ("a.log.1", 4), ("a.log.2", 3), ("a.log.11", 1)):
        (tmp_path / name).write_bytes(line(after_s))
    (tmp_path / "a.log.3.gz").write_bytes(gzip.compress(line(2)))
    for name in ("aXlog", "a.log.old", "a.log.1.bz2", "b.log", ".a.log.1.2.gz.tmp"):
        (tmp_path / name).write_bytes(line(0))
    times, coverage = read(tmp_path / "a.log")
    assert times == [1, 2, 3, 4, 5]
    assert coverage == Coverage(
        held_since=NOON + timedelta(seconds=1),
        held_until=NOON + timedelta(seconds=5),
        files_read=5,
        bytes_read=4 * len(line(1)) + (tmp_path / "a.log.3.gz").stat().st_size,
        lines=5,
        rows=5,
    )


def test_copied_files_without_a_current_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_bytes(line(1))
    assert read(tmp_path / "a.log")[0] == [1]


def test_of_two_forms_of_one_file_the_uncompressed_is_read(tmp_path: Path) -> None:
    """A process was killed between making the one and removing the other: nothing counts twice."""
    for order in ("1", "2"):
        (tmp_path / f"a.log.{order}").write_bytes(line(1))
        (tmp_path / f"a.log.{order}.gz").write_bytes(gzip.compress(line(1)))
    assert [path.name for path in rotated_files(tmp_path / "a.log")] == ["a.log.2", "a.log.1"]


def test_bounds_are_inclusive_and_cut_lines_within_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"".join(line(after_s) for after_s in range(10)))
    times, coverage = read(
        tmp_path / "a.log", since=NOON + timedelta(seconds=3), until=NOON + timedelta(seconds=6)
    )
    assert times == [3, 4, 5, 6]
    assert (coverage.lines, coverage.rows) == (10, 4)


@pytest.mark.parametrize("compressed", [False, True])
def test_files_outside_of_the_window_are_not_read(tmp_path: Path, compressed: bool) -> None:  # noqa: FBT001  # table
    """Only their first and last lines are looked at; those still tell how far back the logs reach."""
    day_s = 24 * 3600
    for number, day in ((4, 0), (3, 1), (2, 2), (1, 3)):
        content = line(day * day_s) + line(day * day_s + 80_000)
        if compressed:
            (tmp_path / f"a.log.{number}.gz").write_bytes(gzip.compress(content))
        else:
            (tmp_path / f"a.log.{number}").write_bytes(content)
    (tmp_path / "a.log").write_bytes(line(4 * day_s))
    times, coverage = read(tmp_path / "a.log", since=NOON + 36 * HOUR, until=NOON + 70.9 * HOUR)
    assert times == [day_s + 80_000, 2 * day_s, 2 * day_s + 80_000]
    # The end of a compressed file is known from the begin of the next.
    assert (coverage.files_read, coverage.files_skipped) == (2, 3)
    assert (coverage.held_since, coverage.held_until) == (NOON, NOON + 96 * HOUR)
    assert coverage.lines == 4


def test_a_file_whose_last_lines_are_torn_is_still_placed_in_time(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_bytes(b"torn\n" + line(0) + line(1) + b'{"time":"2026-')
    (tmp_path / "a.log").write_bytes(line(7200))
    assert read(tmp_path / "a.log", since=NOON + 1.1 * HOUR)[1].files_skipped == 1


def test_a_file_without_a_readable_line_is_read_to_count_them(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_bytes(b"foreign\n")
    (tmp_path / "a.log").write_bytes(line(7200))
    assert read(tmp_path / "a.log", since=NOON + 1.1 * HOUR)[1].bad_lines == 1


def test_a_line_a_little_out_of_place_is_found(tmp_path: Path) -> None:
    """Processes write in batches: a file may begin with lines older than the end of the one before."""
    (tmp_path / "a.log.1").write_bytes(line(0) + line(100))
    (tmp_path / "a.log").write_bytes(line(101) + line(99.5))
    assert read(tmp_path / "a.log", until=NOON + timedelta(seconds=99.9))[0] == [0, 99.5]


def test_a_clock_set_back_hides_nothing(tmp_path: Path) -> None:
    """By less than an hour: the file ends before the window begins, and yet has lines in it."""
    (tmp_path / "a.log.1").write_bytes(line(0) + line(1800) + line(300))
    (tmp_path / "a.log").write_bytes(line(400) + line(2000))
    assert read(tmp_path / "a.log", since=NOON + timedelta(seconds=1000))[0] == [1800, 2000]


TORN = {
    "torn": b'{"time":"2026-11-23T12:00:00.000000Z","level":"INFO","logger":"mon\n',
    "another tool's text": b'127.0.0.1 - - [23/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 12\n',
    "another tool's JSON": b'{"ts":1795435200,"msg":"hello"}\n',
    "JSON, but no object": b"[1, 2]\n",
    "a time without a zone": b'{"time":"2026-11-23T12:00:00","level":"INFO","logger":"x"}\n',
    "a time that is none": b'{"time":"noon","level":"INFO","logger":"x"}\n',
    "a status that is no number": line(1).replace(b'"status":200', b'"status":"200"'),
    "zeros after a crash": b"\0" * 4096 + b"\n",
    "no UTF-8": line(1).replace(b"agent-0042", b"agent-\xff\xfe"),
    "nested beyond reason": b'{"a":' * 100_000 + b"\n",
    "two lines run together": line(1)[:-40] + line(1),
    "longer than any of ours": b"x" * 3_000_000 + b"\n",
}


@pytest.mark.parametrize("bad", TORN.values(), ids=TORN.keys())
@pytest.mark.parametrize("place", ["first", "between", "last", "last without newline"])
def test_a_line_that_is_none_of_ours_is_counted_and_costs_no_other(tmp_path: Path, bad: bytes, place: str) -> None:
    good = [line(after_s) for after_s in range(3)]
    good.insert({"first": 0, "between": 1}.get(place, 3), bad[:-1] if place.endswith("newline") else bad)
    (tmp_path / "a.log").write_bytes(b"".join(good))
    times, coverage = read(tmp_path / "a.log")
    assert times == [0, 1, 2]
    assert (coverage.lines, coverage.bad_lines, coverage.text_lines) == (4, 1, 0)


def test_a_last_line_without_newline_counts_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(line(0) + line(1).rstrip())
    assert read(tmp_path / "a.log")[0] == [0, 1]


def test_empty_lines_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\n\n" + line(0) + b"\r\n\n" + b"torn\n" + line(1) + b"\n")
    times, coverage = read(tmp_path / "a.log")
    assert times == [0, 1]
    assert (coverage.lines, coverage.bad_lines) == (3, 1)


def test_lines_of_the_text_form_are_counted_apart(tmp_path: Path) -> None:
    """They are for people; a report over them must say so and not look empty for no reason."""
    lines = [
        format_request(request(), form=as_text),
        format_query(query(), form=as_text),
        format_log(
            LogLine(time=instant(NOON_S), level="INFO", logger="a b", message="x", source="y"), form=as_text
        ),
    ]
    (tmp_path / "a.log").write_bytes(b"\n".join(lines) + b"\n" + line(1))
    times, coverage = read(tmp_path / "a.log")
    assert times == [1]
    assert (coverage.lines, coverage.text_lines, coverage.bad_lines) == (4, 3, 0)


@pytest.mark.parametrize(
    ("damage", "reason", "kept"),
    [
        pytest.param(
            lambda packed: packed[: len(packed) // 2],
            "ends in the middle of its compressed data",
            1,
            id="cut off",
        ),
        pytest.param(lambda _: b"", "ends in the middle of its compressed data", 0, id="empty"),
        pytest.param(
            lambda _: b"not gzip",
            "Error -3 while decompressing data: incorrect header check",
            0,
            id="no gzip at all",
        ),
        pytest.param(
            lambda packed: packed[:-8] + b"\0" * 8,
            "Error -3 while decompressing data: incorrect data check",
            1,
            id="a wrong checksum",
        ),
    ],
)
def test_a_damaged_archive_gives_what_it_has_and_is_named(
    tmp_path: Path, damage: Any, reason: str, kept: int
) -> None:
    content = b"".join(line(after_s, request_id=os.urandom(8).hex()) for after_s in range(2000))
    (tmp_path / "a.log.1.gz").write_bytes(damage(gzip.compress(content)))
    (tmp_path / "a.log").write_bytes(line(5000))
    times, coverage = read(tmp_path / "a.log")
    assert times[-1] == 5000
    assert (len(times) > 500) == bool(kept)
    assert times[:-1] == list(range(len(times) - 1))
    assert coverage.damaged == (f"a.log.1.gz: {reason}",)


def test_joined_archives_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(line(0)) + gzip.compress(line(1)))
    times, coverage = read(tmp_path / "a.log")
    assert (times, coverage.damaged) == ([0, 1], ())


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").mkdir()
    (tmp_path / "a.log").write_bytes(line(0))
    times, coverage = read(tmp_path / "a.log")
    assert (times, coverage.damaged) == ([0], ("a.log.1: Is a directory",))


def test_a_current_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    (tmp_path / "a.log.1").write_bytes(line(0))
    times, coverage = read(tmp_path / "a.log")
    assert (times, coverage.damaged) == ([0], ("a.log: Is a directory",))


def test_a_rotation_while_reading_neither_hides_nor_repeats_a_line(tmp_path: Path) -> None:
    """The files are those of the instant they were opened, whatever becomes of their names."""
    writer = RotatingFile(tmp_path / "a.log", max_bytes=2000, backups=3, max_age_s=None, compress=False)
    for after_s in range(20):
        writer.append(line(after_s))
    held = sum(path.read_bytes().count(b"\n") for path in tmp_path.iterdir())
    reading = iter(LogReading(tmp_path / "a.log", LogRow))
    times = [row.time for row in next(reading)]
    for after_s in range(20, 60):
        writer.append(line(after_s))
    times += [row.time for rows in reading for row in rows]
    writer.close()
    assert times == [NOON + timedelta(seconds=after_s) for after_s in range(20 - held, 20)]


def test_lines_that_arrive_while_reading_are_for_the_next_time(tmp_path: Path) -> None:
    """Half a line of a write under way is never seen, and a busy service can't keep a reader for ever."""
    (tmp_path / "a.log.1").write_bytes(line(0))
    (tmp_path / "a.log").write_bytes(line(1))
    reading = LogReading(tmp_path / "a.log", LogRow)
    rows = iter(reading)
    next(rows)
    with (tmp_path / "a.log").open("ab") as writer:
        writer.write(line(2) + line(3)[:50])
    assert [row.time for rest in rows for row in rest] == [NOON + timedelta(seconds=1)]
    assert (reading.coverage.lines, reading.coverage.bad_lines) == (2, 0)


def test_reading_goes_on_without_the_lock_when_a_stopped_writer_holds_it(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(line(0))
    slept_s: list[float] = []
    with (tmp_path / "a.log").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        times, _ = read(tmp_path / "a.log", sleep=slept_s.append)
    assert times == [0]
    assert sum(slept_s) == pytest.approx(1.0, abs=0.01)


def test_writers_are_not_locked_out_while_rows_are_folded(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(line(0))
    reading = iter(LogReading(tmp_path / "a.log", LogRow))
    next(reading)
    with (tmp_path / "a.log").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(reading) == []


def test_progress_is_known_while_reading(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_bytes(line(0))
    (tmp_path / "a.log").write_bytes(line(1) * 2)
    reading = LogReading(tmp_path / "a.log", LogRow)
    seen = [(reading.bytes_done, reading.bytes_total) for _ in reading]
    assert seen == [(len(line(0)), 3 * len(line(0))), (3 * len(line(0)),) * 2]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Rows come in lists of one chunk each."""
    (tmp_path / "a.log").write_bytes(line(0) * 5000)
    sizes = [len(rows) for rows in LogReading(tmp_path / "a.log", LogRow)]
    assert sum(sizes) == 5000
    assert max(sizes) * len(line(0)) <= (1 << 17) + len(line(0))


def test_a_bound_without_time_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^since: no time zone, got 2026-11-23T12:00:00, need an aware time$"):
        LogReading(tmp_path / "a.log", LogRow, since=NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("held_since", "held_until", "ratio"),
    [
        pytest.param(NOON - HOUR, NOON + 9 * HOUR, 1.0, id="more than the window"),
        pytest.param(NOON + HOUR, NOON + 9 * HOUR, 0.75, id="the first hour is gone"),
        pytest.param(NOON - HOUR, NOON + HOUR, 0.25, id="nothing after the first hour"),
        pytest.param(NOON + 5 * HOUR, NOON + 6 * HOUR, 0.0, id="only later"),
        pytest.param(None, None, 0.0, id="nothing at all"),
    ],
)
def test_the_held_part_of_a_window(held_since: datetime | None, held_until: datetime | None, ratio: float) -> None:
    coverage = Coverage(held_since=held_since, held_until=held_until)
    assert coverage.held_ratio(NOON, NOON + 4 * HOUR) == ratio


def test_an_empty_window_has_no_parts() -> None:
    assert Coverage(held_since=NOON, held_until=NOON).held_ratio(NOON, NOON) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 4000).map(float),
            st.binary(max_size=40).filter(lambda data: data.strip(b"\n").strip() != b""),
        ),
        max_size=40,
    ),
    st.integers(300, 3000),
    st.sets(st.integers(1, 12)),
)
def test_any_mixture_of_lines_and_junk_over_any_files_is_read(
    tmp_path_factory: pytest.TempPathFactory, parts: list[float | bytes], max_bytes: int, packed: set[int]
) -> None:
    """Every good line comes back, in order, however the files are cut and which are compressed."""
    folder = tmp_path_factory.mktemp("mixture")
    writer = RotatingFile(folder / "a.log", max_bytes=max_bytes, backups=99, max_age_s=None, compress=False)
    for part in parts:
        writer.append(line(part) if isinstance(part, float) else part.replace(b"\n", b" ") + b"\n")
    writer.close()
    for number in packed:
        path = folder / f"a.log.{number}"
        if path.exists():
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    times, coverage = read(folder / "a.log")
    assert times == [part for part in parts if isinstance(part, float)]
    assert coverage.bad_lines == sum(
        isinstance(part, bytes) and part.replace(b"\n", b" ").strip() != b"" for part in parts
    )


def test_rows_are_small() -> None:
    """A row holds what reports need, and isn't tracked by the garbage collector."""
    assert not LogRow.__struct_config__.gc
    assert len(msgspec.structs.fields(LogRow)) == 10
