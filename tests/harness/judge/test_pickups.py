"""Time to pickup: never fetched is slower than any limit, and what came too late to be judged is left out."""

import pytest

from harness.gate_syntax import parse_gate
from harness.judge.gates import judge
from harness.model import Pickup, Status
from tests.harness.judge.support import evidence, finding

GATE = parse_gate("time_to_pickup p(95) < 15s")


def pickups(waits_s, *, first_s=10.0, every_s=0.5):
    return tuple(
        Pickup(
            deployment=str(i),
            agent=f"agent-{i % 50:03d}",
            created_s=first_s + i * every_s,
            fetched_s=None if wait_s is None else first_s + i * every_s + wait_s,
        )
        for i, wait_s in enumerate(waits_s)
    )


def spread(n):
    """Waits of 0 to 10 s that hang together in no way."""
    return [i * 7919 % 997 / 100 for i in range(n)]


def test_deployments_that_are_fetched_within_an_interval_pass():
    found = finding(GATE, evidence(pickups=pickups(spread(80))))
    assert (Status.PASS, 80, 0) == (found.status, found.n, found.exceedances)
    assert (
        "0 of 80 deployments waited 15 s or longer; with 95 % confidence fewer than 3.68 % do, 5 % are allowed"
        == found.reason
    )


def test_a_deployment_that_was_never_fetched_exceeds_every_limit():
    waits = spread(80)
    waits[::4] = [None] * 20
    found = finding(GATE, evidence(pickups=pickups(waits)))
    assert (Status.FAIL, 20, float("inf")) == (found.status, found.exceedances, found.measured)
    assert found.reason.startswith("20 of 80 deployments waited 15 s or longer, 20 of them never fetched; ")
    assert found.remedy.startswith("the missed polls and the time between the polls of one agent")


def test_what_was_ordered_too_late_to_be_late_is_left_out_fetched_or_not():
    """The window ends at 70 s: what was ordered after 55 s could not wait 15 s in it."""
    early, late = pickups(spread(80)), pickups([1.0] * 5 + [None] * 5, first_s=60.0)
    found = finding(GATE, evidence(pickups=early + late))
    assert (Status.PASS, 80) == (found.status, found.n)
    assert found.reason.endswith("; 10 deployments ordered within the last 15 s left out")
    alone = finding(GATE, evidence(pickups=late))
    assert (Status.INCONCLUSIVE, 0, "a longer run") == (alone.status, alone.n, alone.remedy)
    assert (
        "no deployment was ordered early enough to be late; 10 deployments ordered within the last 15 s left out"
        == alone.reason
    )


def test_the_warm_up_is_not_judged():
    found = finding(GATE, evidence(pickups=pickups([None] * 10, first_s=1.0) + pickups(spread(80))))
    assert 80 == found.n


def test_a_run_without_orders_has_no_time_to_pickup():
    found = finding(GATE, evidence())
    assert Status.INCONCLUSIVE is found.status
    assert "no deployment was ordered during the run: that takes a scenario that orders some" == found.reason
    optional = judge([parse_gate("time_to_pickup p(95) < 15s, optional")], evidence())
    assert (Status.INCONCLUSIVE, ()) == (optional.status, optional.findings)


@pytest.mark.parametrize("wait_s", [15.0, 14.999])
def test_the_limit_itself_is_too_long(wait_s):
    found = finding(parse_gate("time_to_pickup max < 15s"), evidence(pickups=pickups([wait_s])))
    assert (Status.FAIL if wait_s == 15.0 else Status.PASS) is found.status
