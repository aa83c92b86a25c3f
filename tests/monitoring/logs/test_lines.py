import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.logs.lines import (
    FORMS,
    MAX_CHARACTERS,
    Form,
    LogLine,
    as_json,
    as_text,
    format_log,
    format_queries,
    format_query,
    format_request,
    format_requests,
    instant,
)
from tests.monitoring.logs.builders import NOON_S, query, request

HOSTILE = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from('\n\r\t\x00\x1b\x7f\x85\u2028\u2029\u202e\ufeff"\\ =\udc80\ud83d'),
    ),
    max_size=60,
)


def log_line(**changes: Any) -> LogLine:
    fields: dict[str, Any] = {
        "time": instant(NOON_S),
        "level": "INFO",
        "logger": "app",
        "message": "started",
        "source": "app.py:3",
    }
    return LogLine(**fields | changes)


def test_a_request_is_one_readable_line_of_json() -> None:
    """Everything the spec lists stands in the line, with units in the names; what is unknown is left out."""
    assert format_request(request()) == (
        b'{"time":"2026-11-23T12:00:00.004213Z","level":"INFO","logger":"monitoring.request","request_id":"5f0c2b",'
        b'"method":"GET","route":"/api/deployments/pending/{agent_id}",'
        b'"path":"/api/deployments/pending/agent-0042","status":200,"duration_ms":4.213,"database_ms":1.2,'
        b'"queries":2,"pool_wait_ms":0.01,"bytes_out":345,"client":"127.0.0.1","agent":"agent-0042"}'
    )


def test_a_statement_is_one_readable_line_of_json() -> None:
    line = query(slow=True, parameters="[1]", error="OperationalError", rows=None, many=True)
    assert format_query(line) == (
        b'{"time":"2026-11-23T12:00:00.000500Z","level":"ERROR","logger":"monitoring.query","engine":"main",'
        b'"statement":"SELECT 1","duration_ms":0.5,"many":true,"slow":true,"request_id":"5f0c2b",'
        b'"route":"/api/health","parameters":"[1]","exception":"OperationalError"}'
    )


def test_text_is_key_and_value_for_people() -> None:
    line = request(path="/a b", agent=None, client='"', exception="ValueError")
    assert format_request(line, form=as_text) == (
        b"2026-11-23T12:00:00.004213Z INFO monitoring.request request_id=5f0c2b method=GET "
        b'route=/api/deployments/pending/{agent_id} path="/a b" status=200 duration_ms=4.213 database_ms=1.2 '
        b'queries=2 pool_wait_ms=0.01 bytes_out=345 client="\\"" exception=ValueError'
    )
    assert format_query(query(slow=True), form=as_text) == (
        b'2026-11-23T12:00:00.000500Z WARNING monitoring.query engine=main statement="SELECT 1" duration_ms=0.5 '
        b"rows=1 slow=true request_id=5f0c2b route=/api/health"
    )


def test_text_escapes_what_is_not_ascii_as_json_does() -> None:
    line = as_text(log_line(message="é\u2028\U0001f600"))
    assert line.endswith(b'message="\\u00e9\\u2028\\ud83d\\ude00" source=app.py:3')
    assert json.loads(line.split(b"message=")[1].split(b" source")[0]) == "é\u2028\U0001f600"


@pytest.mark.parametrize(
    ("status", "duration_s", "level"),
    [
        pytest.param(101, 0.1, "INFO", id="a websocket"),
        pytest.param(200, 0.4999, "INFO", id="just quick enough"),
        pytest.param(200, 0.5, "WARNING", id="slow"),
        pytest.param(399, 0.1, "INFO", id="the last status that is no error"),
        pytest.param(400, 0.1, "WARNING", id="the client's fault"),
        pytest.param(499, 0.1, "WARNING", id="the client left"),
        pytest.param(500, 0.1, "ERROR", id="our fault"),
        pytest.param(503, 9.9, "ERROR", id="slow as well: the graver counts"),
    ],
)
def test_level_of_a_request(status: int, duration_s: float, level: str) -> None:
    line = format_request(request(status=status, duration_s=duration_s), slow_s=0.5)
    assert json.loads(line)["level"] == level


def test_without_a_threshold_no_request_is_slow() -> None:
    assert json.loads(format_request(request(duration_s=1e6)))["level"] == "INFO"


@pytest.mark.parametrize(
    ("slow", "error", "level"),
    [(False, None, "INFO"), (True, None, "WARNING"), (False, "DataError", "ERROR"), (True, "DataError", "ERROR")],
)
def test_level_of_a_statement(slow: bool, error: str | None, level: str) -> None:  # noqa: FBT001  # table column
    assert json.loads(format_query(query(slow=slow, error=error)))["level"] == level


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nothing_in_a_request_can_forge_a_line(path: str, header: str, route: str) -> None:
    """Whatever comes from outside, the line is one line for every reader, and says what was sent."""
    line = request(path=path, request_id=header, client=header, agent=path, route=route, exception=header)
    for form in FORMS.values():
        formatted = format_request(line, form=form)
        assert formatted.decode().splitlines() == [formatted.decode()]
        assert (
            all(character.isprintable() for character in formatted.decode().replace("\xad", "")) or form is as_json
        )
    stored = json.loads(format_request(line))
    assert stored["path"] == path.encode("utf-8", "backslashreplace").decode()
    assert stored["status"] == 200


