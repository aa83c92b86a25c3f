"""What a comparison with the baseline is called, and which way is the better one."""

from harness.history_model import Comparison
from harness.model import Direction
from harness.report.trend.words import metric_text, quantile_text

_DIRECTIONS = {
    "achieved_rate": Direction.ABOVE,
    "capacity": Direction.ABOVE,
    "poll_rate": Direction.NEAR,
    "offered_rate": Direction.NEAR,
}


def direction_of(metric: str) -> Direction:
    """Return which side of its baseline a metric has to stay on; most have to stay small."""
    return _DIRECTIONS.get(metric, Direction.BELOW)


def figure_name(one: Comparison) -> str:
    """Name what was compared: ``Response time p95``."""
    return f"{metric_text(one.metric)} {quantile_text(one.quantile or 0.0)}".strip()
