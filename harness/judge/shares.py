"""
The one question behind every quantile and every error ratio: does no more than the allowed share exceed.

``p99 < 500 ms`` says that fewer than 1 % take 500 ms or longer, ``error ratio < 1 %`` that fewer than 1 % fail.
Both count exceedances and ask what the count shows (`harness.judge.intervals`).
"""

from dataclasses import dataclass

from harness.judge.always import always_beyond, always_lower, always_upper, always_within
from harness.judge.intervals import lower_bound, polls_to_settle, shows_beyond, shows_within, upper_bound
from harness.judge.wording import count, duration, number, percent
from harness.model import Interval, Status

STRICTER_ABOVE_TAU = 10.0
"""
From this autocorrelation time on the estimate of it is the weak part: the error that each verdict may make is
halved, which keeps false passes below 8 % in simulation. See docs/verdicts.md.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """
    Exceedances counted, and how sure each of them is.

    Args:
        n: observations.
        exceedances: of these, how many exceed, or may.
        certain: of these, how many surely do; fewer than `exceedances` where a histogram's bucket holds the limit.
        unsent: polls that should have been observed and were never sent; each may have been an exceedance.
        tau: integrated autocorrelation time, ≥ 1.
        confidence: of the gate, 0.5..1.
        allowed_ratio: share that may exceed, 0..1; 0 asks that none of the observed does.
        always_valid: whether the bounds have to hold however often one looks.
        halved: whether a FAIL was looked for during the run too: each of the two may be wrong half as often.
    """

    n: int
    exceedances: int
    certain: int
    unsent: int
    tau: float
    confidence: float
    allowed_ratio: float
    always_valid: bool = False
    halved: bool = False

    @property
    def deciding_confidence(self) -> float:
        """The gate's confidence, or half way from it to 1 where the autocorrelation is strong."""
        return (1 + self.confidence) / 2 if self.tau > STRICTER_ABOVE_TAU else self.confidence

    @property
    def failing_confidence(self) -> float:
        """The same, for a FAIL."""
        return (1 + self.deciding_confidence) / 2 if self.halved else self.deciding_confidence

    @property
    def effective_n(self) -> float:
        """What the observations are worth as independent ones."""
        return self.n / self.tau

    @property
    def status(self) -> Status:
        """PASS or FAIL where the counts show it, else INCONCLUSIVE."""
        if self.n == 0:
            return Status.INCONCLUSIVE
        if self._shows_beyond():
            return Status.FAIL
        return Status.PASS if self._shows_within(unsent=self.unsent) else Status.INCONCLUSIVE

    @property
    def interval(self) -> Interval:
        """Bounds of the share that exceeds, each at the deciding confidence by itself."""
        lower, upper = (always_lower, always_upper) if self.always_valid else (lower_bound, upper_bound)
        return Interval(
            low=lower(self.certain / self.tau, self.effective_n, confidence=self.failing_confidence),
            high=upper(self.exceedances / self.tau, self.effective_n, confidence=self.deciding_confidence),
        )

    def reason(self, *, noun: str, did: str) -> str:
        """
        Say in one sentence what was counted and what it shows.

        Args:
            noun: what was observed, singular, such as ``poll``.
            did: what an exceedance did, such as ``took 500 ms or longer``.
        """
        counted = f"{self.exceedances:,} of {count(self.n, noun)} {did}"
        if self.allowed_ratio == 0:
            return f"{counted}; none may{self._caveats(noun)}"
        share = self.interval
        low, high = share.low or 0.0, 1.0 if share.high is None else share.high
        shown = {
            Status.PASS: f"fewer than {percent(high)} do",
            Status.FAIL: f"more than {percent(low)} do",
        }.get(self.status, f"{percent(low)} to {percent(high)} do")
        sure = self.failing_confidence if self.status is Status.FAIL else self.deciding_confidence
        however = " however often one looks" if self.always_valid else ""
        return (
            f"{counted}; with {percent(sure)} confidence{however} {shown}, "
            f"{percent(self.allowed_ratio)} are allowed{self._caveats(noun)}"
        )

    def settling_remedy(self, *, noun: str, per_s: float) -> str:
        """
        Say what would settle an INCONCLUSIVE gate.

        Args:
            noun: what was observed, singular.
            per_s: observations a second in this run; 0 when there were none.
        """
        if self.n and self.unsent and self._shows_within(unsent=0):
            return f"a run that sends every {noun}: {self.unsent:,} were not sent and may have been slow"
        further = polls_to_settle(
            self.exceedances,
            self.n,
            allowed_ratio=self.allowed_ratio,
            confidence=self.deciding_confidence,
            tau=self.tau,
            within=always_within if self.always_valid else None,
            beyond=always_beyond if self.always_valid else None,
        )
        if not further:
            return "another limit, or a change to the target: this share can't be told from the allowed one"
        at_this_rate = f" ({duration(further / per_s)} at {number(per_s)} a second)" if per_s > 0 else ""
        return f"a longer run: about {count(further, f'more {noun}')}{at_this_rate} would settle it"

    def _shows_within(self, *, unsent: int) -> bool:
        most = self.exceedances + unsent
        if self.allowed_ratio == 0:
            return most == 0
        within = always_within if self.always_valid else shows_within
        return within(
            most / self.tau,
            (self.n + unsent) / self.tau,
            allowed_ratio=self.allowed_ratio,
            confidence=self.deciding_confidence,
        )

    def _shows_beyond(self) -> bool:
        if self.allowed_ratio == 0:
            return self.certain > 0
        beyond = always_beyond if self.always_valid else shows_beyond
        return beyond(
            self.certain / self.tau,
            self.effective_n,
            allowed_ratio=self.allowed_ratio,
            confidence=self.failing_confidence,
        )

    def _caveats(self, noun: str) -> str:
        text = ""
        if self.tau > 1:
            worth = f"{number(self.effective_n)} (τ = {number(self.tau)})"
            text += f"; neighbours resemble each other, so they count as {worth}"
        if self.unsent:
            text += f"; {count(self.unsent, f'more {noun}')} never sent"
        return text
