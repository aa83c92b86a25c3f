"""
A PostgreSQL server for the tests that ask for one: one per process (so per xdist worker), a database per test.

Where no server can be started the tests are skipped, and the summary says so in red.
"""

import itertools
from collections.abc import Iterator

import pytest

from harness.errors import HarnessError
from harness.postgres import PostgresServer, ephemeral_postgres

SKIP_REASON = "PostgreSQL tests were NOT run: "

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server of our own."""
    try:
        context = ephemeral_postgres()
        server = context.__enter__()
    except HarnessError as fault:
        pytest.skip(f"{SKIP_REASON}{fault}")
    try:
        yield server
    finally:
        context.__exit__(None, None, None)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database that only this test uses."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out where nobody overlooks it."""
    reasons = {
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and SKIP_REASON in report.longrepr[2]
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(reason, red=True, bold=True)
