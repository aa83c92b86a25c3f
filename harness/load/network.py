"""A bad network between agents and target: behaviours that start a proxy and send the agents through it."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import gevent

from harness.errors import HarnessError, explain
from harness.load.behaviour import Behaviour, RunningFleet
from harness.load.endpoint import Endpoint
from harness.model import Sample
from harness.proxy import Conditions

_START_TIMEOUT_S = 20.0
_STOP_GRACE_S = 5.0
_NOTICE_S = 0.05
"""From a cut to the first agent that notices [s]: by then every connection is gone."""


class ProxyProcess:
    """
    A running `harness.proxy`. It ends with its standard input, so at the latest with this process.

    Args:
        conditions: see `Conditions`.

    Raises:
        HarnessError: it did not start.
    """

    def __init__(self, conditions: Conditions) -> None:
        command = [sys.executable, "-m", "harness.proxy", conditions.to_json()]
        process: Any = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for Locust, which then closes its input.
            start_new_session=True,
        )
        self._process = process
        line = b""
        with gevent.Timeout(_START_TIMEOUT_S, exception=False):
            line = process.stdout.readline()
        if not line.strip().isdigit():
            self.close()
            raise HarnessError(explain("network proxy", fault="did not start"))
        self.port = int(line)

    def cut(self) -> None:
        """Reset every connection that goes through it."""
        try:
            self._process.stdin.write(b"cut\n")
            self._process.stdin.flush()
        except OSError as fault:
            raise HarnessError(explain("network proxy", fault="ended by itself")) from fault

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class FlakyNetwork(Behaviour):
    """
    Send everything through a network that is slow and breaks off.

    Args:
        latency_s: added to each direction [s].
        latency_jitter_s: most on top, by chance [s].
        bandwidth_bytes_per_s: of each connection and direction; 0 for no limit.
        reset_ratio: share of the requests whose connection is reset, 0..1.
        seed: of what happens by chance.
    """

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        latency_jitter_s: float = 0.0,
        bandwidth_bytes_per_s: float = 0.0,
        reset_ratio: float = 0.0,
        seed: int,
    ) -> None:
        self._latency_s = latency_s
        self._latency_jitter_s = latency_jitter_s
        self._bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self._reset_ratio = reset_ratio
        self._seed = seed
        self._proxy: ProxyProcess | None = None

    def connects_to(self, endpoint: Endpoint) -> Endpoint:
        """Start the proxy, and lead there."""
        conditions = Conditions(
            host=endpoint.host,
            port=endpoint.port,
            latency_s=self._latency_s,
            latency_jitter_s=self._latency_jitter_s,
            bandwidth_bytes_per_s=self._bandwidth_bytes_per_s,
            reset_ratio=self._reset_ratio,
            seed=self._seed,
        )
        self._proxy = ProxyProcess(conditions)
        return replace(endpoint, via=("127.0.0.1", self._proxy.port))

    def cut(self) -> None:
        """Reset every connection."""
        if self._proxy is not None:
            self._proxy.cut()

    def stopped(self) -> None:
        """End the proxy."""
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.close()


class ReconnectBurst(FlakyNetwork):
    """
    Cut all connections at certain instants, upon which every agent polls anew.

    Args:
        at_s: the first cut [s since the run's origin].
        every_s: between two cuts [s]; 0 for one only.
        within_s: the agents notice one after another within this time, in the order of their index [s].
        agents: fleet size.
        seed: not used by itself: nothing here happens by chance.
    """

    def __init__(self, *, at_s: float, every_s: float, within_s: float, agents: int, seed: int) -> None:
        super().__init__(seed=seed)
        self._at_s = at_s
        self._every_s = every_s
        self._within_s = within_s
        self._agents = agents
        self._cutter: Any = None
        self._fleet: RunningFleet | None = None

    def started(self, fleet: RunningFleet) -> None:
        """Set the clock for the cuts."""
        self._fleet = fleet
        self._cutter = gevent.spawn(self._keep_cutting, fleet)

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:  # noqa: ARG002  # the base class's signature
        """Ask for a poll just after the next cut."""
        noticed_s = _NOTICE_S + self._within_s * agent_index / self._agents
        cut_s = self.next_cut_s(sample.end_s - noticed_s)
        end_s = None if self._fleet is None else self._fleet.end_s
        if cut_s is None or (end_s is not None and cut_s + noticed_s >= end_s):
            return None
        return cut_s + noticed_s

    def next_cut_s(self, after_s: float) -> float | None:
        """Return the first cut later than an instant [s since the run's origin]; None after the last."""
        if after_s < self._at_s:
            return self._at_s
        if self._every_s <= 0:
            return None
        return self._at_s + self._every_s * ((after_s - self._at_s) // self._every_s + 1)

    def stopped(self) -> None:
        """Stop cutting, and end the proxy."""
        if self._cutter is not None:
            self._cutter.kill()
        super().stopped()

    def _keep_cutting(self, fleet: RunningFleet) -> None:
        done_s = -1.0
        while (cut_s := self.next_cut_s(done_s)) is not None:
            gevent.sleep(max(0.0, cut_s - fleet.now_s()))
            try:
                self.cut()
            except HarnessError as fault:
                fleet.call_off(fault)
                return
            done_s = cut_s
