"""
The stored form of the history's records: JSON that a person can read, and that differs line by line in git.

Each key stands on a line of its own, each metric and each distribution too. What equals its default is left out,
so a field that is added later changes no old file. Histograms are packed into one line of text; see `pack`.
"""

import math
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from harness.errors import HarnessError, explain
from harness.history_model import HISTORY_SCHEMA_VERSION, Acceptance, HistoryRecord, Metric, Note
from monitoring.histogram import SUB_BUCKETS, Histogram

ID_FORM = "letters, digits, dots, dashes and underscores, a letter or digit first, 120 at most"
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,119}")
_STAMP = "%Y%m%dT%H%M%SZ"
_FIRST_S = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_END_S = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() + 1

T = TypeVar("T", HistoryRecord, Acceptance, Note)


class UnreadableRecordError(Exception):
    """Stored bytes that are no record. The text says why, without saying where."""


class NoSuchRecordError(HarnessError):
    """A history can be read, and holds no record of this id."""


def encode_record(record: HistoryRecord | Acceptance | Note) -> bytes:
    """
    Return the stored form: JSON in UTF-8, a key a line. Equal records give equal bytes.

    JSON has no infinity: it is written as the text ``"inf"``. A value that is no number is unknown, and so null.

    Raises:
        HarnessError: a text in it can't be written as UTF-8.
    """
    try:
        lines = [f"{_json(key)}: {_lines(value)}" for key, value in _plain(record).items()]
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    except UnicodeEncodeError as fault:
        raise HarnessError(
            explain("record", record.id, fault=f"holds text that is none: {fault.reason}")
        ) from fault


def plain_of(record: HistoryRecord | Acceptance | Note | Metric) -> dict[str, Any]:
    """Return a record as plain data, in the order of its fields; what equals its default is left out."""
    plain: dict[str, Any] = _plain(record)
    return plain


def decode_plain(plain: Mapping[str, Any], kind: type[T]) -> T:
    """
    Read what `plain_of` gave, or any JSON of that shape.

    Raises:
        UnreadableRecordError: as `decode_record`.
    """
    return decode_record(msgspec.json.encode(plain), kind)


def decode_record(stored: bytes, kind: type[T], *, histograms: bool = True) -> T:
    """
    Read a stored record.

    Args:
        stored: as `encode_record` wrote it, or any JSON of that shape.
        kind: class of the record.
        histograms: whether these are unpacked, which is most of the work; without, they are empty.

    Raises:
        UnreadableRecordError: torn, foreign, of a newer schema, or with a time or an id that is none.
    """
    try:
        version = msgspec.json.decode(stored, type=_Versioned).schema_version
        if version is not None and version > HISTORY_SCHEMA_VERSION:
            raise UnreadableRecordError(
                f"written by a newer version: schema {version}, this one reads up to {HISTORY_SCHEMA_VERSION}"
            )
        hook = _decode_histogram if histograms else _pass_histogram
        # Not strict only so that "inf" may stand for a number.
        record: T = msgspec.json.decode(stored, type=kind, dec_hook=hook, strict=False)
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise UnreadableRecordError(_why(stored, fault)) from fault
    fault_text = fault_of(record)
    if fault_text is not None:
        raise UnreadableRecordError(fault_text)
    return record


def fault_of(record: HistoryRecord | Acceptance | Note) -> str | None:
    """Return what makes a record unfit to be kept: its id or its time; None for a sound one."""
    if not _ID.fullmatch(record.id):
        return f"its id is no id: {record.id[:130]!r}, need {ID_FORM}"
    try:
        instant_s(record.at_utc)
    except ValueError:
        return f"its time is none: {record.at_utc[:60]!r}, need ISO 8601 such as 2026-11-23T08:30:00Z"
    return None


