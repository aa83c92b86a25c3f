"""
The false discovery rate over many series: with two hundred of them, 2 % false alarms each are four a night.

Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical
Society B 57 (1995). For what is searched on within a series that was selected: Y. Benjamini, M. Bogomolov,
"Selective inference on multiple families of hypotheses", Journal of the Royal Statistical Society B 76 (2014).
"""

from collections.abc import Sequence


def selection_level(p_values: Sequence[float], *, rate: float) -> float:
    """
    Return the level at which each of several hypotheses is to be tested.

    Args:
        p_values: one a hypothesis, 0..1; any order.
        rate: share of false ones among those found that is allowed, 0..1.

    Returns:
        The largest ``rate × r / m`` that at least r of the m p-values do not exceed; ``rate / m`` when there is
        none, at which none is found either. `rate` for no hypotheses at all.
    """
    m = len(p_values)
    if m == 0:
        return rate
    found = max((rank for rank, p in enumerate(sorted(p_values), start=1) if p <= rate * rank / m), default=1)
    return rate * found / m
