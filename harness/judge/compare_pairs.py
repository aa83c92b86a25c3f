"""
Two things measured side by side, round by round: only what differs within a round counts.

What both rounds of a pair have in common (a busy machine, a warm cache) falls out of the difference. The rounds
may be looked at several times and ended when the outcome is clear: the error is shared out over the looks, so
that all of them together keep the confidence that was asked for.

Source for the ratio of two means: E. C. Fieller, Journal of the Royal Statistical Society B 16 (1954), here with
the covariance of the pairs. Sharing out: C. E. Bonferroni (1936).
"""

import math
from collections.abc import Sequence

from harness.history_model import Comparison
from harness.judge.compare_estimates import detectable_errors, ratio_bounds
from harness.judge.compare_rule import Bounds, Figure, Rule, signed
from harness.judge.wording import count, percent
from harness.model import Direction, Interval, Status
from harness.student import t_quantile

LEAST_PAIRS = 4
"""Rounds that anything can be told from."""

_GROWTH = 1.5
"""Looks lie so far apart: few of them cost little confidence each."""


def looks(least: int, most: int) -> tuple[int, ...]:
    """
    Return after how many rounds the outcome is looked at, the last of them `most`.

    Args:
        least: rounds before the first look, ≥ 1.
        most: rounds at all, ≥ `least`.
    """
    found = [least]
    while found[-1] < most:
        found.append(min(most, max(found[-1] + 1, math.ceil(found[-1] * _GROWTH))))
    return tuple(found)


def compare_pairs(
    pairs: Sequence[tuple[float | None, float | None]],
    *,
    figure: Figure,
    limit_ratio: float,
    confidence: float = 0.95,
    n_looks: int = 1,
) -> Comparison:
    """
    Judge whether B is worse than A by more than is allowed.

    Args:
        pairs: the figure of A and of B in each round; a round in which one of them has none is left out.
        figure: what it is.
        limit_ratio: largest change for the worse that is allowed, ≥ 0.
        confidence: of PASS and of FAIL each, over all looks together.
        n_looks: how often the outcome is looked at in all.

    Returns:
        As `harness.judge.compare.compare`, A being the baseline; both counts are those of the rounds.
    """
    rule = Rule(figure=figure, limit_ratio=limit_ratio, confidence=1 - (1 - confidence) / n_looks)
    if _endless(pairs):
        return _endless_outcome(rule, pairs)
    usable = [(a, b) for a, b in pairs if _finite(a) and _finite(b) and a is not None and b is not None]
    n = len(usable)
    if n < LEAST_PAIRS:
        reason = f"{count(n, 'whole round')} with this figure: {LEAST_PAIRS} are needed"
        return rule.outcome(Status.INCONCLUSIVE, n, n, reason=reason, remedy="more rounds, with --max-rounds")
    is_log = figure.unit != "ratio" and all(a > 0 and b > 0 for a, b in usable)
    return _of_logs(rule, usable) if is_log else _of_values(rule, usable)


def _of_logs(rule: Rule, pairs: Sequence[tuple[float, float]]) -> Comparison:
    gaps = [math.log(b / a) for a, b in pairs]
    n = len(gaps)
    shift = math.fsum(gaps) / n
    spread = math.sqrt(math.fsum((gap - shift) ** 2 for gap in gaps) / (n - 1))
    if spread <= 1e-12:
        return _without_spread(rule, pairs)
    error = spread / math.sqrt(n)
    t = t_quantile(rule.one_sided, n - 1)
    bounds = (math.expm1(shift - t * error), math.expm1(shift + t * error))
    wide = detectable_errors(n - 1, rule.one_sided) * error
    detectable = -math.expm1(-wide) if rule.figure.direction is Direction.ABOVE else math.expm1(wide)
    level = math.exp(math.fsum(math.log(a) for a, _ in pairs) / n)
    return _told(
        rule,
        n,
        before=level,
        after=level * math.exp(shift),
        change=math.expm1(shift),
        bounds=bounds,
        detectable=detectable,
        needed=_needed(rule, shift, spread, n),
    )


