"""
A wave of deployments: operators order one for every agent, agents fetch them and report progress.

Run it by itself::

    locust -f locustfiles/deployment_wave.py --headless -u 50 -t 100s --allow-writes --host http://127.0.0.1:8000

or let ``harness run --scenario deployment-wave`` start it and judge what it leaves.
What it shows is told in docs/scenarios.md; all options, Locust's and ours, are listed by::

    python locustfiles/deployment_wave.py --help
"""

from locust import events

from harness.load.agents import PollingAgent
from harness.load.hooks import Conductor, run_directly
from harness.verdict_hook import judge_run

SCENARIO = "deployment-wave"


class DeploymentAgent(PollingAgent):
    """A deployment agent that is waiting for work."""


if __name__ == "__main__":
    run_directly(__file__, scenario=SCENARIO)
else:
    Conductor(scenario=SCENARIO, judge=judge_run).register(events)
