"""
A reconnect burst: all connections are cut at one instant, and every agent polls anew at once.

Run it by itself::

    locust -f locustfiles/reconnect_burst.py --headless -u 50 -t 100s --host http://127.0.0.1:8000

or let ``harness run --scenario reconnect-burst`` start it and judge what it leaves.
What it shows is told in docs/scenarios.md; all options, Locust's and ours, are listed by::

    python locustfiles/reconnect_burst.py --help
"""

from locust import events

from harness.load.agents import PollingAgent
from harness.load.hooks import Conductor, run_directly
from harness.verdict_hook import judge_run

SCENARIO = "reconnect-burst"


class DeploymentAgent(PollingAgent):
    """A deployment agent that is waiting for work."""


if __name__ == "__main__":
    run_directly(__file__, scenario=SCENARIO)
else:
    Conductor(scenario=SCENARIO, judge=judge_run).register(events)
