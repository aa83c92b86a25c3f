"""Which window and which places the arguments mean."""

import argparse
from pathlib import Path

import pytest

from monitoring.errors import UsageError
from monitoring.reports.arguments import limits_from, places_from, window_from
from monitoring.reports.options import add_places, add_window
from tests.monitoring.report.conftest import NOON, window
from tests.monitoring.report.past import NOON_S


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_window(parser)
    add_places(parser)
    parser.add_argument("--interval", default="10s")
    return parser.parse_args(argv)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG_DIR", "STORE_DIR", "SERVICE", "ENDPOINTS", "API_PREFIX"):
        monkeypatch.delenv(f"MONITORING_{name}", raising=False)


@pytest.mark.parametrize(
    ("argv", "since_s", "until_s"),
    [
        pytest.param((), -86400, 0, id="a day by default"),
        pytest.param(("--hours", "12"), -43200, 0, id="half a day"),
        pytest.param(("--hours", "0.5"), -1800, 0, id="half an hour"),
        pytest.param(("--hours", "9600"), -9600 * 3600, 0, id="as long as figures are kept"),
        pytest.param(("--since", "2026-11-23T11:00:00Z"), -3600, 0, id="since"),
        pytest.param(("--since", "2026-11-23T11:00:00"), -3600, 0, id="UTC where no zone is named"),
        pytest.param(("--since", "2026-11-23T12:00:00+01:00"), -3600, 0, id="another zone"),
        pytest.param(("--since", "1795431600"), -3600, 0, id="seconds since the epoch"),
        pytest.param(("--until", "2026-11-23T11:00"), -90000, -3600, id="until"),
        pytest.param(("--until", "2026-11-23T11:00", "--hours", "1"), -7200, -3600, id="hours before until"),
        pytest.param(("--since", "2026-11-23T10:00", "--until", "2026-11-23T11:00"), -7200, -3600, id="both"),
        pytest.param(("--since", "2026-11-23T10:00", "--until", "2027-01-01"), -7200, 0, id="no later than now"),
    ],
)
def test_windows(argv: tuple[str, ...], since_s: float, until_s: float) -> None:
    assert window(since_s, until_s) == window_from(parsed(*argv), NOON_S + 0.9)


HOURS = "need at least 0.0003 (a second) and at most 9600 (400 days: figures are kept no longer)"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("--hours", "0"), f"option '--hours': out of range, got 0, {HOURS}"),
        (("--hours", "0.0001"), f"option '--hours': out of range, got 0.0001, {HOURS}"),
        (("--hours", "-1"), f"option '--hours': out of range, got -1, {HOURS}"),
        (("--hours", "87600"), f"option '--hours': out of range, got 87600, {HOURS}"),
        (("--hours", "nan"), f"option '--hours': out of range, got nan, {HOURS}"),
        (("--hours", "a day"), f"option '--hours': out of range, got a day, {HOURS}"),
        (
            ("--hours", "1", "--since", "2026-11-23"),
            "option '--hours': given together with --since, need one of them",
        ),
        (("--since", "2027-01-01"), "option '--since': not before now, got '2027-01-01'"),
        (
            ("--since", "2026-11-23T09:00", "--until", "2026-11-23T09:00"),
            "option '--since': not before --until 2026-11-23T09:00:00Z, got '2026-11-23T09:00'",
        ),
        (
            ("--since", "2016-11-23"),
            (
                "option '--since': too long ago, got '2016-11-23', "
                "need at most 400 days before the end: figures are kept no longer"
            ),
        ),
        (
            ("--until", "99999999999999"),
            "instant '--until': out of range, got '99999999999999', need the years 1970 to 9999",
        ),
        (
            ("--since", "0001-01-01", "--until", "0001-01-03"),
            "instant '--until': out of range, got '0001-01-03', need the years 1970 to 9999",
        ),
        (
            ("--since", "yesterday"),
            (
                "instant '--since': not understood, got 'yesterday', "
                "need ISO 8601 such as 2026-05-01T12:00:00Z, or seconds since the epoch"
            ),
        ),
    ],
)
def test_windows_that_cannot_be(argv: tuple[str, ...], text: str) -> None:
    with pytest.raises(UsageError) as error:
        window_from(parsed(*argv), NOON_S)
    assert text == str(error.value)


def test_the_places_of_a_service_that_chose_nothing() -> None:
    places = places_from(parsed())
    assert (Path("logs"), Path("logs/master-backend.metrics.sqlite"), False, None) == (
        places.logs,
        places.store,
        places.store_wanted,
        places.url,
    )
    assert "GET /api/deployments/pending/{agent_id}" == places.pending


def test_the_places_follow_the_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITORING_LOG_DIR", "/var/log/master")
    monkeypatch.setenv("MONITORING_STORE_DIR", "/var/lib/master")
    monkeypatch.setenv("MONITORING_SERVICE", "master")
    monkeypatch.setenv("MONITORING_ENDPOINTS", '{"items": "GET /items"}')
    places = places_from(parsed())
    assert (Path("/var/log/master"), Path("/var/lib/master/master.metrics.sqlite"), "master", "GET /items") == (
        places.logs,
        places.store,
        places.service,
        places.pending,
    )


def test_a_folder_that_is_named_holds_the_store_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITORING_STORE_DIR", "/var/lib/master")
    places = places_from(parsed("--logs", "copied", "--service", "x"))
    assert (Path("copied"), Path("copied/x.metrics.sqlite")) == (places.logs, places.store)


def test_a_url_is_asked_alone_unless_logs_are_named() -> None:
    assert (None, None) == (places_from(parsed("--url", "http://a")).logs, places_from(parsed("--url", "x")).store)
    places = places_from(parsed("--url", "http://a", "--logs", "l"))
    assert (Path("l"), None) == (places.logs, places.store)


def test_a_url_and_a_store() -> None:
    with pytest.raises(UsageError) as error:
        places_from(parsed("--url", "http://a", "--store", "b"))
    assert "option '--url': given together with --store, need one of them" == str(error.value)


def test_the_interval() -> None:
    assert 60.0 == limits_from(parsed("--interval", "1m")).interval_s
    with pytest.raises(UsageError) as error:
        limits_from(parsed("--interval", "0"))
    assert "option '--interval': empty, got '0', need more than 0s" == str(error.value)


def test_now_is_a_whole_second() -> None:
    assert NOON == window_from(parsed(), NOON_S + 0.999).until
