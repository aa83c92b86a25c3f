"""Settings, durations and instants: what is understood, and what a person is told about the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from monitoring import Settings, instrument, uninstrument
from monitoring.errors import UsageError
from monitoring.units import parse_duration_s, parse_instant_s

DOCS = Path(__file__).parents[2] / "docs" / "monitoring.md"


def test_defaults() -> None:
    settings = Settings()
    assert settings.endpoints == {"pending-deployments": "GET /api/deployments/pending/{agent_id}"}
    assert settings.slow_query_s == 0.1
    assert settings.log_dir == Path("logs")
    assert settings.store_path == Path("logs/master-backend.metrics.sqlite")
    assert (settings.log_max_bytes, settings.log_backups) == (10_000_000, 5)
    assert settings.endpoint("pending-deployments") == ("GET", "/api/deployments/pending/{agent_id}")


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITORING_SLOW_QUERY_S", "250ms")
    monkeypatch.setenv("MONITORING_ENDPOINTS", '{"list": "GET /api/items"}')
    monkeypatch.setenv("MONITORING_TOKEN", "secret-word")
    monkeypatch.setenv("MONITORING_EXCLUDED_ROUTES", "/quiet, /loud/*")
    monkeypatch.setenv("MONITORING_LOG_MAX_AGE_S", "1d")
    settings = Settings.load()
    assert settings.slow_query_s == 0.25
    assert settings.endpoint("list") == ("GET", "/api/items")
    assert settings.log_max_age_s == 86_400
    assert settings.excluded_routes == ("/quiet", "/loud/*")
    monkeypatch.setenv("MONITORING_EXCLUDED_ROUTES", '["/a,b", "/c"]')
    assert Settings.load().excluded_routes == ("/a,b", "/c")
    assert "secret-word" not in repr(settings)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (
            {"slow_query_s": "5 parsecs"},
            "setting 'slow_query_s': not a duration such as 100ms, 60s or 7d, got '5 parsecs'",
        ),
        ({"slow_query_s": -1}, "setting 'slow_query_s': Input should be greater than 0, got -1"),
        ({"health_deadline_s": "0s"}, "setting 'health_deadline_s': Input should be greater than 0, got '0s'"),
        ({"log_backups": -1}, "setting 'log_backups': Input should be greater than or equal to 0, got -1"),
        ({"service": "a/b"}, "setting 'service': String should match pattern"),
        ({"endpoints": {"prometheus": "GET /x"}}, "name 'prometheus': need small letters, digits and dashes"),
        ({"endpoints": {"x": "/x"}}, "endpoint 'x': got '/x', need a form such as 'GET /api/items/{id}'"),
        ({"log_format": "xml"}, "setting 'log_format': Input should be 'json' or 'text', got 'xml'"),
        (
            {"service": "database-queries"},
            "setting 'service': the name of the log of all statements, got 'database-queries'",
        ),
        ({"token": ""}, "setting 'token': not a token of ASCII letters, digits and signs, got ***"),
        ({"token": "from-a-file\n"}, "setting 'token': not a token of ASCII letters, digits and signs, got ***"),
        ({"token": "größer"}, "setting 'token': not a token of ASCII letters, digits and signs, got ***"),
        ({"unknown": 1}, "setting 'unknown': Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_used(chosen: dict[str, Any], text: str) -> None:
    """One line that names the setting, the value and the variable."""
    with pytest.raises(UsageError) as caught:
        Settings.load(**chosen)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        (
            "SLOW_QUERY_S",
            "5 parsecs",
            (
                "setting 'slow_query_s': not a duration such as 100ms, 60s or 7d, got '5 parsecs'; "
                "try another value for MONITORING_SLOW_QUERY_S"
            ),
        ),
        (
            "LEAK_THRESHOLD_S",
            "-30",
            (
                "setting 'leak_threshold_s': not a duration such as 100ms, 60s or 7d, got '-30'; "
                "try another value for MONITORING_LEAK_THRESHOLD_S"
            ),
        ),
        (
            "LOG_MAX_AGE_S",
            "0d",
            (
                "setting 'log_max_age_s': Input should be greater than 0, got '0d'; "
                "try another value for MONITORING_LOG_MAX_AGE_S"
            ),
        ),
        (
            "LOG_MAX_BYTES",
            "10MB",
            (
                "setting 'log_max_bytes': Input should be a valid integer, unable to parse string as an integer, "
                "got '10MB'; try another value for MONITORING_LOG_MAX_BYTES"
            ),
        ),
        (
            "ENDPOINTS",
            "GET /x",
            "setting 'endpoints': not JSON, got 'GET /x'; try another value for MONITORING_ENDPOINTS",
        ),
    ],
)
def test_a_bad_variable_stops_instrument_with_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    """What the environment says wrong is told when the service is set up, and nothing is left half done."""
    monkeypatch.setenv(f"MONITORING_{variable}", value)
    app = FastAPI()
    routes = list(app.router.routes)
    with pytest.raises(UsageError) as caught:
        instrument(app)
    assert str(caught.value) == text
    assert app.router.routes == routes


@pytest.mark.parametrize("field", ["log_dir", "store_dir"])
def test_a_folder_that_is_a_file_stops_instrument(tmp_path: Path, field: str) -> None:
    """One line that names the setting, the file and the variable; nothing is made on the disk."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    chosen = {"log_dir": tmp_path / "logs", field: in_the_way / "deeper" / "logs"}
    with pytest.raises(UsageError) as caught:
        instrument(FastAPI(), None, Settings(**chosen))
    assert str(caught.value) == (
        f"setting '{field}': '{in_the_way}' is not a folder, got '{in_the_way / 'deeper' / 'logs'}'; "
        f"try another value for MONITORING_{field.upper()}"
    )
    assert list(tmp_path.iterdir()) == [in_the_way]