def instant_s(text: str) -> float:
    """
    Return an ISO 8601 instant as seconds since the Unix epoch; one without an offset is taken as UTC.

    Raises:
        ValueError: the text is no instant, or one that lies outside the years 1 to 9999 in UTC.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC).timestamp()
    seconds = instant.timestamp()
    if not _FIRST_S <= seconds < _END_S:
        raise ValueError(f"{text} is outside the years that UTC can be written in")
    return seconds


def utc_text(instant: datetime) -> str:
    """Return an aware instant as ISO 8601 in UTC, such as ``2026-11-23T08:30:00Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def new_id(instant: datetime, material: bytes | None = None) -> str:
    """
    Return an id that sorts by time.

    Args:
        instant: aware.
        material: what the record was made from, so that importing it twice gives the same id; None draws one.
    """
    suffix = secrets.token_hex(4) if material is None else sha256(material).hexdigest()[:8]
    return f"{instant.astimezone(UTC).strftime(_STAMP)}-{suffix}"


def no_such_record(record_id: str, where: str) -> NoSuchRecordError:
    """Return the error for an id that a history does not hold."""
    return NoSuchRecordError(
        explain("record", record_id, fault=f"not in the history {where}", remedy="harness history list")
    )


def id_is_taken(record_id: str, where: str) -> HarnessError:
    """Return the error for an id under which a history holds something else."""
    return HarnessError(
        explain(
            "record",
            record_id,
            fault=f"the history {where} holds another record of this id, which stays as it is",
            remedy="giving the new one another id",
        )
    )


def pack(histogram: Histogram) -> dict[str, Any]:
    """
    Return a histogram's stored form: its exact figures, and the counts as text.

    Each occupied bucket is one word, in ascending order: the step from the bucket before (the first: its index),
    and ``*count`` where the count is not 1.
    """
    indexes, counts = histogram.packed()
    words = []
    before = 0
    for index, count in sorted(zip(indexes, counts, strict=True)):
        words.append(str(index - before) if count == 1 else f"{index - before}*{count}")
        before = index
    return {
        "sub_buckets": SUB_BUCKETS,
        "n": histogram.n,
        "sum_s": histogram.sum_s,
        "min_s": histogram.min_s,
        "max_s": histogram.max_s,
        "counts": " ".join(words),
    }


def unpack(stored: Mapping[str, Any]) -> Histogram:
    """
    Read the stored form of `pack` back, exactly.

    Raises:
        ValueError: another bucket layout, counts that don't add up, or another form.
    """
    try:
        index, counts = 0, {}
        for word in stored["counts"].split():
            step, _, count = word.partition("*")
            index += int(step)
            counts[str(index)] = int(count or 1)
        return Histogram.from_json({**stored, "counts": counts})
    except (KeyError, AttributeError, TypeError) as fault:
        raise ValueError(f"histogram: another form, {fault}") from fault


class _Versioned(msgspec.Struct):
    schema_version: int | None = None


def _why(stored: bytes, fault: Exception) -> str:
    if not stored.strip(b"\0 \r\n\t"):
        return "empty"
    if b"\n<<<<<<< " in b"\n" + stored:
        return "holds the marks of an unsettled merge"
    if "truncated" in str(fault):
        return "torn: it ends in the middle"
    return f"no such record: {fault}"


def _plain(value: Any) -> Any:
    """Return plain data: what has its default left out, mappings in the order of their keys."""
    if isinstance(value, Histogram):
        return _plain(pack(value))
    if is_dataclass(value):
        return {name: _plain(item) for name, item in _told(value)}
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)} if value else {}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain_scalar(value.value if isinstance(value, Enum) else value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _told(record: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        value = getattr(record, field.name)
        if value != _default(field):
            yield field.name, value


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(_json(item) for item in value) + "\n]"
    return _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _decode_histogram(kind: type, stored: Any) -> Any:
    if kind is Histogram:
        return unpack(stored)
    raise NotImplementedError(f"no stored form for {kind.__name__}")


def _pass_histogram(kind: type, stored: Any) -> Any:
    return _decode_histogram(kind, stored) if kind is not Histogram else Histogram()
