"""The evidence as the evaluators see it: what several gates need is computed once."""

from functools import cached_property

import numpy as np

from harness.columns import Bools, Columns, Floats
from harness.judge.autocorrelation import Level, bulk_levels, integrated_time
from harness.judge.evidence import Evidence
from harness.judge.kinds import GENERATOR_LIMIT, INTERRUPTED, of_kind
from harness.judge.lateness import loop_lateness_s, start_lateness_s


class Context:
    """The evidence, with what several gates need computed once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.window_s = evidence.summary.window_end_s - evidence.summary.window_start_s

    @cached_property
    def polls(self) -> Columns:
        """The samples of the measured window, but for polls that the end of the run cut off."""
        return self.evidence.columns.where(self._judged)

    @cached_property
    def wanted(self) -> Columns:
        """What is known of response times: `polls`, and those missed that another was sent in the stead of."""
        return self._with_missed.where(self._is_judged(self._with_missed))

    @property
    def noun(self) -> str:
        """What the samples are, singular."""
        return "poll" if self.evidence.planned else "request"

    @cached_property
    def besides(self) -> int:
        """How many of `polls` were sent besides the schedule."""
        return 0 if self.polls.extra is None else int(self.polls.extra.sum())

    @cached_property
    def unsent(self) -> int:
        """
        Polls of the window that were never sent, or cut off: what they would have taken is not known.

        Of a route that nobody planned, only those that were cut off can be known.
        """
        return max(0, self.evidence.summary.intended - (len(self.polls) - self.besides))

    @property
    def unknown(self) -> int:
        """How many of `unsent` left no response time either."""
        return max(0, self.unsent - (len(self.wanted) - len(self.polls)))

    @cached_property
    def start_lateness_s(self) -> Floats:
        """The generator's own lateness in sending each of `polls` [s]."""
        return start_lateness_s(self.evidence.columns)[self._judged]

    @cached_property
    def loop_lateness_s(self) -> Floats:
        """How long the generator was blocked during each of `polls` [s]."""
        return loop_lateness_s(self.polls, self.evidence.ticks)

    @cached_property
    def response_lateness_s(self) -> Floats:
        """What the generator itself added to the response time of each of `wanted` [s]."""
        late_s = start_lateness_s(self._with_missed)[self._is_judged(self._with_missed)]
        return np.asarray(late_s + loop_lateness_s(self.wanted, self.evidence.ticks), dtype=np.float64)

    @cached_property
    def error_tau(self) -> float:
        """
        The autocorrelation time of the errors themselves, ≥ 1.

        The response times are left out: that answers become slower and faster says nothing of whether they fail.
        """
        return integrated_time(~self.polls.ok)

    @cached_property
    def own_failures(self) -> Bools:
        """Which of `polls` failed for want of means of the generator itself."""
        return of_kind(self.polls, GENERATOR_LIMIT)

    @cached_property
    def response_time_s(self) -> Floats:
        """End − intended start of each of `wanted`, infinite for a failure [s]."""
        return self.wanted.response_time_s

    @cached_property
    def response_levels(self) -> tuple[Level, ...]:
        """How the bulk of the response times hangs together."""
        return bulk_levels(self.response_time_s)

    @cached_property
    def service_time_s(self) -> Floats:
        """End − start of each of `polls`, infinite for a failure [s]."""
        return np.where(self.polls.ok, self.polls.service_time_s, np.inf)

    @cached_property
    def service_levels(self) -> tuple[Level, ...]:
        """How the bulk of the service times hangs together."""
        return bulk_levels(self.service_time_s)

    @cached_property
    def _with_missed(self) -> Columns:
        return self.evidence.columns.with_missed()

    @cached_property
    def _judged(self) -> Bools:
        return self._is_judged(self.evidence.columns)

    def _is_judged(self, columns: Columns) -> Bools:
        summary = self.evidence.summary
        inside = (columns.intended_start_s >= summary.window_start_s) & (
            columns.intended_start_s < summary.window_end_s
        )
        return inside & ~of_kind(columns, INTERRUPTED)