def test_folders_that_nobody_needs_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    quiet = {"log_requests": False, "log_queries": False, "store": False}
    app = FastAPI()
    instrument(app, None, Settings(log_dir=tmp_path / "file", **quiet))
    uninstrument(app)


def test_a_folder_that_cannot_be_written_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be writable later, and until then all goes on: a warning when the service is set up, no error."""
    # Not by its mode: tests may run as root, who may write anywhere.
    monkeypatch.setattr("monitoring.install.os.access", lambda *_: False)
    app = FastAPI()
    instrument(app, None, Settings(log_dir=tmp_path / "logs"))
    uninstrument(app)
    assert caplog.messages == [
        (
            f"monitoring: setting 'log_dir': '{tmp_path}' can't be written; until it can, lines go to standard "
            "error and figures stay in memory"
        )
    ]


def test_a_token_is_not_shown_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.load(token=["secret-word"])
    assert "secret-word" not in str(caught.value)


def test_a_token_is_not_shown_by_pydantic_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(token="secret word")
    assert "secret word" not in str(caught.value)


def test_an_empty_token_is_warned_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """`MONITORING_TOKEN=$UNSET` leaves the endpoints open, as no variable does, but not in silence."""
    monkeypatch.setenv("MONITORING_TOKEN", "")
    assert Settings.load().token is None
    assert caplog.messages == ["monitoring: MONITORING_TOKEN is empty, so everybody may read the endpoints"]
    caplog.clear()
    monkeypatch.setenv("MONITORING_TOKEN", "open-sesame")
    Settings.load()
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("100ms", 0.1),
        ("60s", 60.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("7d", 604_800.0),
        ("2.5", 2.5),
        ("1 h", 3600.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "-5s", "5 parsecs", "1h-", "nan", "inf"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="duration 'w': not understood"):
        parse_duration_s(text, name="w")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "-5", "nan"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(UsageError, match="instant 'since': not understood"):
        parse_instant_s(text, name="since")


def test_excluded_routes() -> None:
    assert not Settings().excludes("/api/health")
    chosen = Settings(excluded_routes=("/quiet", "/loud/*"))
    assert [chosen.excludes(route) for route in ("/quiet", "/quiet/x", "/loud/x", "/api/health")] == [
        True,
        False,
        True,
        False,
    ]


def settings_table() -> str:
    """The table of the documentation, made from the settings themselves."""
    rows = ["| Variable | Default | What it chooses |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = (
            {True: "true", False: "false", None: "–"}.get(default) if isinstance(default, bool | None) else None
        )
        if shown is None:
            shown = f"`{default}`" if not isinstance(default, dict) else "see below"
        rows.append(f"| `MONITORING_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def test_the_documented_table_is_true() -> None:
    """`docs/monitoring.md` lists every setting with its default; this prints the table when it does not."""
    found = re.search(r"\| Variable \| Default .*?(?=\n\n)", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert found.group(0) == settings_table()


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MONITORING_LOG_DIRS", "MONITORING_LOG_DIR"),
        ("MONITORING_LOG_MAXBYTES", "MONITORING_LOG_MAX_BYTES"),
        ("monitoring_slow_query", "MONITORING_SLOW_QUERY_S"),
    ],
)
def test_a_mistyped_variable_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, meant: str
) -> None:
    """What looks like a setting and is none is said, with the one that may be meant."""
    monkeypatch.setenv(variable, "5")
    Settings.load()
    assert caplog.messages == [
        f"monitoring: there is no setting '{variable}', it is left aside; is '{meant}' meant?"
    ]


def test_variables_of_others_are_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MONITORING_HOST", "a")
    monkeypatch.setenv("MONITORING_LOG_BACKUPS", "3")
    Settings.load()
    assert caplog.messages == []