@given(HOSTILE, HOSTILE)
def test_nothing_in_a_statement_or_message_can_forge_a_line(first: str, second: str) -> None:
    for form in FORMS.values():
        for formatted in (
            format_query(query(statement=first, parameters=second, error=second), form=form),
            format_log(log_line(message=first, logger=second, traceback=second, level=second), form=form),
        ):
            assert formatted.decode().splitlines() == [formatted.decode()]


@pytest.mark.parametrize(
    "character",
    [
        "\n",
        "\r",
        "\x1b",
        "\x7f",
        "\x85",
        "\x9b",
        "\u061c",
        "\u200b",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ufeff",
    ],
)
def test_a_character_that_ends_lines_or_steers_terminals_is_escaped(character: str) -> None:
    """JSON leaves most of these alone; we do not, and the value survives."""
    line = format_request(request(path=f"/a{character}b"))
    assert character not in line.decode()
    assert json.loads(line)["path"] == f"/a{character}b"


def test_what_people_write_stays_readable() -> None:
    assert '"path":"/schöne/路径"'.encode() in format_request(request(path="/schöne/路径"))


def test_bytes_that_are_no_utf_8_stay_visible() -> None:
    """A path of raw bytes reaches us as lone surrogates, which UTF-8 can't hold."""
    path = b"/\xff\xfe".decode("utf-8", "surrogateescape")
    assert json.loads(format_request(request(path=path)))["path"] == "/\\udcff\\udcfe"
    assert b" path=/\\udcff\\udcfe " in format_request(request(path=path), form=as_text)


def test_long_texts_are_cut_and_say_so() -> None:
    long = "x" * (MAX_CHARACTERS + 7)
    cut = "x" * MAX_CHARACTERS + "… (7 more)"
    assert json.loads(format_request(request(path=long, agent=long)))["path"] == cut
    assert json.loads(format_request(request(path=long, agent=long)))["agent"] == cut
    assert json.loads(format_query(query(statement=long, parameters=long)))["statement"] == cut
    assert json.loads(format_query(query(statement=long, parameters=long)))["parameters"] == cut
    assert json.loads(format_log(log_line(message=long)))["message"] == cut


def test_the_end_of_a_long_traceback_is_kept() -> None:
    """That is where the error is named."""
    traceback = "frame\n" * MAX_CHARACTERS + "ValueError: no"
    stored = json.loads(format_log(log_line(traceback=traceback)))
    assert stored["traceback"] == traceback[-MAX_CHARACTERS:]
    assert stored["message"] == "started"


@given(st.integers(0, 4_102_444_800), st.integers(0, 999_999))
def test_instants_are_iso_8601_of_fixed_width(second: int, micros: int) -> None:
    """So they read back, and sort as text the way they sort as time."""
    text = instant(second + micros / 1e6)
    assert len(text) == 27
    read = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert math.isclose(read.timestamp(), second + micros / 1e6, abs_tol=2e-6)


def test_an_instant_before_the_epoch_keeps_its_micros() -> None:
    """A machine without a clock starts in 1970, and a duration may reach back further."""
    assert instant(-0.25) == "1969-12-31T23:59:59.750000Z"


@pytest.mark.parametrize("time_s", [1e18, -1e18])
def test_a_time_no_calendar_has_is_refused(time_s: float) -> None:
    with pytest.raises(ValueError, match=r"time: out of range, got -?1e\+18, need the years 1 to 9999"):
        instant(time_s)


@pytest.mark.parametrize("form", [as_json, as_text])
def test_many_lines_are_the_single_ones(form: Form) -> None:
    """Over two seconds, with what has to be escaped among them, and none at all."""
    several = [
        request(time_s=1000.0 + n / 3, path=path, agent=agent, status=status)
        for n, (path, agent, status) in enumerate(
            [("/a", None, 200), ("/\u2028\n", "x y", 404), ("/\udcff", "é", 500), ("/b" * 9000, "c" * 17000, 200)]
        )
    ]
    for few in ([], several[:1], several):
        together = format_requests(few, slow_s=0.5, form=form)
        assert together == b"".join(format_request(one, slow_s=0.5, form=form) + b"\n" for one in few)
    statements = [query(time_s=1000.0 + n, statement=text) for n, text in enumerate(("SELECT 1", "SELECT '\x7f'"))]
    assert format_queries(statements, form=form) == b"".join(
        format_query(one, form=form) + b"\n" for one in statements
    )
