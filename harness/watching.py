"""Watch a run's samples while they are written, and say when the run need not go on."""

from collections.abc import Callable, Sequence

from harness.columns import Columns
from harness.judge.sequential import Plan, Watcher
from harness.model import EarlyStop, Gate, Sample, Scenario
from harness.rundir import RunDirectory, read_header, read_ticks
from harness.samplefile import POLLED, ColumnsBuilder
from harness.schedule import intended_in_window


class RunWatch:
    """
    The samples of a run that goes on, and what the gates say of them.

    Args:
        gates: of the run.
        scenario: the plan.
        directory: the run's folder; its generator's ticks are read.
        settling: whether the run may end as soon as every gate is settled.
        since_s: tells the first instant that is judged [s since the run's origin]; None while that is to come.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        scenario: Scenario,
        directory: RunDirectory,
        *,
        settling: bool,
        since_s: Callable[[], float | None],
    ) -> None:
        self._gates = gates
        self._scenario = scenario
        self._directory = directory
        self._settling = settling
        self._since_s = since_s
        self._watcher: Watcher | None = None
        self._waiting: list[Sample] = []
        self._builders: dict[tuple[str, str], ColumnsBuilder] = {}
        self._polls = 0
        self.is_idle = not settling and not any(gate.abort_on_fail for gate in gates)

    def take(self, sample: Sample) -> None:
        """Take in a sample."""
        if not self.is_idle:
            self._waiting.append(sample)
            self._polls += 1

    def look(self, elapsed_s: float) -> EarlyStop | None:
        """Return why the run need not go on, `elapsed_s` seconds after its origin; None while it has to."""
        since_s = self._since_s()
        if self.is_idle or not self._polls or since_s is None:
            return None
        if self._watcher is None:
            self._watcher = self._make_watcher()
            self.is_idle = self._watcher.is_idle
        return self._watcher.look(
            self._polls,
            self._routes,
            start_s=since_s,
            now_s=elapsed_s,
            ticks=lambda: read_ticks(self._directory.generator),
        )

    def _make_watcher(self) -> Watcher:
        header = read_header(self._directory.samples)
        scenario = self._scenario
        plan = Plan(
            header=header,
            agents=scenario.agents,
            interval_s=scenario.interval_s,
            run_time_s=scenario.run_time_s,
            polled=POLLED,
            intended=lambda start_s, end_s: intended_in_window(header, start_s, end_s),
            settling=self._settling,
        )
        return Watcher(self._gates, plan)

    def _routes(self) -> dict[str, Columns]:
        groups: dict[tuple[str, str], list[Sample]] = {}
        for sample in self._waiting:
            groups.setdefault((sample.method, sample.name), []).append(sample)
        self._waiting = []
        for key, samples in groups.items():
            self._builders.setdefault(key, ColumnsBuilder()).add(samples)
        return {f"{method} {name}": b.columns(forget=False) for (method, name), b in self._builders.items()}
