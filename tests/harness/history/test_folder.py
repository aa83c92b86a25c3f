"""A history in a folder: what git and other machines do to it, and the index that may go at any time."""

import os
import sqlite3
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.history.doctor import Severity, examine
from harness.history.folder import FolderHistory, write_new
from harness.history.records import encode_record
from harness.history.store import read_records
from harness.history_model import HistoryRecord
from tests.harness.history.support import NOW_S, acceptance, note, record


@pytest.fixture
def history(tmp_path: Path) -> FolderHistory:
    return FolderHistory(tmp_path / "history")


def heads(history: FolderHistory) -> tuple[list[str], dict[str, str]]:
    left_out: dict[str, str] = {}
    return [one.id for one in history.scan_heads(left_out)], left_out


def file_of(history: FolderHistory, one: HistoryRecord) -> Path:
    return history.path / "runs" / one.at_utc[:7] / f"{one.id}.json"


def test_each_run_is_a_file_of_its_own_by_month(history: FolderHistory) -> None:
    history.add(record())
    history.add_acceptance(acceptance())
    history.add_note(note())
    files = {path.relative_to(history.path).as_posix() for path in history.path.rglob("*") if path.is_file()}
    assert {
        ".gitignore",
        f"runs/2026-11/{record().id}.json",
        f"acceptances/{acceptance().id}.json",
        f"notes/{note().id}.json",
    } == files
    assert encode_record(record()) == file_of(history, record()).read_bytes()
    assert 0o644 == stat.S_IMODE(file_of(history, record()).stat().st_mode)


def test_reading_the_files_themselves_tells_how_far_it_is(history: FolderHistory) -> None:
    """With distributions no index helps: a large history takes minutes."""
    told: list[tuple[str, int, int]] = []
    for number in range(3):
        history.add(record(number))
    telling = FolderHistory(history.path, lambda *how_far: told.append(how_far))
    assert 3 == len(list(telling.scan({}, distributions=True)))
    assert [("reading files", 3, 3)] == told


def test_the_month_is_that_of_utc(history: FolderHistory) -> None:
    late = replace(record(), at_utc="2026-12-01T00:30:00+02:00")
    history.add(late)
    assert [f"runs/2026-11/{late.id}.json"] == list(history.stamps({}))


def test_reading_makes_no_folder(history: FolderHistory) -> None:
    read_records(history)
    assert not history.path.exists()


def test_branches_that_both_add_runs_merge_without_conflict(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    history = FolderHistory(tmp_path / "history")
    (tmp_path / "code").write_text("")
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "0")
    git("checkout", "-b", "other")
    for branch, number in (("other", 1), ("main", 2)):
        git("checkout", branch)
        history.add(record(number))
        history.add_note(note(number, branch))
        heads(history)
        git("add", ".")
        git("commit", "-m", branch)
    git("merge", "other")
    assert ([record(1).id, record(2).id], {}) == heads(history)
    listed = subprocess.run(["git", "-C", str(tmp_path), "ls-files"], capture_output=True, text=True, check=True)
    assert ".index" not in listed.stdout
    status = subprocess.run(["git", "-C", str(tmp_path), "status", "--porcelain"], capture_output=True, check=True)
    assert b"" == status.stdout


def test_torn_foreign_and_newer_files_are_named_and_stay(history: FolderHistory) -> None:
    history.add(record(0))
    history.add(record(1))
    month = file_of(history, record()).parent
    torn = file_of(history, record(1)).read_bytes()[:100]
    file_of(history, record(1)).write_bytes(torn)
    (month / "foreign.json").write_text('{"a": 1}')
    (month / "newer.json").write_text('{"schema_version": 2}')
    (history.path / "notes").mkdir()
    (history.path / "notes" / "bad.json").write_text("{")
    expected = {
        f"runs/2026-11/{record(1).id}.json": "torn: it ends in the middle",
        "runs/2026-11/foreign.json": "no such record: Object missing required field `schema_version`",
        "runs/2026-11/newer.json": "written by a newer version: schema 2, this one reads up to 1",
        "notes/bad.json": "torn: it ends in the middle",
    }
    for _ in range(2):  # from the files, then from the index
        assert ([record(0).id], expected) == heads(history)
    found = read_records(history)
    assert ((record(0),), expected) == (found.records, found.left_out)
    assert torn == file_of(history, record(1)).read_bytes()


def test_a_copy_counts_once_and_a_renamed_file_is_not_lost(history: FolderHistory) -> None:
    history.add(record(0))
    history.add(record(1))
    month = file_of(history, record()).parent
    (month / "a copy.json").write_bytes(file_of(history, record(0)).read_bytes())
    file_of(history, record(1)).rename(month / "renamed.json")
    ids, left_out = heads(history)
    assert [record(0).id, record(1).id] == ids
    own = f"runs/2026-11/{record(0).id}.json"
    assert {"runs/2026-11/a copy.json": f"a copy of record {record(0).id}, beside {own}"} == left_out
    assert record(1) == history.get(record(1).id)


