"""The report's file: whole or not at all, and old ones removed only when they are ours."""

import os
from pathlib import Path

import pytest

from monitoring.errors import MonitoringError, UsageError
from monitoring.reports import files

OURS = '{"kind": "monitoring-report"}'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write(path, "one")
    files.write(path, "two é")
    assert "two é" == path.read_text(encoding="utf-8")
    assert ["a.json"] == names(tmp_path)


def test_the_folder_is_made(tmp_path: Path) -> None:
    files.prepare(tmp_path / "reports" / "deep" / "a.json")
    assert [] == names(tmp_path / "reports" / "deep")


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    files.write(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MonitoringError) as error:
        files.write(path, "new")
    assert str(error.value) == (
        f"output '{path}': can't be written (No space left on device); "
        "try another folder, or as a user who may write there"
    )
    assert "old" == path.read_text()
    assert ["a.json"] == names(tmp_path)


def test_an_output_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MonitoringError, match="can't be written"):
        files.prepare(tmp_path / "file" / "a.json")


def test_an_output_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        files.prepare(tmp_path)
    assert f"output '{tmp_path}': is a folder; try --output {tmp_path}/report.json" == str(error.value)


def series(folder: Path, series_of: list[str], text: str = OURS) -> None:
    """Write files, each a minute younger than the one before."""
    for number, name in enumerate(series_of):
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9 + number * 60, 1e9 + number * 60))


def test_the_newest_of_a_series_stay(tmp_path: Path) -> None:
    days = [f"daily_2026112{day}.json" for day in range(6)]
    series(tmp_path, days)
    removed = files.remove_old(tmp_path / days[-1], 2)
    assert days[:4] == [path.name for path in removed]
    assert days[4:] == names(tmp_path)


def test_fewer_than_asked_for_all_stay(tmp_path: Path) -> None:
    series(tmp_path, ["daily_1.json", "daily_2.json"])
    assert [] == files.remove_old(tmp_path / "daily_2.json", 5)


def test_other_series_and_foreign_files_stay(tmp_path: Path) -> None:
    others = ["hourly_20261120_01.json", "daily_20261120.html", "daily_2026112.json", "daily_latest.json"]
    series(tmp_path, others)
    series(tmp_path, ["daily_20261119.json"], "precious data of somebody else")
    (tmp_path / "daily_20261118.json").symlink_to(tmp_path / "hourly_20261120_01.json")
    (tmp_path / "daily_20261117.json").mkdir()
    series(tmp_path, ["daily_20261121.json", "daily_20261122.json"])
    removed = files.remove_old(tmp_path / "daily_20261122.json", 1)
    assert ["daily_20261121.json"] == [path.name for path in removed]


def test_keep_needs_a_name_with_a_date(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        files.check_keep(tmp_path / "report.json", 3)
    assert str(error.value) == (
        "option '--keep': old reports can't be told by a name without a date, got report.json; "
        "try --output reports/report_$(date +%Y%m%d_%H%M%S).json"
    )


def test_keep_needs_a_number_above_zero(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        files.check_keep(tmp_path / "report_1.json", 0)
    assert "option '--keep': out of range, got 0, need 1 or more" == str(error.value)


def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path) -> None:
    """A rename would take the place of a device as well; a pipe stands in for it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said = f"output '{pipe}': is no regular file; try a path that is free, or no --output, which prints the report"
    for act in (lambda: files.prepare(pipe), lambda: files.write(pipe, "{}")):
        with pytest.raises(MonitoringError) as error:
            act()
        assert said == str(error.value)
    assert pipe.is_fifo()


def test_what_a_killed_run_of_the_same_process_id_left_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    left = [tmp_path / f".report.html.{os.getpid()}{tail}.tmp" for tail in ("", "-00ff00ff")]
    for one in left:
        one.write_text("half")
    others = tmp_path / f".other.html.{os.getpid()}.tmp"
    others.write_text("half")
    os.utime(left[1], (1e9, 1e9))
    os.utime(others, (1e9, 1e9))
    files.prepare(path)
    files.write(path, OURS)
    # The old one has gone; the young one may be of a run that still writes, and the third is another report's.
    assert sorted([left[0].name, others.name, "report.html"]) == names(tmp_path)
