"""What every test may ask for."""

import pytest

pytest_plugins = ["tests.postgres_fixture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")