def test_a_file_in_the_wrong_month_is_found_and_a_second_one_named(history: FolderHistory) -> None:
    history.add(record(0))
    content = file_of(history, record()).read_bytes()
    elsewhere = history.path / "runs" / "2027-01" / f"{record().id}.json"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(content)
    _, left_out = heads(history)
    assert ["runs/2027-01/" + elsewhere.name] == list(left_out)
    file_of(history, record()).unlink()
    assert ([record().id], {}) == heads(history)
    assert (record().id,) == history.remove([record().id])


def test_the_index_may_be_deleted_or_broken_and_files_may_change(history: FolderHistory) -> None:
    for number in range(3):
        history.add(record(number))
    everything = [record(number).id for number in range(3)]
    assert (everything, {}) == heads(history)
    index = next((history.path / ".index").glob("*.sqlite"))
    index.unlink()
    assert (everything, {}) == heads(history)
    index.write_bytes(b"this is no database" * 500)
    assert (everything, {}) == heads(history)
    assert (everything, {}) == heads(history)
    assert index.read_bytes().startswith(b"SQLite format 3")
    file_of(history, record(1)).unlink()
    changed = replace(record(2), branch="changed by hand")
    file_of(history, record(2)).write_bytes(encode_record(changed))
    assert ["main", "changed by hand"] == [one.branch for one in history.scan_heads({})]
    assert history.rebuild_index()
    assert ([record(0).id, record(2).id], {}) == heads(history)


def test_the_index_is_really_read(history: FolderHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(record())
    heads(history)
    monkeypatch.setattr("harness.history.index.read_entry", None)
    assert ([record().id], {}) == heads(history)
    assert (record(),) == tuple(history.scan({}))


def test_an_index_that_somebody_holds_is_done_without(
    history: FolderHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add(record(0))
    heads(history)
    history.add(record(1))
    monkeypatch.setattr("harness.history.index._TIMEOUT_S", 0.0)
    index = next((history.path / ".index").glob("*.sqlite"))
    with sqlite3.connect(index) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert ([record(0).id, record(1).id], {}) == heads(history)
        holder.rollback()
    holder.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_history_that_may_only_be_read_is_read(history: FolderHistory) -> None:
    history.add(record())
    history.path.chmod(0o555)
    try:
        assert ([record().id], {}) == heads(history)
    finally:
        history.path.chmod(0o755)


def test_a_name_that_is_taken_is_never_written_over(tmp_path: Path) -> None:
    assert write_new(tmp_path / "a", b"first")
    assert not write_new(tmp_path / "a", b"second")
    assert (b"first", ["a"]) == ((tmp_path / "a").read_bytes(), [path.name for path in tmp_path.iterdir()])


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_link)
    assert write_new(tmp_path / "a", b"first")
    assert not write_new(tmp_path / "a", b"second")
    assert (b"first", ["a"]) == ((tmp_path / "a").read_bytes(), [path.name for path in tmp_path.iterdir()])


def test_a_full_disk_leaves_nothing_and_is_one_line(
    history: FolderHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        HarnessError, match=r"history '.*': can't be written: No space left on device; try another"
    ):
        history.add(record())
    assert [] == [path for path in history.path.rglob("*") if path.is_file()]


def closed_to_us(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """Make a folder one that we may not look into, which the file system can't do for root."""
    scandir = os.scandir

    def listed(path: os.PathLike[str]) -> object:
        if os.fspath(path).endswith(closed):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", listed)


def test_a_month_that_may_not_be_looked_into_is_named(
    history: FolderHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs are neither lost in silence nor an end to the rest."""
    later = record(24 * 40)
    history.add(record(0))
    history.add(later)
    closed_to_us(monkeypatch, "2026-11")
    why = {"runs/2026-11": "can't be looked into: Permission denied"}
    assert ([later.id], why) == heads(history)
    left_out: dict[str, str] = {}
    assert [later] == list(history.scan(left_out, distributions=True))
    assert why == left_out
    diagnosis = examine(history, now_s=NOW_S + 1e8)
    remedy = "the right to read it; its runs are missing everywhere"
    expected = [("runs/2026-11", Severity.FAULT, remedy)]
    assert expected == [(one.name, one.severity, one.remedy) for one in diagnosis.complaints]


def test_a_history_that_may_not_be_looked_into_is_an_error(
    history: FolderHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add(record(0))
    closed_to_us(monkeypatch, "runs")
    with pytest.raises(HarnessError, match=r"^history '.*': can't be read: Permission denied$"):
        heads(history)


def test_what_may_not_be_removed_is_said(history: FolderHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    history.add(record(0))
    heads(history)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    expected = (
        r"^history '.*': can't be written: Permission denied; try another folder with --history, or free space$"
    )
    with pytest.raises(HarnessError, match=expected):
        history.remove([record(0).id])
    with pytest.raises(HarnessError, match=expected):
        history.rebuild_index()


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_time_that_utc_can_t_write_is_refused(history: FolderHistory, at: str) -> None:
    """It could neither be filed by its month nor drawn."""
    with pytest.raises(HarnessError, match="its time is none"):
        history.add(record(0, at_utc=at))
