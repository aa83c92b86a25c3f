"""What a gate can be about: every metric with its unit, how it is judged, and what it is measured on. Light."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.model import Direction


class Kind(StrEnum):
    """How a metric is judged."""

    QUANTILE = "quantile"
    """A distribution: its gates name a quantile and are judged by counting exceedances."""

    SHARE = "share"
    """A ratio of observations: judged by counting."""

    PLAIN = "plain"
    """A figure of the whole run: compared as it is."""


class Scope(StrEnum):
    """What a metric is measured on."""

    ROUTE = "route"
    """The samples of one route."""

    TARGET = "target"
    """The target's own figures."""

    PICKUPS = "pickups"
    """The deployments ordered during the run."""

    PLANS = "plans"
    """The database's query plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """
    One metric.

    Args:
        unit: as `harness.model.Gate.unit`.
        kind: how it is judged.
        scope: what it is measured on.
        better: the side on which it has to stay; NEAR where both are possible.
        selects: whether a kind of error or a status may be named in brackets.
        watchable: whether it can be judged from the samples while the run goes on.
        text: what it is, for people.
    """

    unit: str
    kind: Kind
    scope: Scope = Scope.ROUTE
    better: Direction = Direction.BELOW
    selects: bool = False
    watchable: bool = False
    text: str


METRICS: Mapping[str, MetricFacts] = {
    "achieved_rate": MetricFacts(
        unit="per_s", kind=Kind.PLAIN, better=Direction.NEAR, text="requests completed without error, a second"
    ),
    "answers": MetricFacts(
        unit="count",
        kind=Kind.PLAIN,
        better=Direction.NEAR,
        selects=True,
        text="answers, or those of one status or class: answers(200), answers(5xx)",
    ),
    "connections_per_poll": MetricFacts(
        unit="number", kind=Kind.PLAIN, text="connections opened, divided by requests; 0..1"
    ),
    "error_ratio": MetricFacts(
        unit="ratio",
        kind=Kind.SHARE,
        selects=True,
        watchable=True,
        text="share of requests that failed, or failed in one way: error_ratio(timeout)",
    ),
    "errors": MetricFacts(
        unit="count",
        kind=Kind.PLAIN,
        selects=True,
        watchable=True,
        text="requests that failed, or failed in one way: errors(http-5xx)",
    ),
    "handler_time": MetricFacts(
        unit="s", kind=Kind.QUANTILE, scope=Scope.TARGET, text="the target's own part of a request"
    ),
    "index": MetricFacts(
        unit="index",
        kind=Kind.PLAIN,
        scope=Scope.PLANS,
        better=Direction.NEAR,
        text="whether the plan searches an index: index(NAME)",
    ),
    "lock_step_index": MetricFacts(
        unit="number", kind=Kind.PLAIN, text="how far the agents' polls bunch: 0 spread evenly, 1 all at once"
    ),
    "missed": MetricFacts(unit="count", kind=Kind.PLAIN, text="intended polls that were never sent, or cut off"),
    "missed_ratio": MetricFacts(unit="ratio", kind=Kind.PLAIN, text="the same as a share of the intended polls"),
    "offered_rate": MetricFacts(
        unit="per_s", kind=Kind.PLAIN, better=Direction.NEAR, text="requests sent, a second"
    ),
    "poll_rate": MetricFacts(
        unit="per_s", kind=Kind.PLAIN, better=Direction.NEAR, text="requests completed, an agent and second"
    ),
    "pool_use": MetricFacts(
        unit="ratio",
        kind=Kind.PLAIN,
        scope=Scope.TARGET,
        text="most connections of the pool checked out at once, as a share of what it may open",
    ),
    "pool_wait": MetricFacts(
        unit="s", kind=Kind.QUANTILE, scope=Scope.TARGET, text="waiting for a connection of the pool"
    ),
    "query_time": MetricFacts(unit="s", kind=Kind.QUANTILE, scope=Scope.TARGET, text="a single statement"),
    "response_time": MetricFacts(
        unit="s", kind=Kind.QUANTILE, watchable=True, text="from the intended start to the last byte"
    ),
    "service_time": MetricFacts(
        unit="s", kind=Kind.QUANTILE, watchable=True, text="from the real start to the last byte"
    ),
    "start_lag": MetricFacts(unit="s", kind=Kind.QUANTILE, text="from the intended start to the real one"),
    "time_to_pickup": MetricFacts(
        unit="s",
        kind=Kind.QUANTILE,
        scope=Scope.PICKUPS,
        text="from a deployment's creation to the answer that brought it to its agent",
    ),
}
"""Metric → what is to be known of it."""

_OTHER_WORDS = {
    "latency": "response_time",
    "duration": "response_time",
    "http_req_duration": "response_time",
    "http_req_waiting": "service_time",
    "http_req_failed": "error_ratio",
    "error_rate": "error_ratio",
    "errors_ratio": "error_ratio",
    "failures": "errors",
    "fail_ratio": "error_ratio",
    "count": "answers",
    "http_reqs": "answers",
    "requests": "answers",
    "rps": "achieved_rate",
    "throughput": "achieved_rate",
    "rate": "error_ratio",
    "missed_polls": "missed",
    "pool": "pool_use",
    "pool_usage": "pool_use",
    "db_time": "query_time",
    "pickup": "time_to_pickup",
    "lockstep": "lock_step_index",
}
"""What other tools call them."""


def nearest_metric(word: str) -> str | None:
    """Return the metric that somebody who wrote `word` may have meant; None when there is none like it."""
    lowered = word.lower().replace("-", "_")
    if lowered in METRICS:
        return lowered
    if lowered in _OTHER_WORDS:
        return _OTHER_WORDS[lowered]
    near = difflib.get_close_matches(lowered, METRICS, n=1)
    return near[0] if near else None
