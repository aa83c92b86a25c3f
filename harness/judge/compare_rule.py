"""What a comparison is held against, and how its outcome is written down."""

import math
from dataclasses import dataclass

from harness.history_model import Comparison
from harness.judge.wording import duration, number, percent
from harness.model import Direction, Interval, Status

Bounds = tuple[float | None, float | None]
"""Least and largest change that the data leave possible, as ratios; None for an end that they don't bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    What is compared; fields as in `harness.history_model.Metric`.

    Args:
        subject: what it was measured on.
        metric: its name.
        quantile: q in (0, 1]; None for figures that are no quantile.
        unit: of the values.
        direction: which side is the better one.
    """

    subject: str
    metric: str
    quantile: float | None
    unit: str
    direction: Direction = Direction.BELOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    How much worse a figure may get, and how surely that has to be shown.

    Args:
        figure: what is compared.
        limit_ratio: largest change for the worse that is allowed, ≥ 0.
        confidence: of PASS and of FAIL each, 0.5..1.
    """

    figure: Figure
    limit_ratio: float
    confidence: float

    @property
    def one_sided(self) -> float:
        """Confidence of each bound by itself."""
        # What may go neither way can be wrong on both sides.
        return (1 + self.confidence) / 2 if self.figure.direction is Direction.NEAR else self.confidence

    @property
    def allowed(self) -> Bounds:
        """Least and largest change that are allowed, as ratios; None where there is no bound."""
        if self.figure.direction is Direction.BELOW:
            return None, self.limit_ratio
        if self.figure.direction is Direction.ABOVE:
            return -self.limit_ratio, None
        return -self.limit_ratio, self.limit_ratio

    def status(self, bounds: Bounds) -> Status:
        """Return the outcome: beyond what is allowed, within it, or neither."""
        low, high = bounds
        least, most = self.allowed
        if (most is not None and low is not None and low > most) or (
            least is not None and high is not None and high < least
        ):
            return Status.FAIL
        within = (most is None or (high is not None and high <= most)) and (
            least is None or (low is not None and low >= least)
        )
        return Status.PASS if within else Status.INCONCLUSIVE

    def wanted(self) -> str:
        """Say what is allowed, as a clause."""
        limit = percent(self.limit_ratio)
        return {
            Direction.BELOW: f"at most +{limit} is allowed",
            Direction.ABOVE: f"at most −{limit} is allowed",
            Direction.NEAR: f"at most ±{limit} is allowed",
        }[self.figure.direction]

    def outcome(
        self,
        status: Status,
        n_old: int,
        n_new: int,
        *,
        reason: str,
        remedy: str | None,
        baseline: float | None = None,
        contender: float | None = None,
        change: float | None = None,
        interval: Interval | None = None,
        expected: Interval | None = None,
        detectable: float | None = None,
        control: str | None = None,
    ) -> Comparison:
        """Return the record; arguments as in `Comparison`."""
        return Comparison(
            subject=self.figure.subject,
            metric=self.figure.metric,
            quantile=self.figure.quantile,
            unit=self.figure.unit,
            direction=self.figure.direction,
            status=status,
            baseline_n=n_old,
            contender_n=n_new,
            baseline=baseline,
            contender=contender,
            change_ratio=change,
            interval=interval,
            expected=expected,
            limit_ratio=self.limit_ratio,
            detectable_ratio=detectable,
            control=control,
            reason=reason,
            remedy=remedy,
        )


def signed(ratio: float | None) -> str:
    """Write a change with its sign: ``+8.2 %``, ``−3 %``; ``?`` for None."""
    if ratio is None:
        return "?"
    size = f"{abs(ratio) * 100:,.0f} %" if abs(ratio) >= 10 else percent(abs(ratio))
    return f"{'−' if ratio < 0 else '+'}{size}"


def value_text(value: float | None, unit: str) -> str:
    """Write a value in its unit; ``?`` for None."""
    if value is None:
        return "?"
    if math.isinf(value):
        return "∞"
    if unit == "s":
        return duration(value)
    return percent(value) if unit == "ratio" else number(value)
