"""Locust shows the same, told of each request or fed many at a time; in a process of its own, for it patches."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import json, sys
from collections import deque
from locust.env import Environment
from harness.load.tables import show
from harness.model import PENDING_ROUTE, Sample

def sample(end_s, name=PENDING_ROUTE, error=None, connected=True):
    return Sample(agent="a", name=name, method="GET", intended_start_s=1.0, start_s=1.5, end_s=end_s, status=200,
                  error=error, bytes_in=7, new_connection=connected, request_id=None)

samples = [sample(1.0 + 0.003 * n) for n in range(500)]
samples += [sample(3.0, error="http-500"), sample(9.0, error="timeout"), sample(2.0, error="http-500")]
samples += [sample(1.25, name="/other"), sample(1.7, error="interrupted", connected=None)]
environment = Environment()
environment.create_local_runner()
told = []
if "listening" in sys.argv:
    environment.events.request.add_listener(
        lambda name, response_time, exception, **_: told.append([name, response_time, str(exception)])
    )
for at in range(0, len(samples), 20):
    taken = deque(samples[at : at + 20])
    show(environment, taken)
    assert not taken
stats = environment.stats
rows = {}
for key, entry in [("total", stats.total), *((str(key), entry) for key, entry in stats.entries.items())]:
    rows[key] = {
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "none": entry.num_none_requests,
        "a second": sum(entry.num_reqs_per_sec.values()),
        "failures a second": sum(entry.num_fail_per_sec.values()),
        "times": sorted(entry.response_times.items()),
        "sum": round(entry.total_response_time, 6),
        "range": [entry.min_response_time, entry.max_response_time],
        "bytes": entry.total_content_length,
        "first and last": entry.start_time <= entry.last_request_timestamp,
        "quantiles": [entry.get_response_time_percentile(q) for q in (0.5, 0.95, 0.99)],
    }
errors = sorted([str(error.error), error.occurrences] for error in stats.errors.values())
print(json.dumps({"rows": rows, "errors": errors, "told": told}))
"""


def shown(*arguments: str) -> dict[str, Any]:
    """Show 504 requests that ended by themselves and one that did not; return what the tables hold then."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_tables_are_the_same_with_and_without_another_listener() -> None:
    """Fed many at a time when nobody listens, by an event for each request when somebody does."""
    fed, fired = shown(), shown("listening")
    assert fed["told"] == []
    assert fed["rows"] == fired["rows"]
    assert fed["errors"] == fired["errors"]
    assert [occurrences for _, occurrences in fed["errors"]] == [2, 1]
    total = fed["rows"]["total"]
    assert (total["requests"], total["failures"], total["bytes"]) == (504, 3, 504 * 7)
    assert total["range"] == [0.0, 8000.0]


def test_a_listener_is_told_of_each_request_that_ended_by_itself() -> None:
    told = shown("listening")["told"]
    assert len(told) == 504
    assert [name for name, _, _ in told].count("/other") == 1
    assert [error for _, _, error in told if error != "None"] == ["http-500", "timeout", "http-500"]
