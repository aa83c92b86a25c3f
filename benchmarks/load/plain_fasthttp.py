"""What one would write with plain Locust: the other side of `benchmarks.load.engines`."""

import os

from locust import FastHttpUser, constant_pacing, task


class PlainAgent(FastHttpUser):
    wait_time = constant_pacing(float(os.environ["POLL_INTERVAL_S"]))

    @task
    def poll(self) -> None:
        self.client.get("/api/deployments/pending/agent-0001", name="/api/deployments/pending/{agent_id}")
