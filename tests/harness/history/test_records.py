"""The stored form: whole, equal for equal records, readable later and by others; what is none says why."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.cli import main
from harness.errors import HarnessError
from harness.history.records import (
    UnreadableRecordError,
    decode_record,
    encode_record,
    instant_s,
    new_id,
    pack,
    unpack,
)
from harness.history.records_schema import history_record_schema
from harness.history_model import Acceptance, HistoryRecord, Note
from monitoring.histogram import Histogram
from tests.harness.history.support import acceptance, distribution, metric, note, record

SCHEMA = Path(harness.__file__).parent / "schemas" / "history-record.schema.json"


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_a_histogram_survives_packing(values: list[float]) -> None:
    histogram = Histogram.of(values)
    assert histogram == unpack(json.loads(json.dumps(pack(histogram))))


def test_a_packed_histogram_is_short() -> None:
    """A run of 300 polls takes about four characters a bucket."""
    counts = pack(Histogram.of(0.004 * (1 + i / 300) for i in range(300)))["counts"]
    assert 300 == sum(int(word.partition("*")[2] or 1) for word in counts.split())
    assert len(counts) < 350


@given(
    value=st.one_of(st.none(), st.floats(allow_nan=False)),
    text=st.text(st.characters(codec="utf-8")),
    dirty=st.one_of(st.none(), st.booleans()),
)
def test_a_record_survives_storing(*, value: float | None, text: str, dirty: bool | None) -> None:
    original = record(
        0,
        metric(value, subject=text, extra={"said": text}),
        notes=(text,),
        dirty=dirty,
        distributions=(distribution(),),
        extra={text: text},
    )
    assert original == decode_record(encode_record(original), HistoryRecord)


def test_acceptances_and_notes_survive_storing() -> None:
    assert acceptance() == decode_record(encode_record(acceptance()), Acceptance)
    assert note() == decode_record(encode_record(note()), Note)


def test_what_is_unknown_is_left_out_and_what_has_no_end_is_text() -> None:
    stored = json.loads(encode_record(record(0, metric(math.inf, quantile=0.99), branch=None)))
    assert "branch" not in stored
    assert "inf" == stored["metrics"][0]["value"]


def test_no_number_is_stored_as_unknown() -> None:
    stored = decode_record(encode_record(record(0, metric(math.nan))), HistoryRecord)
    assert None is stored.metrics[0].value


def test_one_metric_takes_one_line() -> None:
    """So that a difference in git names the figure."""
    lines = encode_record(record(0, metric(1.0), metric(2.0, quantile=0.5))).decode().splitlines()
    assert 2 == sum('"response_time"' in line for line in lines)


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"", "empty"),
        (b"\0\0\0\n", "empty"),
        (encode_record(record())[:-40], "torn: it ends in the middle"),
        (b"<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n", "holds the marks of an unsettled merge"),
        (b'{"schema_version": 99}', "written by a newer version: schema 99, this one reads up to 1"),
        (b'{"schema_version": 1}', "no such record: Object missing required field `id`"),
        (b"[1, 2]", "no such record: Expected `object`, got `array`"),
        (b"\xff\xfe", "no such record: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_what_is_no_record_says_why(stored: bytes, why: str) -> None:
    with pytest.raises(UnreadableRecordError) as fault:
        decode_record(stored, HistoryRecord)
    assert why in str(fault.value)


@pytest.mark.parametrize("id_", ["", "../../etc", "a/b", ".hidden", "x" * 121, "a b", "ä"])
def test_an_id_that_is_no_file_name_is_refused(id_: str) -> None:
    stored = encode_record(replace(record(), id="fine")).replace(b'"fine"', json.dumps(id_).encode())
    with pytest.raises(UnreadableRecordError, match="its id is no id"):
        decode_record(stored, HistoryRecord)


def test_a_time_that_is_none_is_refused() -> None:
    stored = encode_record(record()).replace(b"2026-11-01T08:30:00Z", b"yesterday")
    with pytest.raises(UnreadableRecordError, match="its time is none: 'yesterday', need ISO 8601"):
        decode_record(stored, HistoryRecord)


def test_counts_that_do_not_add_up_are_refused() -> None:
    stored = encode_record(record(0, distributions=(distribution(),)))
    with pytest.raises(UnreadableRecordError, match="histogram: torn, counts add up to 3, not 7"):
        decode_record(stored.replace(b'"n":3', b'"n":7'), HistoryRecord)


def test_text_that_is_none_is_our_error() -> None:
    with pytest.raises(HarnessError, match=r"record '.*': holds text that is none: surrogates not allowed"):
        encode_record(replace(record(), branch="\ud800"))


def test_ids_sort_by_time_and_follow_from_what_they_are_made_of() -> None:
    early, late = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    assert new_id(early, b"x") == new_id(early, b"x") != new_id(early, b"y")
    assert new_id(early) != new_id(early)
    assert new_id(early, b"x").startswith("20260102T000000Z-")
    assert new_id(early) < new_id(late)


def test_a_time_without_offset_is_utc() -> None:
    assert instant_s("2026-11-01T08:30:00Z") == instant_s("2026-11-01T08:30:00")
    assert instant_s("2026-11-01T08:30:00Z") == instant_s("2026-11-01T09:30:00+01:00")


def test_the_published_schema_is_that_of_the_records(request: pytest.FixtureRequest) -> None:
    """After a change of the records: pytest --update, and think of those who read the old files."""
    current = json.dumps(history_record_schema(), indent=1, ensure_ascii=False) + "\n"
    if request.config.getoption("--update"):
        SCHEMA.write_text(current, encoding="utf-8")
    assert current == SCHEMA.read_text(encoding="utf-8")


def test_the_command_prints_the_schema_of_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["schema", "history-record"])
    assert SCHEMA.read_text(encoding="utf-8") == capsys.readouterr().out
