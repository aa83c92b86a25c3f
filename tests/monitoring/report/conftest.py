from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.report import Places, make_report
from monitoring.reports.records import Report, Window
from tests.monitoring.report.past import NOON_S, Past

NOON = datetime.fromtimestamp(NOON_S, UTC)


def window(since_s: float, until_s: float) -> Window:
    """From and to so many seconds after noon."""
    return Window(since=NOON + timedelta(seconds=since_s), until=NOON + timedelta(seconds=until_s))


def places(folder: Path, *, service: str = "master-backend", store: bool = True) -> Places:
    return Places(service=service, logs=folder, store=folder / f"{service}.metrics.sqlite" if store else None)


def reported(folder: Path, since_s: float, until_s: float, *, store: bool = True) -> Report:
    """The report of a folder; without its store, that of the log files."""
    asked = window(since_s, until_s)
    return make_report(places(folder, store=store), asked, generated=asked.until)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Callable[..., Past]]:
    made: list[Past] = []

    def call(name: str = "logs", **kwargs: float) -> Past:
        made.append(Past(tmp_path / name, **kwargs))  # type: ignore[arg-type]
        return made[-1]

    yield call
    for one in made:
        one.close()
