"""Fewer marks where more runs are than a chart shows apart: extremes and findings stay, the rest is a band."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history_model import SeriesTrend

THIN_ABOVE = 700
"""Points from which marks lie on each other in a chart of this width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinned:
    """
    The points of a series that get a mark.

    Args:
        indices: of those, ascending.
        envelope: place, least and largest value of each column; empty when every point has its mark.
    """

    indices: tuple[int, ...]
    envelope: tuple[tuple[float, float, float], ...]

    @property
    def is_thinned(self) -> bool:
        """Tell whether some points have no mark of their own."""
        return bool(self.envelope)


def thin_points(judged: SeriesTrend, xs: Sequence[float], *, left: float, right: float, columns: int) -> Thinned:
    """
    Choose the points to mark.

    Of each column of the chart the least and the largest value stay, and everywhere the first and last point, the
    outliers and both sides of every change: whatever was found can be pointed at.

    Args:
        judged: the series.
        xs: place of each of its points.
        left: where the columns begin.
        right: where they end.
        columns: how many.
    """
    points = judged.series.points
    n = len(points)
    if n <= min(THIN_ABOVE, 2 * columns):
        return Thinned(indices=tuple(range(n)), envelope=())
    outliers = set(judged.outliers)
    kept = {0, n - 1} | outliers
    for change in judged.changes:
        kept |= {max(change.index - 1, 0), change.index}
    extremes: dict[int, tuple[int, int]] = {}
    scale = columns / (right - left)
    values = [point.value for point in points]
    for i, x in enumerate(xs):
        if i in outliers:
            continue
        column = int((x - left) * scale)
        pair = extremes.get(column)
        if pair is None:
            extremes[column] = (i, i)
        elif values[i] < values[pair[0]]:
            extremes[column] = (i, pair[1])
        elif values[i] > values[pair[1]]:
            extremes[column] = (pair[0], i)
    for pair in extremes.values():
        kept.update(pair)
    width = (right - left) / columns
    envelope = tuple(
        (left + (column + 0.5) * width, values[least], values[most])
        for column, (least, most) in sorted(extremes.items())
    )
    return Thinned(indices=tuple(sorted(kept)), envelope=envelope)
