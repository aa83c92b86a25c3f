"""What every test may ask for."""

import pytest
from hypothesis import settings

# A deadline for each example would be a timing assert, and a busy machine misses it. The same examples each time:
# what fails is then the change's fault; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("pollgauge", deadline=None, derandomize=True)
settings.load_profile("pollgauge")

pytest_plugins = ["tests.postgres_fixture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a CI job the harness writes annotations and into the job's summary by itself: not for the tests' runs."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
