"""The index page over the reports of a folder."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring import cli
from monitoring.errors import MonitoringError
from monitoring.reports import files, listing
from monitoring.reports.listing import Entry, render_index
from monitoring.reports.records import Window
from tests.monitoring.report.past import NOON_S, Past

NOON = datetime.fromtimestamp(NOON_S, UTC)
UNTIL = "2026-11-23T13:00:00Z"


def entry(name: str, *, summary: str | None = "7 requests", window_h: float | None = 1.0) -> Entry:
    window = None if window_h is None else Window(since=NOON, until=NOON + timedelta(hours=window_h))
    return Entry(name=name, written=NOON, service="master-backend", window=window, summary=summary)


def links(page: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', page)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service that had an hour of two agents, one of whose polls failed."""
    service = Past(tmp_path / "logs")
    service.fleet(3600, agents=2)
    service.poll(100, "agent-0001", status=500)
    service.write(3600)
    service.close()
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MONITORING_"):
            monkeypatch.delenv(name)
    return tmp_path


def report(name: str, *more: str) -> int:
    return cli.main(["report", "--hours", "1", "--until", UNTIL, "--output", name, "--index", *more])


def test_no_report_at_all() -> None:
    page = render_index([])
    assert "No report yet." in page
    assert [] == links(page)


def test_one_report() -> None:
    page = render_index([entry("daily_20261123.json")])
    assert "1 report, the newest first." in page
    assert ["./daily_20261123.json"] == links(page)
    cells = re.findall(r'<td class="text">([^<]*)</td>', page)
    assert [
        "master-backend",
        "2026-11-23 12:00:00",
        "1 h",
        "7 requests",
        "2026-11-23 12:00:00",
    ] == cells


def test_what_a_report_does_not_say_is_unknown() -> None:
    page = render_index([entry("daily_1.json", summary=None, window_h=None)])
    assert 3 == page.count('<td class="text">?</td>')


def test_each_series_has_its_own_table_and_keeps_its_order() -> None:
    page = render_index([entry("daily_2.json"), entry("hourly_2_1.json"), entry("daily_1.json")], older=12)
    assert ["daily_*.json", "hourly_*.json"] == re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert ["./daily_2.json", "./daily_1.json", "./hourly_2_1.json"] == links(page)
    assert "15 reports, the newest first." in page
    assert "… and 12 older" in page


def test_a_name_neither_leads_elsewhere_nor_becomes_markup() -> None:
    name = "javascript:alert(1)<b>\x1b[2J'\" 100%.html"
    page = render_index([entry(name)])
    assert ["./javascript%3Aalert%281%29%3Cb%3E%1B%5B2J%27%22%20100%25.html"] == links(page)
    assert "<b>" not in page
    assert "\x1b" not in page


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render_index([entry("daily_1.json")])
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)


@pytest.mark.parametrize("suffix", ["json", "html", "md", "txt"])
def test_the_command_lists_what_a_report_of_any_form_says(backend: Path, suffix: str) -> None:
    assert 0 == report(f"reports/daily_20261123.{suffix}")
    page = (backend / "reports/index.html").read_text()
    assert [f"./daily_20261123.{suffix}"] == links(page)
    cells = re.findall(r'<td class="text">([^<]*)</td>', page)
    assert ["master-backend", "2026-11-23 12:00:00", "1 h"] == cells[:3]
    assert "721 requests, 0.20 per second; error rate 0.14 %" == cells[3]


def test_reports_of_a_window_without_figures_are_listed(backend: Path) -> None:
    assert 0 == cli.main(
        ["report", "--hours", "1", "--until", "2026-11-20T01:00:00Z", "--output", "reports/x_1.json", "--index"]
    )
    cells = re.findall(r'<td class="text">([^<]*)</td>', (backend / "reports/index.html").read_text())
    assert ["master-backend", "2026-11-20 00:00:00", "1 h", "?"] == cells[:4]


def test_removed_reports_are_gone_and_foreign_files_never_listed(backend: Path) -> None:
    for day in range(1, 5):
        report(f"reports/daily_{day}.html", "--keep", "2")
        os.utime(f"reports/daily_{day}.html", (day, day))
    (backend / "reports/notes_5.html").write_text("somebody's own")
    report("reports/hourly_1.json")
    page = (backend / "reports/index.html").read_text()
    assert ["./hourly_1.json", "./daily_4.html", "./daily_3.html"] == links(page)
    assert not list((backend / "reports").glob(".*"))


def test_a_torn_or_foreign_report_costs_only_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "daily_1.json").write_text('{"kind": "monitoring-report", "service": 7')
    (tmp_path / "daily_2.html").write_text('<meta name="generator" content="pollgauge monitoring-report">')
    listing.write_index(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert {"./daily_1.json", "./daily_2.html"} == set(links(page))
    assert 8 == page.count('<td class="text">?</td>')


def test_only_the_newest_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_MOST", 2)
    for day in range(1, 5):
        (tmp_path / f"daily_{day}.json").write_text('{"kind": "monitoring-report"}')
        os.utime(tmp_path / f"daily_{day}.json", (day, day))
    listing.write_index(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert ["./daily_4.json", "./daily_3.json"] == links(page)
    assert "4 reports" in page
    assert "… and 2 older" in page


def test_two_jobs_that_end_together_leave_a_page_that_tells_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's report and page come between our look and our page."""
    (tmp_path / "daily_1.json").write_text('{"kind": "monitoring-report"}')
    write = files.write

    def with_another(path: Path, text: str) -> None:
        if not (tmp_path / "hourly_1.json").exists():
            (tmp_path / "hourly_1.json").write_text('{"kind": "monitoring-report"}')
            listing.write_index(tmp_path)
        write(path, text)

    monkeypatch.setattr(files, "write", with_another)
    listing.write_index(tmp_path)
    assert {"./daily_1.json", "./hourly_1.json"} == set(links((tmp_path / "index.html").read_text()))


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing.write_index(tmp_path)
    before = (tmp_path / "index.html").read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MonitoringError, match=r"index.html': can't be written \(No space left on device\)"):
        listing.write_index(tmp_path)
    assert before == (tmp_path / "index.html").read_text()
    assert ["index.html"] == [path.name for path in tmp_path.iterdir()]


def test_an_index_of_somebody_else_is_not_overwritten(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (backend / "reports").mkdir()
    (backend / "reports/index.html").write_text("<h1>my site</h1>")
    assert 1 == report("reports/daily_1.html")
    assert (
        "index 'reports/index.html': was not made by this command; try another folder for --output"
        in capsys.readouterr().err
    )
    assert ["index.html"] == [path.name for path in (backend / "reports").iterdir()]
    assert "<h1>my site</h1>" == (backend / "reports/index.html").read_text()


def test_a_report_cannot_have_the_name_of_the_page(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == report("reports/index.html")
    assert (
        "output 'reports/index.html': is the name of the index page; "
        "try --output reports/report_$(date +%Y%m%d_%H%M%S).html" in capsys.readouterr().err
    )
    assert not (backend / "reports").exists()


def test_an_index_needs_a_file(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == cli.main(["report", "--index"])
    assert "option '--index': given without --output, need both or none" in capsys.readouterr().err
