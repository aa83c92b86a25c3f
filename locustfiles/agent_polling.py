"""
Steady polling: every agent asks for its pending deployments at its own fixed times.

Run it by itself::

    locust -f locustfiles/agent_polling.py --headless -u 50 -t 70s --host http://127.0.0.1:8000

or let ``harness run`` start it, watch it and judge what it leaves. What is measured and how is told in
docs/load.md; all options, Locust's and ours, are listed by::

    python locustfiles/agent_polling.py --help
"""

from locust import events

from harness.load.agents import PollingAgent
from harness.load.hooks import Conductor, run_directly
from harness.verdict_hook import judge_run


class DeploymentAgent(PollingAgent):
    """A deployment agent that is waiting for work."""


if __name__ == "__main__":
    run_directly(__file__)
else:
    Conductor(judge=judge_run).register(events)
