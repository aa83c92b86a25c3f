"""
One figure of a run, or of several, against the same figure of earlier runs. The run is the unit.

The runs before tell how far two runs of the same code lie apart; a new one is different when it lies farther. On
a logarithmic scale, where a change is a ratio; with ratios and with values of 0, which have no logarithm, on the
plain one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.history_model import Comparison
from harness.judge.compare_estimates import Estimate, controlled, detectable_errors, plain, ratio_bounds
from harness.judge.compare_rule import Bounds, Figure, Rule, signed
from harness.judge.wording import count, number, percent
from harness.model import Direction, Interval, Status
from harness.student import t_quantile

__all__ = [
    "GOOD_BASELINE",
    "LEAST_BASELINE",
    "MOST_BASELINE",
    "Control",
    "Figure",
    "compare",
    "not_comparable",
]

LEAST_BASELINE = 3
"""Runs that a baseline needs: two tell of their own difference, and nothing of how far that is usual."""

GOOD_BASELINE = 10
"""Runs that a baseline should have: with fewer the interval is wide because the spread is hardly known."""

MOST_BASELINE = 30
"""Runs that a baseline is made of at most: older ones tell of another time."""

LEAST_CONTROLLED = 8
"""Runs with a control's figure that a coefficient can be fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """
    Something frozen that was measured in the same jobs, so that what it does is the machine's doing.

    Args:
        label: its name.
        baseline: its value in each run of the baseline; None where it was not measured.
        contenders: the same for the contenders.
    """

    label: str
    baseline: Sequence[float | None]
    contenders: Sequence[float | None]


def compare(
    baseline: Sequence[float | None],
    contenders: Sequence[float | None],
    *,
    figure: Figure,
    limit_ratio: float,
    confidence: float = 0.95,
    control: Control | None = None,
) -> Comparison:
    """
    Judge whether a figure got worse than is allowed.

    Args:
        baseline: its value in each earlier run, the newest last; the last `MOST_BASELINE` of them count. None,
            NaN and infinite ones are left out, and the reason says so.
        contenders: its value in each new run. An infinite one is a failure of more polls than the quantile leaves:
            worse than a baseline most of whose runs have an end.
        figure: what it is.
        limit_ratio: largest change for the worse that is allowed, ≥ 0: 0.1 for ten per cent.
        confidence: of PASS and of FAIL each, 0.5..1.
        control: what the same jobs measured of something frozen; used where enough runs have it.

    Returns:
        PASS when the change is surely within the limit, FAIL when it is surely beyond, else INCONCLUSIVE. The
        interval's ends are one-sided bounds at `confidence`, so the verdict can be read off it.
    """
    judged = _Judged(rule=Rule(figure=figure, limit_ratio=limit_ratio, confidence=confidence))
    usable, dropped = _usable(baseline, contenders, control, figure)
    judged.dropped = dropped
    if math.inf in contenders:
        return judged.endless(usable, len(contenders), of_old=sum(value == math.inf for value in baseline))
    if len(usable.new) == 0:
        return judged.nothing(len(usable.old), 0, "no contender has a value", "a run that measures it")
    if len(usable.old) < LEAST_BASELINE:
        return judged.too_few(usable)
    return judged.decide(usable)


def not_comparable(*, figure: Figure, limit_ratio: float, reason: str, remedy: str) -> Comparison:
    """Return the outcome where there is nothing to compare: INCONCLUSIVE, never a PASS."""
    return _Judged(rule=Rule(figure=figure, limit_ratio=limit_ratio, confidence=0.95)).nothing(
        0, 0, reason, remedy
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usable:
    """The values that count, on the plain scale, and the control's beside them where it is used."""

    old: tuple[float, ...]
    new: tuple[float, ...]
    is_log: bool
    control: str | None = None
    old_control: tuple[float, ...] = ()
    new_control: tuple[float, ...] = ()

    def middle(self, values: Sequence[float]) -> float | None:
        """Return the mean on the scale of the comparison, so that it fits the change; None for no values."""
        if not values:
            return None
        if self.is_log:
            return math.exp(math.fsum(math.log(value) for value in values) / len(values))
        return math.fsum(values) / len(values)


