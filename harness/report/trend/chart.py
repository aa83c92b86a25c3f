"""
One chart of a trend: its series, what was found in them, and where everything stands.

`lay_out` is pure: from a `Group` to a `Scene` and the places of its runs. Nothing is measured here.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.history_model import Note, Point, SeriesTrend
from harness.report.trend.axes import LOG_ABOVE, RunAxis, ValueAxis, run_axis, value_axis
from harness.report.trend.board import ROW, Board
from harness.report.trend.findings import draw_changes, draw_notes, flags_of, notes_within
from harness.report.trend.ground import draw_ground, draw_heads, draw_key, draw_last_values
from harness.report.trend.groups import Group
from harness.report.trend.marks import draw_marked, draw_series
from harness.report.trend.scene import Item, Label, Scene, cut, moved, wrapped
from harness.report.trend.thinning import thin_points
from harness.report.trend.words import commit_text

WIDTH = 840.0
NARROW = 380.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What the reader of a chart asked for.

    Args:
        by_time: whether distances along the runs are times; else they stand side by side in the order given.
        scale: ``log``, ``linear``, or ``auto`` to let the data choose.
        width: of the chart.
        columns: pairs of extremes kept of a series with more points than can be told apart.
        marked: id of a run to point out.
        plot_height: of the part that holds the data.
        key: whether to explain the marks below.
    """

    by_time: bool = True
    scale: str = "auto"
    width: float = WIDTH
    columns: int = 220
    marked: str | None = None
    plot_height: float = 236.0
    key: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """
    A run of one series, at its place in the chart.

    Args:
        point: the run.
        x: its place.
        y: its place.
        outlier: whether it lies far from its own segment.
    """

    point: Point
    x: float
    y: float
    outlier: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """
    A chart that is laid out.

    Args:
        scene: the drawing.
        hits: the runs that can be pointed at, by series.
        board: its axes and edges.
    """

    scene: Scene
    hits: tuple[tuple[Hit, ...], ...]
    board: Board


def lay_out(
    group: Group, settings: Settings, *, notes: Sequence[Note] = (), runs: Mapping[str, float] | None = None
) -> Chart:
    """
    Lay a chart out.

    Args:
        group: its series.
        settings: what the reader asked for.
        notes: releases and events, drawn where they fall between the first run and the last.
        runs: start of every run of the trend [s since the Unix epoch], for those that left no value here.
    """
    members = group.members
    wide = settings.width >= 600
    left, right = (74.0, settings.width - 136.0) if wide else (64.0, settings.width - 14.0)
    along = axis_of(members, runs or {}, by_time=settings.by_time, left=left, right=right)
    shown_notes = notes_within(notes, along)
    flags = flags_of(members, along, left=left, right=settings.width - 6.0)
    rows = max((flag.place.row + 1 for flag in flags if flag.place is not None), default=0)
    top = 10.0 + ROW * rows + (ROW + 2 if shown_notes else 0.0) + (8.0 if flags else 0.0)
    top += 0.0 if wide else ROW * math.ceil(len(members) / 2)
    xs = [[along.places[p.record] for p in judged.series.points] for judged in members]
    board = Board(
        members=members,
        thinned=[
            thin_points(judged, at, left=left, right=right, columns=settings.columns)
            for judged, at in zip(members, xs, strict=True)
        ],
        along=along,
        up=value_axis_of(members, settings, top, top + settings.plot_height),
        left=left,
        top=top,
        right=right,
        bottom=top + settings.plot_height,
        width=settings.width,
    )
    plot = (left, top, right, board.bottom)
    items: list[Item] = [
        *draw_ground(board),
        *draw_notes(shown_notes, plot, stems=[flag.x for flag in flags], room_right=settings.width - 6.0),
        *draw_changes(flags, plot, row_height=ROW, notes=bool(shown_notes)),
        *draw_series(board),
        *draw_marked(board, settings.marked),
        *(draw_last_values(board) if wide else draw_heads(board)),
    ]
    height = board.bottom + 30.0
    if settings.key:
        added, height = draw_key(board, flags, height + 10.0)
        items += added
    return Chart(
        scene=Scene(settings.width, height, tuple(items)),
        hits=tuple(tuple(_hits(board, number)) for number in range(len(members))),
        board=board,
    )


