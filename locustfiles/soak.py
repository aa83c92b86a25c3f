"""
A soak: steady polling for hours, to find what grows.

Run it by itself::

    locust -f locustfiles/soak.py --headless -u 50 -t 8h --host http://127.0.0.1:8000

or let ``harness run --scenario soak`` start it and judge what it leaves.
What it shows is told in docs/scenarios.md; all options, Locust's and ours, are listed by::

    python locustfiles/soak.py --help
"""

from locust import events

from harness.load.agents import PollingAgent
from harness.load.hooks import Conductor, run_directly
from harness.verdict_hook import judge_run

SCENARIO = "soak"


class DeploymentAgent(PollingAgent):
    """A deployment agent that is waiting for work."""


if __name__ == "__main__":
    run_directly(__file__, scenario=SCENARIO)
else:
    Conductor(scenario=SCENARIO, judge=judge_run).register(events)
