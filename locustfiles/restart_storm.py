"""
A restart storm: the target goes away and comes back, and every agent retries.

Run it by itself::

    locust -f locustfiles/restart_storm.py --headless -u 50 -t 120s --host http://127.0.0.1:8000

or let ``harness run --scenario restart-storm`` start it and judge what it leaves.
What it shows is told in docs/scenarios.md; all options, Locust's and ours, are listed by::

    python locustfiles/restart_storm.py --help
"""

from locust import events

from harness.load.agents import PollingAgent
from harness.load.hooks import Conductor, run_directly
from harness.verdict_hook import judge_run

SCENARIO = "restart-storm"


class DeploymentAgent(PollingAgent):
    """A deployment agent that is waiting for work."""


if __name__ == "__main__":
    run_directly(__file__, scenario=SCENARIO)
else:
    Conductor(scenario=SCENARIO, judge=judge_run).register(events)
