import json
import logging
from collections.abc import Iterator

import pytest

from monitoring.logs.handler import LogFileHandler
from monitoring.logs.lines import as_text


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that reaches only the handlers the test gives it."""
    logger = logging.getLogger("master.deployments")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def test_a_record_becomes_a_line_with_the_request_it_belongs_to(logger: logging.Logger) -> None:
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append, request_id=lambda: "5f0c2b"))
    logger.warning("agent %s reported %d times", "agent-0042", 3)
    (line,) = lines
    stored = json.loads(line)
    assert stored.pop("time").endswith("Z")
    assert stored.pop("source").startswith("test_handler.py:")
    assert stored == {
        "level": "WARNING",
        "logger": "master.deployments",
        "message": "agent agent-0042 reported 3 times",
        "request_id": "5f0c2b",
    }


def test_outside_of_a_request_there_is_no_id(logger: logging.Logger) -> None:
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append))
    logger.info("started")
    assert "request_id" not in json.loads(lines[0])


def test_an_exception_comes_with_its_class_and_traceback_on_one_line(logger: logging.Logger) -> None:
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append))
    try:
        dict[str, str]()["no\nsuch agent"]
    except KeyError:
        logger.exception("failed")
    assert b"\n" not in lines[0]
    stored = json.loads(lines[0])
    assert stored["level"] == "ERROR"
    assert stored["exception"] == "KeyError"
    assert stored["traceback"].startswith("Traceback (most recent call last):\n")
    assert stored["traceback"].endswith("KeyError: 'no\\nsuch agent'")


def test_exc_info_without_an_exception_adds_nothing(logger: logging.Logger) -> None:
    """`logging` allows ``exc_info=True`` where nothing was raised."""
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append))
    logger.error("no cause", exc_info=True)
    assert {"exception", "traceback"} & json.loads(lines[0]).keys() == set()


def test_levels_filter_as_for_any_handler(logger: logging.Logger) -> None:
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append, level="ERROR"))
    logger.warning("not this")
    logger.error("this")
    assert [json.loads(line)["message"] for line in lines] == ["this"]


def test_the_text_form(logger: logging.Logger) -> None:
    lines: list[bytes] = []
    logger.addHandler(LogFileHandler(lines.append, form=as_text))
    logger.info("a message\nforged")
    assert b' INFO master.deployments message="a message\\nforged" source=test_handler.py:' in lines[0]


def test_a_record_that_cannot_be_formatted_is_reported_and_harms_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines: list[bytes] = []
    handler = LogFileHandler(lines.append)
    for message, argument in (("%d", "no number"), ("%s", "next")):
        handler.handle(logging.LogRecord("app", logging.INFO, "app.py", 3, message, (argument,), None))
    assert [json.loads(line)["message"] for line in lines] == ["next"]
    assert "--- Logging error ---" in capsys.readouterr().err
