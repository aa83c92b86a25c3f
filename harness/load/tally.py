"""The closing summary of a plain Locust run: a fold over its samples, and the text that shows it."""

from array import array
from collections import Counter
from dataclasses import dataclass

from harness.model import Sample
from harness.units import format_count, format_duration
from monitoring.histogram import nearest_rank


class Tally:
    """
    Counts polls and keeps their times, eight bytes each, so that the quantiles are exact.

    Args:
        warmup_s: polls meant for earlier than this are left out [s since the run's origin].
    """

    def __init__(self, *, warmup_s: float = 0.0) -> None:
        self._warmup_s = warmup_s
        self.sent = 0
        self.new_connections = 0
        self.errors: Counter[str] = Counter()
        self.response_times_s = array("d")
        self.service_times_s = array("d")
        self.start_lags_s = array("d")

    def add(self, sample: Sample) -> None:
        """Take in one poll; a failed one took forever."""
        if sample.intended_start_s < self._warmup_s:
            return
        self.sent += 1
        self.start_lags_s.append(sample.start_lag_s)
        if sample.new_connection:
            self.new_connections += 1
        if sample.error is None:
            self.response_times_s.append(sample.response_time_s)
            self.service_times_s.append(sample.service_time_s)
        else:
            self.errors[sample.error] += 1
            self.response_times_s.append(float("inf"))


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

    Quantiles are by nearest rank, and failed polls count as infinitely slow in the response time.
    """
    failed = tally.errors.total()
    kinds = ", ".join(f"{kind} {count}" for kind, count in tally.errors.most_common())
    lines = [
        f"{format_count(tally.sent)} of {format_count(facts.intended)} intended polls sent in "
        f"{format_duration(facts.measured_s)} by {format_count(facts.agents)} agents, "
        f"{format_count(facts.intended - tally.sent)} missed, {format_count(failed)} failed"
        + (f" ({kinds})" if kinds else ""),
        _times("response time", tally.response_times_s) + "  from the intended start, failures infinite",
        _times("service time", tally.service_times_s) + "  from sending, answered polls only",
        _times("start lag", tally.start_lags_s) + "  of this machine, or of agents still busy",
        f"{'connections':<14} {format_count(tally.new_connections)} opened"
        + (f", {format_count(facts.retries)} polls sent anew after an idle close" if facts.retries else ""),
        f"{'samples':<14} {facts.samples}",
    ]
    return "\n".join(lines)


def quantile_s(values: "array[float]", q: float) -> float | None:
    """
    Return a quantile by nearest rank.

    Args:
        values: in any order.
        q: in (0, 1].

    Returns:
        One of the values; None for no values.
    """
    return sorted(values)[nearest_rank(q, len(values)) - 1] if values else None


def _times(label: str, values: "array[float]") -> str:
    shown = (f"p{q * 100:.0f} {format_duration(quantile_s(values, q)):>8}" for q in (0.5, 0.95, 0.99))
    return f"{label:<14} " + "  ".join(shown)
