"""Records, acceptances and notes of another history, and its flat export: nothing is lost, and the ids stay."""

from collections.abc import Iterator
from typing import Any

from harness.history.exporters.flat import FLAT_FORMAT
from harness.history.importers.reading import Account, NotThisFormatError, Source, mapping, read_json
from harness.history.records import UnreadableRecordError, decode_plain, decode_record
from harness.history_model import Acceptance, HistoryRecord, Note

FORMAT = "harness history"

_HEAD = {"schema_version", "id", "at_utc"}
_RECORD = _HEAD | {"metrics"}
_ACCEPTANCE = _HEAD | {"series", "record", "reason"}
_NOTE = _HEAD | {"text"}


def looks_like(document: object) -> bool:
    """Tell whether JSON is a record, an acceptance or a note of a history, or the flat export of one."""
    if not isinstance(document, dict):
        return False
    keys = document.keys()
    return document.get("format") == FLAT_FORMAT or keys >= _RECORD or keys >= _ACCEPTANCE or keys >= _NOTE


def read(source: Source) -> Account:
    """
    Take records over as they are.

    Raises:
        NotThisFormatError: a single record that is none.
    """
    document = mapping(read_json(source))
    account = Account(FORMAT)
    if document.get("format") == FLAT_FORMAT:
        _read_flat(document, account)
        return account
    try:
        if document.keys() >= _RECORD:
            account.records.append(decode_record(source.content, HistoryRecord))
        elif document.keys() >= _ACCEPTANCE:
            account.marks.append(decode_record(source.content, Acceptance))
        else:
            account.marks.append(decode_record(source.content, Note))
    except UnreadableRecordError as fault:
        raise NotThisFormatError(str(fault)) from fault
    return account


def _read_flat(document: dict[str, Any] | Any, account: Account) -> None:
    figures: dict[object, list[dict[str, Any]]] = {}
    for row in _objects(document.get("figures")):
        figures.setdefault(row.get("run"), []).append({key: row[key] for key in row if key != "run"})
    for run in _objects(document.get("runs")):
        plain = {**run, "metrics": figures.pop(run.get("id"), [])}
        try:
            account.records.append(decode_plain(plain, HistoryRecord))
        except UnreadableRecordError as fault:
            account.miss(f"run that is no record ({fault})")
    account.miss("figure of a run that is not told", sum(map(len, figures.values())))
    for plain in _objects(document.get("acceptances")):
        try:
            account.marks.append(decode_plain(plain, Acceptance))
        except UnreadableRecordError as fault:
            account.miss(f"acceptance that is none ({fault})")
    for plain in _objects(document.get("notes")):
        try:
            account.marks.append(decode_plain(plain, Note))
        except UnreadableRecordError as fault:
            account.miss(f"note that is none ({fault})")


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))