def _usable(
    baseline: Sequence[float | None],
    contenders: Sequence[float | None],
    control: Control | None,
    figure: Figure,
) -> tuple[_Usable, int]:
    """Choose the values and the scale; the number of the baseline's values that were dropped comes with them."""
    kept = [i for i, value in enumerate(baseline) if _is_number(value)]
    dropped = len(baseline) - len(kept)
    kept = kept[-MOST_BASELINE:]
    new_kept = [i for i, value in enumerate(contenders) if _is_number(value)]
    old = tuple(float(baseline[i] or 0.0) for i in kept)
    new = tuple(float(contenders[i] or 0.0) for i in new_kept)
    is_log = figure.unit != "ratio" and all(value > 0 for value in (*old, *new))
    as_they_are = _Usable(old=old, new=new, is_log=is_log)
    if control is None or not is_log:
        return as_they_are, dropped
    paired = [i for i in kept if _is_positive(control.baseline[i])]
    if len(paired) < LEAST_CONTROLLED or not all(_is_positive(control.contenders[i]) for i in new_kept):
        return as_they_are, dropped
    return (
        _Usable(
            old=tuple(float(baseline[i] or 0.0) for i in paired),
            new=new,
            is_log=True,
            control=control.label,
            old_control=tuple(math.log(control.baseline[i] or 1.0) for i in paired),
            new_control=tuple(math.log(control.contenders[i] or 1.0) for i in new_kept),
        ),
        dropped,
    )


