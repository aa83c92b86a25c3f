"""The report's files in a run directory."""

import os
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.report.files import write_report
from harness.rundir import RunDirectory
from tests.harness.results import fleet, result_of, ticks_of


def test_a_report_is_one_page_and_a_folder_of_pictures(tmp_path: Path) -> None:
    columns = fleet(failing_ratio=0.04)
    directory = RunDirectory(tmp_path)
    write_report(result_of(columns), columns, ticks_of(), directory)
    assert ["plots", "report.html"] == sorted(path.name for path in tmp_path.iterdir())
    assert [
        "agents.png",
        "breakdown.png",
        "distribution.png",
        "errors.png",
        "generator.png",
        "rates.png",
        "response-time.png",
        "split.png",
    ] == sorted(path.name for path in directory.plots.iterdir())
    assert directory.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert 0o644 == directory.report.stat().st_mode & 0o777


def test_a_report_can_be_written_again_over_itself(tmp_path: Path) -> None:
    columns = fleet(agents=2)
    directory = RunDirectory(tmp_path)
    for _ in range(2):
        write_report(result_of(columns), columns, (), directory)
    assert ["plots", "report.html"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_picture_of_an_earlier_rendering_does_not_outlive_its_reason(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    spoilt, healthy = fleet(failing_ratio=0.5), fleet()
    write_report(result_of(spoilt), spoilt, (), directory)
    assert (directory.plots / "errors.png").exists()
    write_report(result_of(healthy), healthy, (), directory)
    assert not (directory.plots / "errors.png").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("in the way")
    with pytest.raises(HarnessError) as caught:
        write_report(result_of(fleet()), fleet(), (), RunDirectory(tmp_path))
    assert (
        f"file '{tmp_path / 'plots'}': can't be written: File exists; try another folder with --out, or free space"
        == str(caught.value)
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir(mode=0o500)
    with pytest.raises(HarnessError, match="Permission denied"):
        write_report(result_of(fleet()), fleet(), (), RunDirectory(tmp_path))
    assert [] == list((tmp_path / "plots").iterdir())


def test_when_a_plot_fails_the_old_report_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    directory = RunDirectory(tmp_path)
    directory.report.write_text("old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken)
    columns = fleet()
    with pytest.raises(HarnessError, match=r"response-time\.png': can't be written: No space left on device"):
        write_report(result_of(columns), columns, (), directory)
    assert "old" == directory.report.read_text()
    assert [] == list(directory.plots.iterdir())
