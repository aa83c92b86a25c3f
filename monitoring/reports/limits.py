"""The limits that the checklist, the diagnosis and the plots compare with. Pure numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLimits:
    """
    What a healthy service keeps below.

    Args:
        p50_ms: median response time of the pending endpoint [ms].
        p95_ms: 95th percentile of it [ms].
        p99_ms: 99th percentile of it [ms].
        query_p99_ms: 99th percentile of a statement's time [ms].
        error_ratio: answers of 500 and above / all, 0..1.
        pool_usage_ratio: connections in use / those that the pool may open, 0..1.
        interval_s: time from one poll of an agent to its next [s].
        interval_tolerance_ratio: how far an agent's rate may be off, 0..1.
        trend_ratio: growth of p95 and p99 from week to week that is still none.
    """

    p50_ms: float = 50.0
    p95_ms: float = 200.0
    p99_ms: float = 500.0
    query_p99_ms: float = 100.0
    error_ratio: float = 0.01
    pool_usage_ratio: float = 0.80
    interval_s: float = 10.0
    interval_tolerance_ratio: float = 0.20
    trend_ratio: float = 0.20

    @property
    def polls_per_s(self) -> float:
        """Polls an agent should send [per s]."""
        return 1.0 / self.interval_s

    @property
    def most_polls_per_s(self) -> float:
        """Polls an agent may send [per s]."""
        return self.polls_per_s * (1 + self.interval_tolerance_ratio)


def needed(q: float) -> int:
    """
    Return how many observations it takes to say anything about a quantile.

    Args:
        q: the quantile, in (0, 1).

    Returns:
        The least n for which n observations below a limit show, at 95 %, that the quantile is below it:
        5 for the median, 59 for p95, 299 for p99.

    Source: the one-sided binomial bound for zero exceedances, q ** n ≤ 0.05.
    """
    n = 1
    while q**n > 0.05:
        n += 1
    return n
