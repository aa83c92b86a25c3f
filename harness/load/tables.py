"""
Locust's own tables, shown what the agents did: the same response time as ours, from the intended start.

Locust is told of a request by an event, on which its tables listen. An event for each of a thousand polls a
second would be a twentieth of what a poll costs. So where nobody but Locust itself listens, its tables are fed as
its master feeds them, which gets many requests at a time from each worker.
"""

import time
from collections import Counter, deque
from typing import Any

from locust import stats as locust_stats

from harness.model import Sample

_MS_PER_S = 1000.0
_OWN_LISTENERS = "locust.runners"
"""The module in which Locust's runners make the listener that feeds the tables."""


class PollError(Exception):
    """A failed poll, by its kind, as Locust's own tables show it."""


def show(environment: Any, samples: deque[Sample]) -> None:
    """
    Show requests in Locust's tables; every listener on Locust's `events.request` is told of each.

    Args:
        environment: Locust's.
        samples: taken from the left as they are shown, so that none is lost with a greenlet that is killed while
            somebody's listener blocks. Those that were broken off by ourselves are not shown.
    """
    request: Any = environment.events.request
    if all(getattr(listener, "__module__", None) == _OWN_LISTENERS for listener in request._handlers):
        _feed(environment.stats, samples)
    while samples:
        sample = samples.popleft()
        if sample.new_connection is None:
            continue
        request.fire(
            request_type=sample.method,
            name=sample.name,
            response_time=sample.response_time_s * _MS_PER_S,
            response_length=sample.bytes_in,
            response=None,
            context={},
            exception=None if sample.error is None else PollError(sample.error),
            start_time=time.time() - sample.service_time_s,
            url=environment.host,
        )


def _feed(stats: Any, samples: deque[Sample]) -> None:
    """Add requests to Locust's tables, as one event each would."""
    # Of a fleet all are of one name, but for the few that operators or strangers send.
    by_name: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        if sample.new_connection is not None:
            by_name.setdefault((sample.method, sample.name), []).append(sample)
    samples.clear()
    for (method, name), shown in by_name.items():
        entry = _entry_of(shown, stats, name, method)
        stats.total.extend(entry)
        stats.get(name, method).extend(entry)
        for sample in shown:
            if sample.error is not None:
                stats.log_error(method, name, PollError(sample.error))


def _entry_of(shown: list[Sample], stats: Any, name: str, method: str) -> Any:
    """Return what Locust keeps of requests, but for their errors, as of now."""
    entry: Any = locust_stats.StatsEntry(stats, name, method)
    times_ms = [(sample.end_s - sample.intended_start_s) * _MS_PER_S for sample in shown]
    now_s = time.time()
    entry.last_request_timestamp = now_s
    entry.num_requests = entry.num_reqs_per_sec[int(now_s)] = len(shown)
    entry.total_response_time = sum(times_ms)
    entry.min_response_time, entry.max_response_time = min(times_ms), max(times_ms)
    # By its module: it may be replaced there.
    entry.response_times.update(Counter(map(locust_stats.bucket_response_time, times_ms)))
    entry.total_content_length = sum([sample.bytes_in for sample in shown])
    return entry
