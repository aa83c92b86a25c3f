"""What the parts of a chart are drawn on: its series, its axes, and the edges of its plot."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.history_model import Point, SeriesTrend
from harness.report.trend.axes import RunAxis, ValueAxis
from harness.report.trend.scene import Place
from harness.report.trend.thinning import Thinned

ROW = 19.0
"""Height of a row of texts above a plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """
    A chart before it is drawn.

    Args:
        members: its series.
        thinned: which points of each get a mark.
        along: the axis of runs.
        up: the axis of values.
        left: edge of the plot.
        top: edge of the plot.
        right: edge of the plot.
        bottom: edge of the plot, a lane of zeros included.
        width: of the whole chart.
    """

    members: Sequence[SeriesTrend]
    thinned: Sequence[Thinned]
    along: RunAxis
    up: ValueAxis
    left: float
    top: float
    right: float
    bottom: float
    width: float

    @property
    def unit(self) -> str:
        """Return the unit that the series share."""
        return self.members[0].series.unit

    def x(self, point: Point) -> float:
        """Return where a run stands."""
        return self.along.places[point.record]

    def place(self, point: Point) -> Place:
        """Return where a run's value stands."""
        return self.x(point), self.up.at(point.value)
