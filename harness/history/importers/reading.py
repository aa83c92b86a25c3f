"""What every importer needs: the file, its content as data, and the record and the account made of it."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness.history.records import encode_record, new_id, utc_text
from harness.history_model import HISTORY_SCHEMA_VERSION, Acceptance, Distribution, HistoryRecord, Metric, Note
from harness.model import Direction
from monitoring.histogram import MAX_S, MIN_S, Histogram, nearest_rank

CONTENT_KEY = "content"
"""Key in `HistoryRecord.extra`: a hash of what the record was made from, by which a second import is known."""

_SCALES = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))


class NotThisFormatError(Exception):
    """The content looked like a format and is not: the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    A file to import.

    Args:
        path: where it was found, also to look for files beside it.
        content: its bytes.
        at: when the file says nothing of its time: the file's own, or what the user said.
        is_at_told: whether the user said it.
    """

    path: Path
    content: bytes
    at: datetime
    is_at_told: bool = False


@dataclass(slots=True)
class Account:
    """
    What was made of one file.

    Args:
        format: name of the format.
        records: what was understood.
        marks: acceptances and notes, which only this project's own files hold.
        not_understood: what was left out → how many times.
    """

    format: str
    records: list[HistoryRecord] = field(default_factory=list)
    marks: list[Acceptance | Note] = field(default_factory=list)
    not_understood: Counter[str] = field(default_factory=Counter)

    def miss(self, what: str, count: int = 1) -> None:
        """Count something that was left out."""
        if count:
            self.not_understood[what] += count


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an importer found of a run, besides its figures. Fields as in `HistoryRecord`."""

    at: datetime | None = None
    commit: str | None = None
    commit_utc: str | None = None
    dirty: bool | None = None
    branch: str | None = None
    version: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_parts: Sequence[str] = ()
    scenario: str | None = None
    target: str | None = None
    notes: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def make_record(
    source: Source,
    account: Account,
    facts: Facts,
    *,
    metrics: Iterable[Metric],
    distributions: Iterable[Distribution] = (),
    material: bytes | None = None,
) -> None:
    """
    Add a record to an account. Its id follows from its time and its content, so that a second import adds nothing.

    Args:
        source: the file.
        account: gets the record.
        facts: of the run; a time that is missing is the source's.
        metrics: its figures.
        distributions: its distributions.
        material: the part of the content that this record was made from; None for all of it.
    """
    digest = sha256(source.content if material is None else material).hexdigest()
    notes = facts.notes
    if facts.at is None and not source.is_at_told:
        notes = (*notes, "The file tells no time: this is when it was last written.")
    parts = facts.environment_parts
    record = HistoryRecord(
        schema_version=HISTORY_SCHEMA_VERSION,
        id="draft",
        at_utc=utc_text(facts.at or source.at),
        source=account.format,
        commit=facts.commit,
        commit_utc=facts.commit_utc,
        dirty=facts.dirty,
        branch=facts.branch,
        version=facts.version,
        environment_key=sha256("|".join(parts).encode()).hexdigest()[:12] if any(parts) else None,
        environment=facts.environment,
        scenario=facts.scenario,
        target=facts.target,
        metrics=tuple(metrics),
        distributions=tuple(distributions),
        notes=notes,
        extra={**facts.extra, CONTENT_KEY: digest[:16]},
    )
    # Records of one file may share their material (a machine's results beside each other), never all they say.
    own = sha256(encode_record(record)).digest()
    account.records.append(replace(record, id=new_id(facts.at or source.at, own)))


def read_json(source: Source) -> Any:
    """
    Read JSON, with the NaN and Infinity that some tools write.

    Raises:
        NotThisFormatError: it is none.
    """
    try:
        return json.loads(source.content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise NotThisFormatError(f"no JSON: {fault}") from fault


def number(value: object) -> float | None:
    """Return a number as float; None for anything else, a truth value and NaN too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        real = float(value)
    except OverflowError:
        return math.inf
    return None if math.isnan(real) else real


def text(value: object) -> str | None:
    """Return a text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(values: Mapping[str, Any], *, without: Iterable[str] = ()) -> dict[str, str]:
    """Return what is not empty of a JSON object, as text: texts as they are, the rest as JSON."""
    left_out = set(without)
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in values.items()
        if key not in left_out and value is not None and value not in ("", [], {})
    }


def moment(value: object) -> datetime | None:
    """Return an instant from ISO 8601 text (UTC without an offset), or from milliseconds or seconds since 1970."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        seconds = number(value)
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def moment_text(value: object) -> str | None:
    """Return what `moment` finds, as text."""
    found = moment(value)
    return None if found is None else utc_text(found)


def distribution_of(
    subject: str, metric: str, values_s: Sequence[float], *, failures: int = 0
) -> Distribution | None:
    """
    Gather raw durations [s] in a histogram, in the largest unit whose range holds them all.

    Returns:
        None for no values.
    """
    if not values_s:
        return None
    smallest = min((value for value in values_s if value > 0), default=1.0)
    unit, scale = next(
        (entry for entry in _SCALES if smallest * entry[1] > MIN_S and max(values_s) * entry[1] < MAX_S),
        _SCALES[0],
    )
    return Distribution(
        subject=subject,
        metric=metric,
        unit=unit,
        n=len(values_s) + failures,
        failures=failures,
        tau=None,
        histogram=Histogram.of(value * scale for value in values_s),
    )


def raw_quantiles(subject: str, metric: str, values: Sequence[float], unit: str, *qs: float) -> list[Metric]:
    """Return nearest-rank quantiles of raw values; none where there are too few for the rank to mean anything."""
    ordered = sorted(values)
    n = len(ordered)
    return [
        Metric(
            subject=subject,
            metric=metric,
            quantile=q,
            value=ordered[nearest_rank(q, n) - 1],
            unit=unit,
            n=n,
        )
        for q in qs
        if n * (1 - q) >= 1
    ]


def figure(
    subject: str,
    metric: str,
    value: float | None,
    unit: str,
    direction: Direction = Direction.BELOW,
    *,
    quantile: float | None = None,
    n: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> Metric:
    """Return a `Metric` in one line."""
    return Metric(
        subject=subject,
        metric=metric,
        quantile=quantile,
        value=value,
        unit=unit,
        direction=direction,
        n=n,
        extra=extra or {},
    )