@dataclass(slots=True, kw_only=True)
class _Judged:
    """Makes the Comparison; holds what all outcomes have in common."""

    rule: Rule
    dropped: int = 0

    def decide(self, usable: _Usable) -> Comparison:
        """Compare two groups that have enough values."""
        if usable.is_log:
            old, new = [math.log(v) for v in usable.old], [math.log(v) for v in usable.new]
            estimate = (
                controlled(old, new, usable.old_control, usable.new_control) if usable.control else plain(old, new)
            )
        else:
            old, new = list(usable.old), list(usable.new)
            estimate = plain(old, new)
        if estimate.spread <= 1e-12 * max(abs(v) for v in (*old, *new, 1e-300)):
            return self._without_spread(usable)
        t = t_quantile(self.rule.one_sided, estimate.degrees)
        level = sum(old) / len(old)
        if usable.is_log:
            low, high = (
                math.expm1(estimate.shift - t * estimate.error),
                math.expm1(estimate.shift + t * estimate.error),
            )
            change: float | None = math.expm1(estimate.shift)
            bounds: Bounds = (low, high)
        else:
            squared = (estimate.spread * t) ** 2
            margins = (squared / len(old), 0.0, squared / len(new))
            bounds = ratio_bounds(old, new, margins=margins, confidence=self.rule.one_sided)
            change = None if level <= 0 else sum(new) / len(new) / level - 1
        return self._outcome(usable, estimate, change, bounds)

    def endless(self, usable: _Usable, n_new: int, *, of_old: int) -> Comparison:
        """Return the outcome for a contender whose figure is infinite, as are `of_old` runs of the baseline."""
        old = usable.old
        reason = "so many polls of the contender failed that the figure has no end"
        remedy = "the errors by kind in the run's report"
        status = Status.INCONCLUSIVE
        if len(old) < LEAST_BASELINE:
            reason, remedy = f"{reason}, and {self._too_few(old)}", _further(old)
        elif of_old >= len(old):
            reason = f"{reason}, nor has it in {of_old} of {count(len(old) + of_old, 'run')} of the baseline"
        elif self.rule.figure.direction is Direction.BELOW:
            status = Status.FAIL
        return self.rule.outcome(
            status, len(old), n_new, reason=reason, remedy=remedy, baseline=usable.middle(old), contender=math.inf
        )

    def nothing(self, n_old: int, n_new: int, reason: str, remedy: str) -> Comparison:
        """Return the outcome where nothing can be said."""
        return self.rule.outcome(
            Status.INCONCLUSIVE, n_old, n_new, reason=reason + self._left_out(), remedy=remedy
        )

    def too_few(self, usable: _Usable) -> Comparison:
        """Return the outcome for a baseline of less than three runs."""
        old, new = usable.old, usable.new
        return self.rule.outcome(
            Status.INCONCLUSIVE,
            len(old),
            len(new),
            reason=self._too_few(old),
            remedy=_further(old),
            baseline=usable.middle(old),
            contender=usable.middle(new),
        )

    def _too_few(self, old: Sequence[float]) -> str:
        fault = (
            "there is no baseline" if not old else f"{count(len(old), 'run')} can't tell how far runs lie apart"
        )
        return f"{fault}: {LEAST_BASELINE} are needed, {GOOD_BASELINE} are good{self._left_out()}"

    def _outcome(
        self,
        usable: _Usable,
        estimate: Estimate,
        change: float | None,
        bounds: Bounds,
    ) -> Comparison:
        status = self.rule.status(bounds)
        level = usable.middle(usable.old) or 0.0
        detectable = self._detectable(usable, estimate, level)
        margin = t_quantile((1 + self.rule.confidence) / 2, estimate.degrees) * estimate.error
        if usable.is_log:
            centre = math.log(level) + estimate.moved
            expected = Interval(low=math.exp(centre - margin), high=math.exp(centre + margin))
        else:
            low = level - margin
            if min(*usable.old, *usable.new) >= 0:
                # Of error ratios, mostly zero, half of the range would lie where no value can.
                low = max(0.0, low)
            expected = Interval(low=low, high=level + margin)
        said = "unknown" if change is None else signed(change)
        spans = f"{signed(bounds[0])} to {signed(bounds[1])}"
        moved = ""
        if usable.control is not None:
            by_control = signed(math.expm1(estimate.moved))
            moved = f", after taking out what the control {usable.control} did ({by_control})"
        scale = "" if usable.is_log else ", on the plain scale because it can be 0"
        reason = (
            f"change {said} ({spans}){moved}{scale}; {self.rule.wanted()}, and changes from "
            f"{'?' if detectable is None else percent(detectable)} on are seen{self._left_out()}"
        )
        return self.rule.outcome(
            status,
            len(usable.old),
            len(usable.new),
            reason=reason,
            remedy=self._remedy(status, usable, estimate, change),
            baseline=level,
            contender=usable.middle(usable.new),
            change=change,
            interval=Interval(low=bounds[0], high=bounds[1]),
            expected=expected,
            detectable=detectable,
            control=usable.control,
        )

    def _detectable(self, usable: _Usable, estimate: Estimate, level: float) -> float | None:
        wide = detectable_errors(estimate.degrees, self.rule.one_sided) * estimate.error
        if not usable.is_log:
            return wide / level if level > 0 else None
        return -math.expm1(-wide) if self.rule.figure.direction is Direction.ABOVE else math.expm1(wide)

    def _remedy(self, status: Status, usable: _Usable, estimate: Estimate, change: float | None) -> str | None:
        if status is Status.PASS:
            return None
        if status is Status.FAIL:
            return "the commits since the baseline's last run, or accept the change: harness trend accept"
        needed = self._contenders_needed(usable, estimate, change)
        if needed is not None:
            return f"{count(needed, 'contender run')} in all, if the change stays as it is"
        if len(usable.old) < GOOD_BASELINE:
            return f"{count(GOOD_BASELINE - len(usable.old), 'further run')} of the baseline"
        return (
            "a quieter machine, a control measured in the same job, or harness ab, which measures both in one job"
        )

    def _contenders_needed(self, usable: _Usable, estimate: Estimate, change: float | None) -> int | None:
        """Return how many contenders would settle it; None where the baseline's own error is too large."""
        if change is None or usable.control is not None or not usable.is_log:
            return None
        n_old = len(usable.old)
        for n_new in range(len(usable.new) + 1, 31):
            degrees = n_old + n_new - 2
            wide = t_quantile(self.rule.one_sided, degrees) * estimate.spread * math.sqrt(1 / n_old + 1 / n_new)
            bounds = (math.expm1(estimate.shift - wide), math.expm1(estimate.shift + wide))
            if self.rule.status(bounds) is not Status.INCONCLUSIVE:
                return n_new
        return None

    def _without_spread(self, usable: _Usable) -> Comparison:
        """
        Judge where all runs agree to the last digit: there is no spread to measure a difference with.

        If the contenders are like the baseline, each order of all runs is as likely as any other: that just the
        contenders are the outermost has the chance 1 / (n + k over k).
        """
        old, new = usable.old[0], usable.new[0]
        change = 0.0 if old == new else (new / old - 1 if old > 0 else None)
        least, most = self.rule.allowed
        ratio = math.inf if change is None else change
        within = (most is None or ratio <= most) and (least is None or ratio >= least)
        n_old, n_new = len(usable.old), len(usable.new)
        chance = 1 / math.comb(n_old + n_new, n_new)
        if within:
            status, remedy = Status.PASS, None
        elif chance <= 1 - self.rule.one_sided:
            status, remedy = Status.FAIL, "the commits since the baseline's last run"
        else:
            needed = next(k for k in range(1, 100) if 1 / math.comb(n_old + k, k) <= 1 - self.rule.one_sided)
            status, remedy = Status.INCONCLUSIVE, f"{count(needed, 'contender run')} in all"
        said = "none" if change == 0 else (f"from {number(old)} to {number(new)}")
        return self.rule.outcome(
            status,
            n_old,
            n_new,
            reason=f"change {said}, where the {n_old} runs of the baseline all agree; {self.rule.wanted()}"
            f"{self._left_out()}",
            remedy=remedy,
            baseline=old,
            contender=new,
            change=change,
            expected=Interval(low=old, high=old),
        )

    def _left_out(self) -> str:
        return f"; {count(self.dropped, 'run')} of the baseline had no usable value" if self.dropped else ""


def _further(old: Sequence[float]) -> str:
    """Say how many runs a baseline of less than three is short of."""
    missing = count(LEAST_BASELINE - len(old), "further run")
    return f"{missing} of the baseline, better {GOOD_BASELINE - len(old)}"


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _is_positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
