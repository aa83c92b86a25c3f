"""The present level of each figure: what a baseline is made of, and no run from before it."""

import math
from collections.abc import Sequence

from harness.comparison.figures import Key
from harness.history.series import series_of
from harness.history.trend import current_segment, judge_trend, standing_regressions
from harness.history_model import Acceptance, HistoryRecord, SeriesTrend


class PresentLevels:
    """Where the present level of each figure begins."""

    def __init__(self, records: Sequence[HistoryRecord], acceptances: Sequence[Acceptance]) -> None:
        series = series_of(records, now_s=math.inf)
        trend = judge_trend(series, acceptances=acceptances, now_s=0.0)
        self._trends: dict[Key, SeriesTrend] = {
            (one.series.key.subject, one.series.key.metric, one.series.key.quantile or None): one
            for one in trend.series
        }

    def cut(self, key: Key, records: Sequence[HistoryRecord], warnings: list[str]) -> Sequence[HistoryRecord]:
        """Return the records of the present level, and say where it began with a regression nobody accepted."""
        trend = self._trends.get(key)
        if trend is None:
            return records
        start = current_segment(trend)
        if start == 0:
            return records
        first = trend.series.points[start].record
        warnings.extend(
            f"The baseline of {trend.series.label} begins at {first} with a regression that nobody accepted."
            for change in standing_regressions(trend)
            if change.index == start
        )
        ids = {point.record for point in trend.series.points[start:]}
        return [record for record in records if record.id in ids]
