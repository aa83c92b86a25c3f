"""
Watching a run while it goes on: has a gate surely failed, is everything settled.

Each look judges what there is as it would be judged at the end, but with bounds that hold however often one looks
(`harness.judge.always`). Nothing here reads a clock or a file: samples are handed in, and so is the time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.columns import Columns
from harness.judge.catalogue import METRICS, Kind, Scope
from harness.judge.evidence import Evidence, RouteEvidence
from harness.judge.gates import judge
from harness.judge.summary import summarise
from harness.judge.wording import duration
from harness.model import EarlyStop, Finding, Gate, GeneratorTick, SampleHeader, Status

_FIRST_LOOK_POLLS = 50
_LOOK_EVERY_POLLS = 100
_LOOK_GROWTH = 1 / 20
"""Beyond 2,000 polls a look is worth its time only when there are a twentieth more."""

_WRITING_LAG_S = 1.0
"""A poll may have ended so long ago and not stand in the file yet."""

Routes = Callable[[], dict[str, Columns]]
"""Gives the samples so far, route by route; called only when there is a look."""

Ticks = Callable[[], Sequence[GeneratorTick]]
"""Gives the generator's health so far; likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a watcher has to know of a run.

    Args:
        header: of the samples.
        agents: fleet size.
        interval_s: polling interval of each agent [s].
        run_time_s: planned length [s].
        polled: key of the polled route, such as ``GET /api/…``.
        intended: how many polls the schedule wants in a window [s since the run's origin].
        settling: whether the run may end as soon as every gate is settled.
    """

    header: SampleHeader
    agents: int
    interval_s: float
    run_time_s: float
    polled: str
    intended: Callable[[float, float], int]
    settling: bool


class Watcher:
    """
    Says when a run need not go on.

    Args:
        gates: of the run. Those with ``abort_on_fail`` end it when they have surely failed; the others matter only
            when it may end for being settled.
        plan: the run.
    """

    def __init__(self, gates: Sequence[Gate], plan: Plan) -> None:
        self._plan = plan
        self._aborting = [gate for gate in gates if gate.abort_on_fail]
        self._settled_by = [gate for gate in gates if METRICS[gate.metric].scope is Scope.ROUTE]
        self._settled_by = [gate for gate in self._settled_by if not gate.against_baseline]
        self._next_polls = _FIRST_LOOK_POLLS
        self._settled_until_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no look could end the run."""
        return not self._aborting and not (self._plan.settling and self._shares())

    def look(
        self, polls: int, routes: Routes, *, start_s: float, now_s: float, ticks: Ticks = tuple
    ) -> EarlyStop | None:
        """
        Look whether the run need not go on, if it is time to look.

        Args:
            polls: samples so far.
            routes: gives them.
            start_s: first instant that is judged [s since the run's origin].
            now_s: this instant [s since the run's origin].
            ticks: gives the generator's health so far.

        Returns:
            Why it need not; None while it has to.
        """
        if self.is_idle or now_s <= start_s:
            return None
        if polls >= self._next_polls and self._aborting:
            self._next_polls = polls + max(_LOOK_EVERY_POLLS, int(polls * _LOOK_GROWTH))
            stop = self._failed(routes(), start_s, now_s, ticks())
            if stop is not None:
                return stop
        if self._plan.settling and self._shares():
            until_s = self._whole_intervals(start_s, now_s)
            if until_s > max(start_s, self._settled_until_s):
                self._settled_until_s = until_s
                return self._settled(routes(), start_s, until_s, ticks())
        return None

    def _failed(
        self, routes: dict[str, Columns], start_s: float, now_s: float, ticks: Sequence[GeneratorTick]
    ) -> EarlyStop | None:
        # Of polls that are still on their way nothing is known, which is no sign of a failure.
        findings = self._judge(self._aborting, routes, start_s, now_s, ticks, intended=None)
        failed = [finding for finding in findings if finding.status is Status.FAIL]
        if not failed:
            return None
        names = tuple(finding.gate.name for finding in failed)
        why = f"{', '.join(names)} had surely failed: {failed[0].reason}"
        return self._stop(Status.FAIL, names, now_s, why)

    def _settled(
        self, routes: dict[str, Columns], start_s: float, until_s: float, ticks: Sequence[GeneratorTick]
    ) -> EarlyStop | None:
        intended = self._plan.intended(start_s, until_s)
        findings = self._judge(self._settled_by, routes, start_s, until_s, ticks, intended=intended)
        shares = [finding.status for finding in findings if _is_share(finding.gate)]
        plain = [finding.status for finding in findings if not _is_share(finding.gate)]
        if not set(shares) <= {Status.PASS, Status.FAIL}:
            return None
        # A plain figure is what it is at the end: only one that is fine need not be waited for.
        if Status.FAIL not in shares and set(plain) - {Status.PASS}:
            return None
        names = tuple(finding.gate.name for finding in findings)
        return self._stop(Status.PASS, names, until_s, "every gate on the samples was settled")

    def _judge(
        self,
        gates: Sequence[Gate],
        routes: dict[str, Columns],
        start_s: float,
        until_s: float,
        ticks: Sequence[GeneratorTick],
        *,
        intended: int | None,
    ) -> tuple[Finding, ...]:
        plan = self._plan
        if plan.polled not in routes:
            return ()

        def evidence_of(columns: Columns, wanted: int | None) -> RouteEvidence:
            summary = summarise(
                columns,
                header=plan.header,
                window_start_s=start_s,
                window_end_s=until_s,
                intended=len(columns.window(start_s, until_s)) if wanted is None else wanted,
            )
            return RouteEvidence(columns=columns, summary=summary)

        others = {key: evidence_of(columns, None) for key, columns in routes.items() if key != plan.polled}
        polled = evidence_of(routes[plan.polled], intended)
        evidence = Evidence(
            summary=polled.summary,
            columns=polled.columns,
            agents=plan.agents,
            interval_s=plan.interval_s,
            server=None,
            indexes=(),
            ticks=tuple(ticks),
            interrupted=True,
            others=others,
            settling=plan.settling,
            watching=True,
        )
        return judge(gates, evidence).findings

    def _whole_intervals(self, start_s: float, now_s: float) -> float:
        """
        Return the end of the last whole interval of which everything is known.

        A poll that began in it and is not answered now took longer than every limit, or is counted as if it had.
        """
        limits_s = [gate.limit for gate in self._settled_by if gate.unit == "s"]
        known_s = now_s - max(limits_s, default=0.0) - _WRITING_LAG_S
        return start_s + max(0.0, (known_s - start_s) // self._plan.interval_s) * self._plan.interval_s

    def _shares(self) -> bool:
        return any(_is_share(gate) for gate in self._settled_by)

    def _stop(self, status: Status, gates: tuple[str, ...], until_s: float, why: str) -> EarlyStop:
        planned = duration(self._plan.run_time_s)
        return EarlyStop(
            status=status,
            gates=gates,
            judged_until_s=until_s,
            reason=f"The run was ended after {duration(until_s)} of {planned}, because {why}",
        )


def _is_share(gate: Gate) -> bool:
    return METRICS[gate.metric].kind is not Kind.PLAIN
