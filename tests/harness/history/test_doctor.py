"""Everything that is wrong is named with what to do, and nothing is changed by looking."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.history.doctor import Diagnosis, Severity, examine
from harness.history.folder import FolderHistory
from harness.history.records import encode_record
from harness.history.store import open_history
from tests.harness.history.support import NOW_S, acceptance, metric, record


def told(diagnosis: Diagnosis) -> dict[str, tuple[Severity, str, str]]:
    return {one.name: (one.severity, one.what, one.remedy) for one in diagnosis.complaints}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sound_history_has_no_complaints(tmp_path: Path) -> None:
    history = FolderHistory(tmp_path / "history")
    assert (0, ()) == (examine(history).records, examine(history).complaints)
    history.add(record(0))
    history.add_acceptance(acceptance(0))
    assert (1, ()) == (examine(history, now_s=NOW_S).records, examine(history, now_s=NOW_S).complaints)


@pytest.fixture
def history(tmp_path: Path) -> FolderHistory:
    """Return a sound history of three runs."""
    history = FolderHistory(tmp_path / "history")
    for number in range(3):
        history.add(record(number))
    return history


def looked_at(history: FolderHistory) -> Diagnosis:
    """Examine a history, and see that it is as it was."""
    before = snapshot(history.path)
    found = examine(history, now_s=NOW_S)
    assert before == snapshot(history.path)
    return found


def test_every_file_that_is_no_record_is_named(history: FolderHistory) -> None:
    runs = history.path / "runs" / "2026-11"
    (runs / "torn.json").write_bytes(encode_record(record(7))[:50])
    (runs / "newer.json").write_text('{"schema_version": 3}')
    (runs / "merge.json").write_text("<<<<<<< a\n=======\n>>>>>>> b\n")
    (runs / "copy.json").write_bytes((runs / f"{record(0).id}.json").read_bytes())
    (runs / "stray.txt").write_text("hello")
    fault, hint = Severity.FAULT, Severity.HINT
    restore = "git checkout or a backup; delete it if it never was a record"
    own = f"runs/2026-11/{record(0).id}.json"
    assert {
        "runs/2026-11/torn.json": (fault, "torn: it ends in the middle", restore),
        "runs/2026-11/newer.json": (
            fault,
            "written by a newer version: schema 3, this one reads up to 1",
            "a newer harness; it stays as it is",
        ),
        "runs/2026-11/merge.json": (
            fault,
            "holds the marks of an unsettled merge",
            "settle the merge: git checkout --ours or --theirs",
        ),
        "runs/2026-11/copy.json": (
            fault,
            f"a copy of record {record(0).id}, beside {own}",
            "delete it if the two are equal; else give it another id",
        ),
        "runs/2026-11/stray.txt": (
            hint,
            "not a file of a history, and never read",
            "harness history add, or another folder; runs lie in runs/YYYY-MM",
        ),
    } == told(looked_at(history))


def test_what_a_killed_writer_left_is_named_once_it_is_old(history: FolderHistory) -> None:
    runs = history.path / "runs" / "2026-11"
    for name, age_s in ((".half.abc.tmp", 7200), (".young.abc.tmp", 0)):
        (runs / name).write_text("half")
        os.utime(runs / name, (NOW_S - age_s, NOW_S - age_s))
    left = (Severity.HINT, "left by a writer that was killed; its record was never finished", "delete it")
    assert {"runs/2026-11/.half.abc.tmp": left} == told(looked_at(history))


def test_an_acceptance_of_a_run_that_has_gone_is_named(history: FolderHistory) -> None:
    history.add_acceptance(replace(acceptance(), record="gone"))
    remedy = "accept the change again if it is still in sight"
    complaint = (Severity.HINT, "names record gone, which is not there", remedy)
    assert {f"acceptance {acceptance().id}": complaint} == told(looked_at(history))


def test_odd_records_are_named(history: FolderHistory) -> None:
    future = replace(record(8), at_utc="2031-01-01T00:00:00Z")
    history.add(future)
    history.add(record(9, metric(None), metric(1.0), metric(2.0)))
    found = {(one.name, one.what) for one in looked_at(history).complaints}
    in_future = "dated 2031-01-01T00:00:00Z, which is in the future; no series shows it until then"
    differ = "its id and its time (2031-01-01T00:00:00Z) differ: it is out of order by name, and in order by time"
    no_value = "1 of 3 figures have no value, such as response_time of /api/deployments/pending/{agent_id}"
    assert {(future.id, in_future), (future.id, differ), (record(9).id, no_value)} <= found
    assert any("more than once" in what for name, what in found if name == record(9).id)
    assert 4 == len(found)


def test_faults_stand_before_hints(history: FolderHistory) -> None:
    history.add_acceptance(replace(acceptance(), record="gone"))
    (history.path / "runs" / "2026-11" / "torn.json").write_bytes(b"{")
    assert [Severity.FAULT, Severity.HINT] == [one.severity for one in looked_at(history).complaints]


def test_a_database_is_examined_too(tmp_path: Path) -> None:
    history = open_history(f"sqlite:///{tmp_path}/history.db")
    history.add(replace(record(1), schema_version=9))
    ((name, complaint),) = told(examine(history, now_s=NOW_S)).items()
    assert (f"run {record(1).id}", Severity.FAULT) == (name, complaint[0])
