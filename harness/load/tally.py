"""The closing summary of a plain Locust run: a fold over its samples, and the text that shows it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.load.answers import INTERRUPTED
from harness.model import PENDING_ROUTE, Sample
from harness.units import format_count, format_duration
from monitoring.histogram import Histogram, nearest_rank


class Tally:
    """
    Counts polls and keeps their times in histograms: the same memory after a minute and after a week.

    Args:
        warmup_s: polls meant for earlier than this are left out [s since the run's origin].
    """

    def __init__(self, *, warmup_s: float = 0.0) -> None:
        self._warmup_s = warmup_s
        self.sent = 0
        self.extra = 0
        self.endless = 0
        """Polls that failed, and those missed that a failed one was sent in the stead of."""
        self.new_connections = 0
        self.errors: Counter[str] = Counter()
        self.response_time = Histogram()
        self.service_time = Histogram()
        self.start_lag = Histogram()

    def add(self, sample: Sample) -> None:
        """Take in one request; a failed poll took forever. Requests of other kinds than polls are passed over."""
        if sample.name != PENDING_ROUTE:
            return
        if sample.missed_s:
            self._add_missed(sample)
        if sample.intended_start_s < self._warmup_s:
            return
        if sample.extra:
            self.extra += 1
        else:
            self.sent += 1
            self.start_lag.record(sample.start_lag_s)
        if sample.new_connection:
            self.new_connections += 1
        if sample.error is None:
            self.response_time.record(sample.response_time_s)
            self.service_time.record(sample.service_time_s)
        else:
            self.errors[sample.error] += 1
            # Of one that was broken off nobody knows what it would have taken.
            self.endless += sample.error != INTERRUPTED

    def add_many(self, samples: Sequence[Sample]) -> None:
        """Take in several requests, each as `add` would; polls that went as they should cost a third of it."""
        plain = [
            sample
            for sample in samples
            if sample.error is None
            and not (sample.extra or sample.missed_s)
            and sample.intended_start_s >= self._warmup_s
            and sample.name == PENDING_ROUTE
        ]
        if len(plain) < len(samples):
            for sample in samples:
                self.add(sample)
            return
        self.sent += len(plain)
        self.new_connections += sum([sample.new_connection is True for sample in plain])
        self.start_lag.record_many([sample.start_s - sample.intended_start_s for sample in plain])
        self.response_time.record_many([sample.end_s - sample.intended_start_s for sample in plain])
        self.service_time.record_many([sample.end_s - sample.start_s for sample in plain])

    def _add_missed(self, sample: Sample) -> None:
        """Take in the polls that were missed before one: each had its answer, or failure, when that one had."""
        for intended_s in sample.missed_s:
            if intended_s < self._warmup_s or sample.error == INTERRUPTED:
                continue
            if sample.error is None:
                self.response_time.record(sample.end_s - intended_s)
            else:
                self.endless += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """
    What the summary says besides the samples' own figures.

    Args:
        agents: fleet size.
        measured_s: length of the part that counts [s].
        intended: polls that the schedule wanted in it.
        retries: polls that were sent anew because the target had just closed an idle connection.
        samples: where the samples are.
    """

    agents: int
    measured_s: float
    intended: int
    retries: int
    samples: str


def describe(tally: Tally, facts: RunFacts) -> str:
    """
    Write the summary, a few lines without a newline at the end.

    Quantiles are by nearest rank and within 0.8 % (`monitoring.histogram`); failed polls count as infinitely slow
    in the response time.
    """
    failed = tally.errors.total()
    kinds = ", ".join(f"{kind} {count}" for kind, count in tally.errors.most_common())
    lines = [
        f"{format_count(tally.sent)} of {format_count(facts.intended)} intended polls sent in "
        f"{format_duration(facts.measured_s)} by {format_count(facts.agents)} agents, "
        f"{format_count(facts.intended - tally.sent)} missed, {format_count(failed)} failed"
        + (f" ({kinds})" if kinds else "")
        + (f", {format_count(tally.extra)} extra polls" if tally.extra else ""),
        _times("response time", tally.response_time, tally.endless)
        + "  from the intended start, failures infinite",
        _times("service time", tally.service_time) + "  from sending, answered polls only",
        _times("start lag", tally.start_lag) + "  of this machine, or of agents still busy",
        f"{'connections':<14} {format_count(tally.new_connections)} opened"
        + (f", {format_count(facts.retries)} polls sent anew after an idle close" if facts.retries else ""),
        f"{'samples':<14} {facts.samples}",
    ]
    return "\n".join(lines)


def quantile_s(times: Histogram, q: float, *, infinite: int = 0) -> float | None:
    """
    Return a quantile by nearest rank.

    Args:
        times: the finite ones.
        q: in (0, 1].
        infinite: how many there are besides that took forever.

    Returns:
        Within 0.8 % of one of the values; None for no values.
    """
    n = times.n + infinite
    if n == 0:
        return None
    rank = nearest_rank(q, n)
    # A share of the finite ones that has the same rank among them.
    return times.quantile((rank - 0.5) / times.n) if rank <= times.n else math.inf


def _times(label: str, times: Histogram, infinite: int = 0) -> str:
    shown = (
        f"p{q * 100:.0f} {format_duration(quantile_s(times, q, infinite=infinite)):>8}" for q in (0.5, 0.95, 0.99)
    )
    return f"{label:<14} " + "  ".join(shown)
