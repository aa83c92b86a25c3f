"""Records of another history, and its flat export: nothing is lost, and the ids stay."""

from collections.abc import Iterator
from typing import Any

from harness.history.exporters.flat import FLAT_FORMAT
from harness.history.importers.reading import Account, NotThisFormatError, Source, mapping, read_json
from harness.history.records import UnreadableRecordError, decode_plain, decode_record
from harness.history_model import HistoryRecord

FORMAT = "harness history"


def looks_like(document: object) -> bool:
    """Tell whether JSON is a record of a history, or the flat export of one."""
    if not isinstance(document, dict):
        return False
    return (
        document.get("format") == FLAT_FORMAT or {"schema_version", "id", "at_utc", "metrics"} <= document.keys()
    )


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
        account.records.append(decode_record(source.content, HistoryRecord))
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


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))
