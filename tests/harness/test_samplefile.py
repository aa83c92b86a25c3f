"""Samples straight into columns: the same as one by one, whatever the file holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.columns import columns_of
from harness.errors import HarnessError
from harness.model import PENDING_ROUTE, Sample, SampleHeader, ServerTiming
from harness.rundir import encode, read_samples
from harness.samplefile import POLLED, ColumnsBuilder, read_columns

HEADER = SampleHeader(
    schema_version=1,
    origin_utc="2026-11-23T08:00:00+00:00",
    host="http://127.0.0.1:8000",
    scenario="agent-polling",
    agents=50,
    interval_s=10.0,
    seed=1,
    phase_model="uniform",
)
SAMPLE = Sample(
    agent="node-0",
    name=PENDING_ROUTE,
    method="GET",
    intended_start_s=1.0,
    start_s=1.1,
    end_s=1.2,
    status=200,
    error=None,
    bytes_in=2,
    new_connection=True,
    request_id="r",
    server=ServerTiming(handler_s=0.01, database_s=None, pool_wait_s=0.001),
)
LINE = encode(SAMPLE)
ARRAYS = [
    name
    for name in columns_of([SAMPLE]).__slots__
    if name not in {"agents", "error_kinds", "extra", "missed", "connect_s"}
]


def write(folder: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path = folder / "samples.jsonl"
    path.write_bytes(b"\n".join((encode(HEADER), *lines)) + end)
    return path


def same(expected, found):
    assert (expected.agents, expected.error_kinds) == (found.agents, found.error_kinds)
    for name in ARRAYS:
        assert getattr(expected, name).dtype == getattr(found, name).dtype, name
        np.testing.assert_array_equal(getattr(expected, name), getattr(found, name), err_msg=name)
    np.testing.assert_array_equal(
        np.zeros(len(expected), dtype=bool) if expected.extra is None else expected.extra,
        np.zeros(len(found), dtype=bool) if found.extra is None else found.extra,
    )
    assert (expected.connect_s is None) == (found.connect_s is None)
    if expected.connect_s is not None:
        np.testing.assert_array_equal(expected.connect_s, found.connect_s)
    assert (expected.missed is None) == (found.missed is None)
    if expected.missed is not None:
        same(expected.missed, found.missed)


times = st.floats(0, 1e6)
samples = st.builds(
    lambda agent, start_s, took_s, status, error, opened, server, extra, missed_s, connect_s: replace(
        SAMPLE,
        agent=agent,
        intended_start_s=start_s,
        start_s=start_s,
        end_s=start_s + took_s,
        status=status,
        error=error,
        new_connection=opened,
        server=server,
        extra=extra,
        missed_s=missed_s,
        connect_s=connect_s,
    ),
    st.sampled_from(["node-0", "node-1", "nœud"]),
    st.sampled_from([0.0, 1.0, 2.0]) | times,
    times,
    st.none() | st.sampled_from([200, 500]),
    st.none() | st.sampled_from(["timeout", "http-500"]),
    st.none() | st.booleans(),
    st.none()
    | st.builds(ServerTiming, handler_s=times, database_s=st.none() | times, pool_wait_s=st.none() | times),
    st.booleans(),
    st.just(()) | st.lists(times, max_size=3).map(tuple),
    st.none() | times,
)


@given(st.lists(samples, max_size=30))
def test_a_builder_makes_the_same_columns_as_one_at_a_time(given):
    builder = ColumnsBuilder()
    for start in range(0, len(given), 7):
        assert 0 == builder.add(given[start : start + 7])
    same(columns_of(given), builder.columns(forget=False))
    same(columns_of(given), builder.columns())
    assert 0 == len(builder.columns())


def test_what_was_looked_at_stays_as_it_was_when_more_comes_in():
    """In order of their starts, so that no column has to be put into another order, which would copy it."""
    rows = [replace(SAMPLE, agent=f"node-{i}", start_s=i + 1.1, end_s=i + 2.0) for i in range(3)]
    builder = ColumnsBuilder()
    looks = []
    for row in rows:
        builder.add([row])
        looks.append(builder.columns(forget=False))
    for n, look in enumerate(looks, 1):
        same(columns_of(rows[:n]), replace(look, agents=look.agents[:n]))


def test_one_odd_sample_between_two_alike_is_seen():
    """Of a chunk whose values are all the same only one is stored: the ends alone don't tell that."""
    odd = replace(
        SAMPLE,
        status=None,
        error="timeout",
        new_connection=None,
        extra=True,
        connect_s=0.5,
        server=ServerTiming(handler_s=0.5, database_s=0.25, pool_wait_s=None),
    )
    rows = [replace(sample, start_s=start_s) for start_s, sample in enumerate((SAMPLE, odd, SAMPLE), 1)]
    for order in (rows, [rows[1], rows[0], replace(rows[1], start_s=3.0)]):
        builder = ColumnsBuilder()
        builder.add([replace(row, end_s=9.0) for row in order])
        same(columns_of([replace(row, end_s=9.0) for row in order]), builder.columns())


