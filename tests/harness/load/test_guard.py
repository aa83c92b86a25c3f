"""Doing no harm: when a run is called off, and how much may be sent besides the schedule."""

import random

import pytest

from harness.errors import ExitCode, HarnessError
from harness.load.behaviour import Behaviour
from harness.load.guard import CalledOffError, Ceiling, Downfall, Guarded
from harness.model import PENDING_ROUTE, Sample


def poll(at_s: float, error: str | None = None, *, extra: bool = False) -> Sample:
    return Sample(
        agent="a",
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=at_s,
        start_s=at_s,
        end_s=at_s,
        status=None,
        error=error,
        bytes_in=0,
        new_connection=None,
        request_id=None,
        extra=extra,
    )


def first_alarm(errors: list[str | None], **options: float) -> int | None:
    """Return which poll ends the run, five polls a second; None for none."""
    watch = Downfall(**({"tolerated": 0.5, "patience_s": 10.0} | options))
    return next((k for k, error in enumerate(errors) if watch.add(error, k / 5)), None)


def drawn(ratio: float, n: int, seed: int) -> list[str | None]:
    dice = random.Random(seed)
    return ["http-500" if dice.random() < ratio else None for _ in range(n)]


def test_a_target_that_is_gone_ends_the_run_when_the_patience_is_over() -> None:
    """100 good polls, then none: 50 failed ones later ten seconds are over."""
    assert 150 == first_alarm([None] * 100 + ["connection-refused"] * 200)


@pytest.mark.parametrize("blip", [1, 10, 49])
def test_a_blip_does_not_end_it(blip: int) -> None:
    assert first_alarm(([None] * 100 + ["connection-refused"] * blip) * 5 + [None] * 100) is None


def test_nothing_ends_it_before_the_gates_have_something_to_judge() -> None:
    assert 300 == first_alarm(["timeout"] * 500, from_s=60.0)


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.3, 0.5])
def test_a_tolerable_error_ratio_never_ends_it(ratio: float) -> None:
    """20 runs of 2,000 polls: an alarm at the tolerated rate itself comes once in a million polls."""
    assert [None] * 20 == [first_alarm(drawn(ratio, 2000, seed)) for seed in range(20)]


def test_mostly_failing_ends_it_soon() -> None:
    """At 80 % failures: within 400 polls, in each of 20 runs."""
    alarms = [first_alarm(drawn(0.8, 2000, seed)) for seed in range(20)]
    assert all(alarm is not None and alarm <= 400 for alarm in alarms)


class _Fleet:
    """Takes down why it was called off."""

    def __init__(self) -> None:
        self.faults: list[HarnessError] = []

    def call_off(self, fault: HarnessError) -> None:
        self.faults.append(fault)


class _Eager(Behaviour):
    """Wants another poll at once, always."""

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:  # noqa: ARG002  # the base's
        return sample.end_s


def test_a_run_is_called_off_once_and_says_why() -> None:
    fleet = _Fleet()
    guarded = Guarded(Behaviour(), most_per_s=1000.0, downfall=Downfall(tolerated=0.5, patience_s=2.0))
    guarded.started(fleet)  # type: ignore[arg-type]  # all that is asked of it here
    for k in range(100):
        guarded.answered(0, poll(k / 10, "connection-refused" if k % 10 else "timeout"), b"")
    assert [
        (
            "the run was called off, because the target is going down: 23 of the last 23 polls failed, "
            "within 2.20 s (connection-refused 20, timeout 3)"
        )
    ] == [str(fault) for fault in fleet.faults]
    assert isinstance(fleet.faults[0], CalledOffError)
    assert ExitCode.FAIL is fleet.faults[0].exit_code


def test_extra_polls_keep_to_the_ceiling() -> None:
    """An agent that would poll without a pause sends 10 a second, whatever it wants."""
    guarded = Guarded(_Eager(), most_per_s=10.0, downfall=None)
    at_s, sent = 0.0, 0
    while at_s < 10.0:
        wanted_s = guarded.answered(0, poll(at_s, extra=True), b"")
        assert wanted_s is not None
        at_s, sent = max(at_s, wanted_s), sent + 1
    assert 95 <= sent <= 112


def test_what_the_schedule_sends_leaves_less_for_the_others() -> None:
    ceiling = Ceiling(10.0)
    for k in range(30):
        ceiling.sent(k / 30)
    assert ceiling.admit(1.0) > 1.0
