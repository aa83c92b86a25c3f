"""What every store keeps to, in a folder, in SQLite and in PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.history.store import (
    History,
    find_record,
    newest_records,
    open_history,
    read_records,
    with_figures,
)
from harness.history_model import HistoryRecord
from tests.harness.history.support import acceptance, distribution, metric, note, record


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "history")
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/history.db"
    else:
        yield request.getfixturevalue("postgres_url")


@pytest.fixture
def history(where: str) -> History:
    return open_history(where)


def all_of(scan: Callable[[dict[str, str]], Iterator[HistoryRecord]]) -> tuple[HistoryRecord, ...]:
    left_out: dict[str, str] = {}
    found = tuple(scan(left_out))
    assert {} == left_out
    return found


def test_an_empty_history_is_no_error(history: History) -> None:
    assert () == read_records(history).records
    assert () == history.acceptances()
    assert () == history.notes()
    assert () == history.remove(["nothing"])
    assert 0 == newest_records(history, 5).total
    with pytest.raises(HarnessError, match="record 'latest': not in the history"):
        find_record(history, "latest")


def test_what_is_added_is_read_back(history: History) -> None:
    one, two = record(0, distributions=(distribution(),)), record(1)
    assert (True, True) == (history.add(two), history.add(one))
    found = read_records(history)
    assert ((one, two), {}) == (found.records, found.left_out)
    assert one == history.get(one.id)
    assert (replace(one, distributions=()), two) == read_records(history, distributions=False).records


def test_figures_can_be_read_apart(history: History) -> None:
    history.add(record(0, metric(0.5), metric(None, quantile=0.5), distributions=(distribution(),)))
    ((head, figures),) = history.scan_figures({})
    assert (record().id, [0.5, None]) == (head.id, [figure.value for figure in figures])
    (head,) = all_of(history.scan_heads)
    assert record().id == head.id


def test_the_same_record_is_added_once(history: History) -> None:
    assert [True, False] == [history.add(record()), history.add(record())]
    assert 1 == len(read_records(history).records)


def test_another_record_of_the_same_id_is_refused_and_changes_nothing(history: History) -> None:
    history.add(record())
    with pytest.raises(HarnessError, match="holds another record of this id, which stays as it is"):
        history.add(replace(record(), branch="other"))
    assert (record(),) == read_records(history).records


def test_acceptances_and_notes_are_kept(history: History) -> None:
    assert [True, False] == [history.add_acceptance(acceptance()), history.add_acceptance(acceptance())]
    history.add_note(note(5, "later"))
    history.add_note(note(1, "earlier"))
    assert (acceptance(),) == history.acceptances()
    assert ["earlier", "later"] == [one.text for one in history.notes()]


def test_records_are_removed_by_id(history: History) -> None:
    for number in range(3):
        history.add(record(number))
    history.add_acceptance(acceptance(0))
    assert (record(1).id,) == history.remove([record(1).id, "nothing"])
    assert (record(0), record(2)) == read_records(history).records
    assert (acceptance(0),) == history.acceptances()


def test_a_record_is_found_by_its_beginning_or_as_the_latest(history: History) -> None:
    for number in range(3):
        history.add(record(number))
    assert record(2) == find_record(history, "latest")
    assert record(1) == find_record(history, record(1).id[:-3])
    with pytest.raises(UsageError, match="record '2026': 3 ids begin so, such as 20261101T083000Z"):
        find_record(history, "2026")
    with pytest.raises(HarnessError, match=r"record 'x\*': not in the history .*; try harness history list"):
        find_record(history, "x*")


def test_the_newest_are_the_last_by_time(history: History) -> None:
    for number in (2, 0, 3, 1):
        history.add(record(number))
    found = newest_records(history, 2, lambda one: one.id != record(3).id)
    assert ([record(1).id, record(2).id], 3) == ([one.id for one in found.records], found.total)
    assert (record(1), record(2)) == with_figures(history, found.records)


def test_many_at_once_lose_nothing(history: History, where: str) -> None:
    """Twelve writers that know nothing of each other, half of them with the same records."""

    def write(writer: int) -> None:
        own = open_history(where)
        for number in range(10):
            own.add(record(number if writer % 2 else 100 * (writer + 1) + number))

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(write, range(12)))
    expected = {record(n).id for n in range(10)} | {
        record(100 * (writer + 1) + n).id for writer in range(0, 12, 2) for n in range(10)
    }
    assert expected == {one.id for one in read_records(history).records}


def test_processes_that_write_at_once_lose_nothing(history: History, where: str) -> None:
    script = (
        "import sys; from harness.history.store import open_history;"
        "from tests.harness.history.support import record;"
        "h = open_history(sys.argv[1]);"
        "[h.add(record(int(sys.argv[2]) * 50 + n)) for n in range(20)]"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, where, str(writer)]) for writer in range(3)]
    assert [0, 0, 0] == [writer.wait(60) for writer in writers]
    assert 60 == len(read_records(history).records)


@pytest.mark.parametrize("id_", ["../escape", "a/b", ""])
def test_an_id_that_is_none_is_refused(history: History, id_: str) -> None:
    with pytest.raises(HarnessError, match="its id is no id"):
        history.add(replace(record(), id=id_))


@pytest.mark.parametrize(
    ("where_", "why"),
    [
        ("", "option '--history': names nothing, need a folder or a database URL"),
        ("nonsense://", "history '.*': no driver for it"),
        ("://", "option '--history': not a database URL"),
        ("sqlite://", "a database in memory is another one for every connection"),
        ("postgresql://user:p@ss@host/name", "option '--history': the password has an unescaped character"),
    ],
)
def test_a_place_that_is_none_is_refused(where_: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        open_history(where_)


def test_a_file_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"history '.*file': is a file, need a folder"):
        open_history(tmp_path / "file")


def test_a_database_out_of_reach_is_told_without_its_password() -> None:
    history = open_history("postgresql://user:s3cr3t@127.0.0.1:1/name")
    assert "s3cr3t" not in history.where
    with pytest.raises(HarnessError, match=r"history 'postgresql.*': can't be used") as fault:
        read_records(history)
    assert "s3cr3t" not in str(fault.value)


def test_a_row_of_a_newer_schema_is_left_out_by_name(tmp_path: Path) -> None:
    history = open_history(f"sqlite:///{tmp_path}/history.db")
    history.add(record(0))
    history.add(replace(record(1), schema_version=7))
    found = read_records(history)
    assert (record(0),) == found.records
    newer = "written by a newer version: schema 7, this one reads up to 1"
    assert {f"run {record(1).id}": newer} == found.left_out