def test_missed_polls_keep_to_the_poll_sent_in_their_stead_when_others_are_left_out(tmp_path):
    """The first line has impossible times; an impossible instant is left out by itself."""
    lines = (
        replace(SAMPLE, start_s=9.0, end_s=8.0, missed_s=(1.0,)),
        replace(SAMPLE, agent="late", start_s=8.0, end_s=9.0, missed_s=(2.0, -1.0)),
        replace(SAMPLE, agent="first", start_s=7.0, end_s=7.5),
    )
    stored = read_columns(write(tmp_path, *map(encode, lines)))
    missed = stored.polled.missed
    assert 1 == stored.torn_lines
    assert missed is not None
    assert [("late", 2.0, 9.0)] == [
        (missed.agents[agent], intended_s, end_s)
        for agent, intended_s, end_s in zip(missed.agent, missed.intended_start_s, missed.end_s, strict=True)
    ]


def test_a_file_of_many_chunks_is_read_whole(tmp_path):
    """Two megabytes, so that chunks end in the middle of lines."""
    lines = [replace(SAMPLE, agent=f"node-{i % 7}", start_s=i / 10, end_s=i / 10 + 1) for i in range(8000)]
    path = write(tmp_path, *map(encode, lines))
    stored = read_columns(path)
    assert (HEADER, 0, [POLLED]) == (stored.header, stored.torn_lines, list(stored.routes))
    same(columns_of(read_samples(path).samples), stored.polled)


def test_routes_are_told_apart_by_method_and_template(tmp_path):
    others = [replace(SAMPLE, name="/api/agents", method=method) for method in ("POST", "GET", "POST")]
    stored = read_columns(write(tmp_path, LINE, *map(encode, others), LINE))
    assert {POLLED: 2, "POST /api/agents": 2, "GET /api/agents": 1} == {
        key: len(columns) for key, columns in stored.routes.items()
    }


@pytest.mark.parametrize(
    "damaged",
    [
        LINE[:40],
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        LINE.replace(b'"end_s":1.2', b'"end_s":NaN'),
        LINE.replace(b'"end_s":1.2', b'"end_s":0.5'),
        LINE.replace(b'"end_s":1.2', b'"end_s":1e400'),
        LINE.replace(b'"start_s":1.1', b'"start_s":-1'),
        LINE.replace(b'"bytes_in":2', b'"bytes_in":99999999999999999999'),
        LINE.replace(b'"bytes_in":2', b'"bytes_in":-2'),
        LINE.replace(b'"status":200', b'"status":"OK"'),
        LINE.replace(b'"agent":"node-0"', b'"agent":null'),
        LINE.replace(b'"agent":"node-0"', b'"agent":"\xff"'),
    ],
    ids=range(13),
)
def test_a_damaged_line_is_left_out_and_counted(tmp_path, damaged):
    stored = read_columns(write(tmp_path, LINE, damaged, LINE))
    assert (2, 1) == (len(stored.polled), stored.torn_lines)


def test_a_line_that_is_no_text_is_left_out_one_by_one_too(tmp_path):
    one_by_one = read_samples(write(tmp_path, LINE, LINE.replace(b'"agent":"node-0"', b'"agent":"\xff"'), LINE))
    assert (2, 1) == (len(one_by_one.samples), one_by_one.torn_lines)


def test_a_line_cut_off_at_the_end_is_counted(tmp_path):
    stored = read_columns(write(tmp_path, LINE, LINE[:-20], end=b""))
    assert (1, 1) == (len(stored.polled), stored.torn_lines)


def test_an_empty_line_is_nothing(tmp_path):
    stored = read_columns(write(tmp_path, LINE, b"", b"{", b" ", LINE))
    assert (2, 1) == (len(stored.polled), stored.torn_lines)


def test_a_header_alone_is_a_run_without_polls(tmp_path):
    stored = read_columns(write(tmp_path))
    assert (0, 0, {}) == (len(stored.polled), stored.torn_lines, dict(stored.routes))


def test_megabytes_without_the_end_of_a_line_are_one_torn_line(tmp_path):
    stored = read_columns(write(tmp_path, LINE, b"\x00" * 5_000_000))
    assert (1, 1) == (len(stored.polled), stored.torn_lines)


def test_what_is_no_samples_file_is_said(tmp_path):
    path = tmp_path / "samples.jsonl"
    with pytest.raises(HarnessError, match="can't be read: No such file"):
        read_columns(path)
    path.write_bytes(b"")
    with pytest.raises(HarnessError, match="not a SampleHeader record"):
        read_columns(path)
    path.write_bytes(encode(replace(HEADER, schema_version=99)) + b"\n")
    with pytest.raises(HarnessError, match="written by a newer version of the harness"):
        read_columns(path)


def test_a_window_without_holes_is_a_view():
    columns = columns_of(
        [replace(SAMPLE, intended_start_s=float(i), start_s=i + 0.1, end_s=i + 0.2) for i in range(9)]
    )
    assert np.shares_memory(columns.start_s, columns.window(2.0, 5.0).start_s)
    assert [2.0, 3.0, 4.0] == columns.window(2.0, 5.0).intended_start_s.tolist()
    scattered = columns.where(columns.intended_start_s % 2 == 0)
    assert [0.0, 2.0, 4.0, 6.0, 8.0] == scattered.intended_start_s.tolist()
    assert 0 == len(columns.window(100.0, 200.0))