def _of_values(rule: Rule, pairs: Sequence[tuple[float, float]]) -> Comparison:
    """Compare figures that may be 0 by the ratio of their means."""
    n = len(pairs)
    a_mean, b_mean = (math.fsum(pair[i] for pair in pairs) / n for i in (0, 1))
    aa, bb, ab = (
        math.fsum((pair[i] - (a_mean, b_mean)[i]) * (pair[j] - (a_mean, b_mean)[j]) for pair in pairs) / (n - 1)
        for i, j in ((0, 0), (1, 1), (0, 1))
    )
    if aa + bb <= 1e-24 * (a_mean + b_mean) ** 2 or aa + bb == 0:
        return _without_spread(rule, pairs)
    reach = t_quantile(rule.one_sided, n - 1) ** 2 / n
    bounds = ratio_bounds(
        [a for a, _ in pairs],
        [b for _, b in pairs],
        margins=(reach * aa, reach * ab, reach * bb),
        confidence=rule.one_sided,
    )
    change = b_mean / a_mean - 1 if a_mean > 0 else None
    error = math.sqrt(max(0.0, aa + bb - 2 * ab) / n)
    detectable = detectable_errors(n - 1, rule.one_sided) * error / a_mean if a_mean > 0 else None
    return _told(rule, n, before=a_mean, after=b_mean, change=change, bounds=bounds, detectable=detectable)


def _without_spread(rule: Rule, pairs: Sequence[tuple[float, float]]) -> Comparison:
    """Judge where all rounds agree to the last digit: by their signs, which chance gives with (1/2)^n."""
    n = len(pairs)
    a, b = pairs[0]
    change = 0.0 if a == b else (b / a - 1 if a > 0 else None)
    ratio = math.inf if change is None else change
    status = rule.status((ratio, ratio))
    if status is Status.FAIL and 0.5**n > 1 - rule.one_sided:
        status = Status.INCONCLUSIVE
    said = "none" if a == b else f"{signed(change)}"
    return rule.outcome(
        status,
        n,
        n,
        reason=f"change {said} in each of {count(n, 'round')}; {rule.wanted()}",
        remedy=None if status is Status.PASS else "what differs between A and B",
        baseline=a,
        contender=b,
        change=change,
    )


def _told(
    rule: Rule,
    n: int,
    *,
    before: float,
    after: float,
    change: float | None,
    bounds: Bounds,
    detectable: float | None,
    needed: int | None = None,
) -> Comparison:
    status = rule.status(bounds)
    remedy = None
    if status is Status.FAIL:
        remedy = "what differs between A and B"
    elif status is Status.INCONCLUSIVE:
        many = "longer rounds, or a quieter machine"
        remedy = f"about {count(needed, 'round')} in all, if the change stays as it is" if needed else many
    seen = "?" if detectable is None else percent(detectable)
    spans = f"{signed(bounds[0])} to {signed(bounds[1])}"
    return rule.outcome(
        status,
        n,
        n,
        reason=f"change {signed(change)} ({spans}); {rule.wanted()}, and changes from {seen} on are seen",
        remedy=remedy,
        baseline=before,
        contender=after,
        change=change,
        interval=Interval(low=bounds[0], high=bounds[1]),
        detectable=detectable,
    )


def _needed(rule: Rule, shift: float, spread: float, n: int) -> int | None:
    """Return how many rounds would settle it if shift and spread stayed as they are; None beyond two hundred."""
    for total in range(n + 1, 201):
        reach = t_quantile(rule.one_sided, total - 1) * spread / math.sqrt(total)
        if rule.status((math.expm1(shift - reach), math.expm1(shift + reach))) is not Status.INCONCLUSIVE:
            return total
    return None


def _endless(pairs: Sequence[tuple[float | None, float | None]]) -> bool:
    return any(value == math.inf for pair in pairs for value in pair)


def _endless_outcome(rule: Rule, pairs: Sequence[tuple[float | None, float | None]]) -> Comparison:
    """Return the outcome where failed polls reach the figure: FAIL where it is B's alone, and often enough."""
    n = len(pairs)
    of_a, of_b = (sum(pair[i] == math.inf for pair in pairs) for i in (0, 1))
    is_b = of_a == 0 and 2 * of_b > n and 0.5**of_b <= 1 - rule.confidence
    return rule.outcome(
        Status.FAIL if is_b and rule.figure.direction is Direction.BELOW else Status.INCONCLUSIVE,
        n,
        n,
        reason=f"so many polls failed that the figure has no end: of A in {count(of_a, 'round')}, of B in {of_b}",
        remedy="the errors by kind in the rounds' results",
    )


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