def axis_of(
    members: Sequence[SeriesTrend], runs: Mapping[str, float], *, by_time: bool, left: float, right: float
) -> RunAxis:
    """
    Return the axis of a chart's runs, those that left no value among them.

    In order, the longest series decides; what only others have stands behind its neighbour there.

    Args:
        members: the chart's series.
        runs: start of every run of the trend [s since the Unix epoch].
        by_time: whether distances are times.
        left: where the axis begins.
        right: where it ends.
    """
    points = {point.record: point for judged in members for point in judged.series.points}
    order: list[tuple[str, float]] = []
    known: set[str] = set()
    for judged in sorted(members, key=lambda one: -len(one.series.points)):
        behind = 0
        for point in judged.series.points:
            if point.record in known:
                # Only a series with a run of its own needs to know where it is.
                behind = order.index((point.record, point.at_s)) + 1 if len(known) < len(points) else behind
            else:
                order.insert(behind, (point.record, point.at_s))
                known.add(point.record)
                behind += 1
    lost = {record for judged in members for record in judged.series.left_out} - known
    for record in sorted(lost & runs.keys(), key=lambda one: runs[one]):
        place = next((i for i, (_, at_s) in enumerate(order) if at_s > runs[record]), len(order))
        order.insert(place, (record, runs[record]))
    if by_time:
        order.sort(key=lambda run: run[1])

    def name(record: str) -> str:
        return commit_text(points[record]) if record in points else "–"

    return run_axis(order, name, by_time=by_time, left=left, right=right)


def value_axis_of(members: Sequence[SeriesTrend], settings: Settings, top: float, bottom: float) -> ValueAxis:
    """
    Choose range and scale of a chart: by the data, the limits only as far as they are near.

    Args:
        members: the chart's series.
        settings: whether the reader asked for a scale.
        top: where the axis ends.
        bottom: where it begins.
    """
    shown = _shown_values(members)
    positive = [value for value in shown if value > 0]
    zeros = any(value == 0 for value in shown)
    can_be_log = bool(positive) and not any(value < 0 for value in shown)
    wants_log = settings.scale == "log" or (
        settings.scale == "auto" and not zeros and can_be_log and _is_wide(members, positive)
    )
    if wants_log and can_be_log:
        return value_axis(
            min(positive), max(positive), members[0].series.unit, is_log=True, zeros=zeros, top=top, bottom=bottom
        )
    return value_axis(
        min(shown), max(shown), members[0].series.unit, is_log=False, zeros=False, top=top, bottom=bottom
    )


def _is_wide(members: Sequence[SeriesTrend], positive: Sequence[float]) -> bool:
    """Tell whether a linear axis would press most of the data to the ground."""
    if max(positive) / min(positive) > LOG_ABOVE:
        return True
    middles = [
        judged.segments[-1].median for judged in members if judged.segments and judged.segments[-1].median > 0
    ]
    # Several quantiles: equal relative changes of p50 and p99 shall look alike.
    return len(middles) > 1 and max(middles) / min(middles) > 3


def _shown_values(members: Sequence[SeriesTrend]) -> list[float]:
    """
    Return what has to be seen: all points but outliers that would press the rest flat, and limits that are near.

    An outlier or an interval further out than one and a half times the range of the other points is cut off.
    """
    shown: list[float] = []
    far: list[float] = []
    for judged in members:
        outliers = set(judged.outliers)
        values = [p.value for i, p in enumerate(judged.series.points) if i not in outliers]
        shown += values or [p.value for p in judged.series.points]
        far += [judged.series.points[i].value for i in outliers]
        far += [bound for p in judged.series.points for bound in (p.low, p.high) if bound is not None]
        far += [bound for s in judged.segments for bound in (s.low, s.high) if bound is not None]
    low, high = min(shown), max(shown)
    reach = max(1.5 * (high - low), 0.1 * abs(high))
    shown += [
        value
        for value in far
        if math.isfinite(value) and low - reach <= value <= high + reach and (value > 0 or low <= 0)
    ]
    low, high = min(shown), max(shown)
    limits = {p.limit for judged in members for p in judged.series.points if p.limit is not None}
    reach = max(0.6 * (high - low), 0.25 * abs(high))
    shown += [limit for limit in limits if low - reach <= limit <= high + reach]
    return shown


def _hits(board: Board, number: int) -> Iterator[Hit]:
    judged = board.members[number]
    outliers = set(judged.outliers)
    for i in board.thinned[number].indices:
        x, y = board.place(judged.series.points[i])
        yield Hit(point=judged.series.points[i], x=x, y=y, outlier=i in outliers)


def titled(chart: Chart, title: str, caption: str) -> Scene:
    """Return a chart with its title and caption above, for a file that stands alone."""
    scene = chart.scene
    room = scene.width - 20
    lines = wrapped(caption, room, 12.0, most=3)
    head = 30.0 + 16.0 * len(lines)
    items: list[Item] = [Label(cut(title, room, 15.0, bold=True), 10, 18, size=15.0, bold=True)]
    items += [Label(line, 10, 38.0 + 16.0 * i, "start", "muted", 12.0) for i, line in enumerate(lines)]
    return Scene(scene.width, scene.height + head + 4, (*items, *moved(scene.items, 0.0, head + 4)))
