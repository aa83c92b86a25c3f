"""Files: all or none, nothing of others touched, dated folders kept in number."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import harness.report.trend.files as files_module
from harness.errors import HarnessError
from harness.report.trend.chart import Settings
from harness.report.trend.dated import write_dated
from harness.report.trend.files import Order, write_trend
from tests.harness.trends import judged, noisy, quantile_trio, series_of_values, trend_of

TREND = trend_of(*quantile_trio(20, at=None))
OTHER = trend_of(judged(series_of_values(noisy(20, 1.0), metric="capacity", quantile=0, unit="count")))
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HTML = Order(formats=("html",), settings=Settings(), history=Path("/h"))


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_page_data_pictures_and_sheet_are_written(tmp_path: Path) -> None:
    written = write_trend(TREND, tmp_path / "a" / "trend", Order())
    slug = "response-time-api-deployments-pending-agent-id"
    expected = [
        "trend.html",
        "overview.png",
        "overview.svg",
        f"charts/{slug}.png",
        f"charts/{slug}.svg",
        "trend.json",
    ]
    assert [tmp_path / "a" / "trend" / name for name in expected] == list(written)
    assert sorted(expected) == names(tmp_path / "a" / "trend")
    assert ["a"] == entries(tmp_path)
    assert ["trend"] == entries(tmp_path / "a")


def test_each_run_and_each_point_stand_in_the_data(tmp_path: Path) -> None:
    write_trend(TREND, tmp_path / "t", HTML)
    told = json.loads((tmp_path / "t" / "trend.json").read_text())
    assert (1, "PASS", 20, 3) == (told["schema_version"], told["status"], len(told["runs"]), len(told["series"]))
    first = TREND.series[0].series
    assert [0, first.points[0].value, first.points[0].low, first.points[0].high, 0.05] == told["series"][0][
        "points"
    ][0]
    assert ["trend.html", "trend.json"] == told["files"]


def test_a_second_call_replaces_its_own_files_and_leaves_others_alone(tmp_path: Path) -> None:
    out = tmp_path / "trend"
    write_trend(TREND, out, Order())
    (out / "mine.txt").write_text("keep")
    (out / "charts" / "mine.png").write_text("keep")
    write_trend(OTHER, out, Order())
    slug = "capacity-api-deployments-pending-agent-id"
    assert sorted(
        [
            "mine.txt",
            "charts/mine.png",
            "trend.html",
            "trend.json",
            "overview.png",
            "overview.svg",
            f"charts/{slug}.png",
            f"charts/{slug}.svg",
        ]
    ) == names(out)
    write_trend(OTHER, out, HTML)
    assert ["charts/mine.png", "mine.txt", "trend.html", "trend.json"] == names(out)


def test_data_that_names_foreign_files_removes_none(tmp_path: Path) -> None:
    out, outside = tmp_path / "trend", tmp_path / "precious.txt"
    out.mkdir()
    outside.write_text("keep")
    (out / "sub").mkdir()
    (out / "sub" / "x").write_text("keep")
    (out / "trend.json").write_text(
        json.dumps({"files": ["../precious.txt", "sub/x", "/etc/passwd", "..", 3, "charts/.."]})
    )
    write_trend(TREND, out, HTML)
    assert outside.exists()
    assert (out / "sub" / "x").exists()


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"files": 3}', "[" * 100_000])
def test_unreadable_data_of_an_earlier_call_is_replaced(tmp_path: Path, stored: str) -> None:
    (tmp_path / "trend.json").write_text(stored)
    write_trend(TREND, tmp_path, HTML)
    assert "PASS" == json.loads((tmp_path / "trend.json").read_text())["status"]


def test_a_fault_while_drawing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "trend"
    write_trend(TREND, out, HTML)
    before = {name: (out / name).read_bytes() for name in names(out)}

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files_module, "render_page", full)
    with pytest.raises(HarnessError, match=r"file '.*trend': can't be written: No space left on device"):
        write_trend(OTHER, out, HTML)
    assert before == {name: (out / name).read_bytes() for name in names(out)}
    assert ["trend"] == entries(tmp_path)


def test_a_file_in_place_of_the_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "trend").write_text("")
    with pytest.raises(HarnessError, match="trend"):
        write_trend(TREND, tmp_path / "trend", HTML)
    assert "" == (tmp_path / "trend").read_text()


def test_a_trend_without_series_is_a_page_without_pictures(tmp_path: Path) -> None:
    write_trend(trend_of(), tmp_path / "t", Order())
    assert ["trend.html", "trend.json"] == names(tmp_path / "t")


def test_dated_folders_are_kept_in_number_and_listed_newest_first(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "20200101T000000Z").mkdir()  # nobody's trend: no data in it
    for day in range(4):
        write_dated(TREND, tmp_path, HTML, now=NOW + timedelta(days=day), keep=2)
    assert ["20200101T000000Z", "20261125T083000Z", "20261126T083000Z", "index.html", "mine"] == entries(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.index("20261126T083000Z/trend.html") < page.index("20261125T083000Z/trend.html")
    assert "20261124" not in page
    assert "No confirmed regression in 3 judged series." in page


def test_two_in_the_same_second_get_two_folders(tmp_path: Path) -> None:
    first = write_dated(TREND, tmp_path, HTML, now=NOW, keep=None)
    second = write_dated(OTHER, tmp_path, HTML, now=NOW, keep=None)
    assert ["20261123T083000Z", "20261123T083000Z-2"] == [first.name, second.name]
    page = (tmp_path / "index.html").read_text()
    assert page.index(f"{second.name}/trend.html") < page.index(f"{first.name}/trend.html")


def test_a_folder_with_torn_data_is_listed_as_unknown(tmp_path: Path) -> None:
    old = write_dated(TREND, tmp_path, HTML, now=NOW, keep=None)
    (old / "trend.json").write_text("{")
    (old / "trend.html").unlink()
    write_dated(TREND, tmp_path, HTML, now=NOW + timedelta(days=1), keep=None)
    page = (tmp_path / "index.html").read_text()
    assert "Its data can&#39;t be read." in page
    assert f"{old.name}/trend.html" not in page


def test_what_a_killed_call_left_is_removed_after_a_day_and_not_before(tmp_path: Path) -> None:
    fresh, stale = tmp_path / ".20261123T083000Z.77.partial", tmp_path / ".20261122T083000Z.77.partial"
    for folder in (fresh, stale):
        folder.mkdir()
    os.utime(stale, (0, 0))
    write_dated(TREND, tmp_path, HTML, now=NOW, keep=None)
    assert fresh.exists()
    assert not stale.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(HarnessError, match="can't be written"):
            write_trend(TREND, tmp_path / "trend", HTML)
    finally:
        tmp_path.chmod(0o700)
        shutil.rmtree(tmp_path / "trend", ignore_errors=True)


def test_what_a_killed_call_left_beside_a_plain_folder_goes_too(tmp_path: Path) -> None:
    stale = tmp_path / ".trend.77.partial"
    stale.mkdir()
    write_trend(TREND, tmp_path / "trend", HTML)
    assert stale.exists()
    os.utime(stale, (0, 0))
    write_trend(TREND, tmp_path / "trend", HTML)
    assert ["trend"] == entries(tmp_path)
