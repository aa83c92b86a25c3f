"""Plain Locust as a user runs it: in a process of its own, against a real server in another."""

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ExitCode
from harness.load.command import SCENARIO_FILE
from harness.rundir import RunDirectory, StoredSamples, read_samples
from harness.schedule import Schedule


@dataclass(frozen=True)
class Done:
    """A Locust process that has ended."""

    code: int
    output: str
    directory: RunDirectory

    @property
    def stored(self) -> StoredSamples:
        return read_samples(self.directory.samples)

    @property
    def last_line(self) -> str:
        return self.output.strip().splitlines()[-1]


class Locust:
    """A Locust process; use as a context manager."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        before: Callable[[], None] | None = None,
        headless: bool = True,
        own_group: bool = False,
        scenario: Path = SCENARIO_FILE,
    ) -> None:
        self.folder = folder
        self.log = folder / "output.txt"
        command = [sys.executable, "-m", "locust", "-f", str(scenario), *arguments]
        if headless:
            command += ["--headless", "--only-summary", "--samples-dir", str(folder / "samples")]
        self.directory = RunDirectory(folder / "samples")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=own_group,
                preexec_fn=before,  # noqa: PLW1509  # sets a limit and starts no thread
            )

    def __enter__(self) -> "Locust":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def wait_for_samples(self, lines: int, *, path: Path | None = None) -> None:
        """Wait until the samples file has as many lines, its header included."""
        path = path or self.directory.samples
        deadline_s = time.monotonic() + 60
        while not path.exists() or path.read_bytes().count(b"\n") < lines:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)

    def end(self) -> Done:
        code = self.process.wait(timeout=90)
        return Done(code=code, output=self.log.read_text(), directory=self.directory)


def run(
    folder: Path, *arguments: str, before: Callable[[], None] | None = None, scenario: Path = SCENARIO_FILE
) -> Done:
    with Locust(folder, *arguments, "--no-verdict", before=before, scenario=scenario) as locust:
        return locust.end()


HEALTHY = {ExitCode.PASS, ExitCode.INCONCLUSIVE}
"""A healthy target on a busy machine: never failed, perhaps undecided."""


def judged(folder: Path, *arguments: str) -> Done:
    with Locust(folder, *arguments) as locust:
        return locust.end()


def shared() -> list[str]:
    """Return options for two processes that meet where no other test's do."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    return [
        "--processes",
        "2",
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        port,
        "--master-port",
        port,
    ]


def intended(schedule: Schedule, end_s: float) -> list[float]:
    """Return every intended start before the end, in order."""
    return sorted(
        schedule.intended_start_s(agent, k)
        for agent in range(schedule.agents)
        for k in range(schedule.count_before(agent, end_s))
    )


def starts(stored: StoredSamples) -> list[float]:
    return sorted(sample.intended_start_s for sample in stored.samples)


def errors(stored: StoredSamples) -> dict[str | None, int]:
    return dict(Counter(sample.error for sample in stored.samples))


def opened(stored: StoredSamples) -> int:
    return sum(sample.new_connection is True for sample in stored.samples)
