"""What one would write with plain Locust: the other side of `poll_cost`."""

import os
import random

import gevent
from locust import FastHttpUser, constant, constant_pacing, task

INTERVAL_S = float(os.environ["POLL_INTERVAL_S"])
SPREAD = os.environ["POLL_PHASES"] == "spread"


class PlainAgent(FastHttpUser):
    # Pacing keeps the phases that spawning made, all equal. Spread phases need a pause that pacing would undo.
    wait_time = constant(INTERVAL_S) if SPREAD else constant_pacing(INTERVAL_S)

    def on_start(self) -> None:
        if SPREAD:
            gevent.sleep(random.random() * INTERVAL_S)

    @task
    def poll(self) -> None:
        self.client.get("/api/deployments/pending/agent-0001", name="/api/deployments/pending/{agent_id}")
