"""Whether the gates did what they had to: from verdicts to the self-test's own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.gates import overall
from harness.model import Status, Verdict
from harness.selftest.plan import Injection


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """
    What one run of the self-test showed.

    Args:
        name: of the injection.
        told: what was injected, for people.
        expected: names of the gates that had to trip.
        tripped: those that failed.
        held: those that passed.
        open: those that could not be decided.
        invalid: those for which the measurement itself was in doubt.
        not_judged: those without their source.
        polls: that were judged.
        status: PASS when exactly the expected gates tripped; FAIL when one too many or one too few did; INVALID
            and INCONCLUSIVE when that can't be told.
        reason: what differs; None for a PASS.
    """

    name: str
    told: str
    expected: tuple[str, ...]
    tripped: tuple[str, ...]
    held: tuple[str, ...]
    open: tuple[str, ...]
    invalid: tuple[str, ...]
    not_judged: tuple[str, ...]
    polls: int
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestReport:
    """
    A whole self-test: the content of ``harness selftest --json``.

    Args:
        schema_version: see `harness.model.SCHEMA_VERSION`.
        at_utc: when it began, ISO 8601 in UTC.
        quick: whether it was the short form.
        duration_s: how long it took [s].
        machine: processor and Python, as text.
        gates_from: which gates were tested.
        outcomes: one a run, in order.
        status: PASS when every run did as expected and every gate passed in one of the runs without a fault.
        reason: why not; None for a PASS.
    """

    schema_version: int
    at_utc: str
    quick: bool
    duration_s: float
    machine: str
    gates_from: str
    outcomes: tuple[RunOutcome, ...]
    status: Status
    reason: str | None


def outcome_of(injection: Injection, verdict: Verdict, *, polls: int) -> RunOutcome:
    """
    Compare a run's verdict with what its injection has to do.

    Args:
        injection: what was injected.
        verdict: of the run.
        polls: that were judged.
    """
    by_status = {status: tuple(f.gate.name for f in verdict.findings if f.status is status) for status in Status}
    tripped, invalid = by_status[Status.FAIL], by_status[Status.INVALID]
    not_judged = tuple(verdict.coverage.not_judged)
    undecided = {*by_status[Status.INCONCLUSIVE], *not_judged}
    too_many = [name for name in tripped if name not in injection.trips]
    missed = [name for name in injection.trips if name not in tripped]
    silent = [name for name in missed if name not in undecided and name not in invalid]
    if too_many or silent:
        status = Status.FAIL
        told = [*([f"{', '.join(too_many)} tripped"] if too_many else [])]
        told += [f"{', '.join(silent)} did not trip"] if silent else []
        reason: str | None = "; ".join(told)
    elif invalid:
        status, reason = Status.INVALID, f"{', '.join(invalid)}: the measurement itself is in doubt"
    elif missed or not_judged:
        status = Status.INCONCLUSIVE
        reason = f"{', '.join(dict.fromkeys([*missed, *not_judged]))}: could not be decided"
    else:
        status, reason = Status.PASS, None
    return RunOutcome(
        name=injection.name,
        told=injection.told,
        expected=injection.trips,
        tripped=tripped,
        held=by_status[Status.PASS],
        open=by_status[Status.INCONCLUSIVE],
        invalid=invalid,
        not_judged=not_judged,
        polls=polls,
        status=status,
        reason=reason,
    )


def overall_of(outcomes: Sequence[RunOutcome]) -> tuple[Status, str | None]:
    """
    Return the self-test's status and why it is no PASS.

    A gate that never says PASS proves as little as one that never says FAIL: each has to pass in one of the runs
    without a fault.
    """
    status = overall([outcome.status for outcome in outcomes])
    if status is not Status.PASS:
        odd = [outcome for outcome in outcomes if outcome.status is status]
        return status, "; ".join(f"{outcome.name}: {outcome.reason}" for outcome in odd) or "no run"
    without_fault = [outcome for outcome in outcomes if not outcome.expected]
    known = {name for outcome in without_fault for name in (*outcome.held, *outcome.open)}
    mute = sorted(known - {name for outcome in without_fault for name in outcome.held})
    if mute or not without_fault:
        return Status.INCONCLUSIVE, f"{', '.join(mute) or 'no gate'} passed in no run without a fault"
    return Status.PASS, None
