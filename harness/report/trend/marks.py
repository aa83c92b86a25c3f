"""The marks of a chart's series: points, intervals, medians, outliers, and the run that is pointed out."""

import math
from collections.abc import Iterator, Sequence

from harness.history_model import Segment
from harness.report.trend.board import Board
from harness.report.trend.scene import Area, Bars, Item, Label, Line, Look, Marks, Place, text_width
from harness.report.trend.tones import tone_of
from harness.report.trend.words import value_of


def draw_series(board: Board) -> Iterator[Item]:
    """Draw every series: first what is wide and pale, then the medians, then the points."""
    for draw in (_spread_of, _medians, _points):
        for number in range(len(board.members)):
            yield from draw(board, number)


def draw_marked(board: Board, marked: str | None) -> Iterator[Item]:
    """Point one run out: a line through the plot, a ring around each of its values."""
    if marked is None or marked not in board.along.places:
        return
    x = board.along.places[marked]
    yield Line(Look(stroke="ink", width=1.2, dash=(1.5, 2.5)), ((x, board.top), (x, board.bottom)))
    points = [p for judged in board.members for p in judged.series.points if p.record == marked]
    if points:
        yield Marks(Look(stroke="ink", width=1.8), "dot", 13.0, tuple(map(board.place, points)))
    at_end = x > (board.left + board.right) / 2
    anchor = "end" if at_end else "start"
    yield Label("this run", x + (-8 if at_end else 8), board.bottom - 10, anchor, "ink", 12.0, bold=True)


def _spread_of(board: Board, number: int) -> Iterator[Item]:
    """Draw where single runs are expected, the envelope of thinned points, and the runs' own intervals."""
    tone, judged, up = tone_of(number), board.members[number], board.up
    points = judged.series.points
    if len(board.members) == 1:
        for segment in judged.segments:
            yield from _expected(board, segment)
    envelope = board.thinned[number].envelope
    if envelope:
        outline = [(x, up.at(high)) for x, _, high in envelope]
        outline += [(x, up.at(low)) for x, low, _ in reversed(envelope)]
        yield Area(Look(fill=tone.colour, opacity=0.22), tuple(outline))
        return
    spans = tuple(
        (board.x(p), up.at(p.low), up.at(p.high)) for p in points if p.low is not None and p.high is not None
    )
    if spans:
        yield Bars(Look(stroke=tone.colour, width=1.2 if len(points) < 150 else 0.8, opacity=0.45), spans)


def _expected(board: Board, segment: Segment) -> Iterator[Item]:
    points = board.members[0].series.points
    if segment.low is None or segment.high is None or segment.end - segment.start < 2:
        return
    if segment.high > segment.low:
        begin, end = sorted(board.x(points[i]) for i in (segment.start, segment.end - 1))
        low, high = board.up.at(segment.low), board.up.at(segment.high)
        yield Area(
            Look(fill=tone_of(0).colour, opacity=0.09), ((begin, low), (end, low), (end, high), (begin, high))
        )


def _medians(board: Board, number: int) -> Iterator[Item]:
    """Draw each segment's median, slanted where it drifts, thin and dotted through gaps."""
    tone, judged, up = tone_of(number), board.members[number], board.up
    points = judged.series.points
    for segment in judged.segments:
        begin, end = sorted(board.x(points[i]) for i in (segment.start, segment.end - 1))
        half = (segment.slope_per_point or 0.0) * (segment.end - segment.start - 1) / 2
        ends = up.at(segment.median - half), up.at(segment.median + half)
        if end - begin < 10:
            middle = (begin + end) / 2
            begin, end = middle - 5, middle + 5
        for a, b, solid in _stretches(begin, end, board.along.gaps):
            at = [ends[0] + (x - begin) / (end - begin) * (ends[1] - ends[0]) for x in (a, b)]
            look = Look(stroke=tone.line, width=2.4) if solid else Look(stroke=tone.line, width=1.2, dash=(2, 4))
            yield Line(look, ((a, at[0]), (b, at[1])))


def _stretches(
    begin: float, end: float, gaps: Sequence[tuple[float, float, str]]
) -> Iterator[tuple[float, float, bool]]:
    """Split a stretch at its gaps; False marks a gap."""
    at = begin
    for gap_begin, gap_end, _ in gaps:
        if gap_end <= at or gap_begin >= end:
            continue
        if gap_begin > at:
            yield at, gap_begin, True
        yield max(at, gap_begin), min(end, gap_end), False
        at = min(end, gap_end)
    if at < end:
        yield at, end, True


def _size(n: int) -> float:
    return 7.0 if n <= 30 else 5.6 if n <= 150 else 4.4 if n <= 600 else 3.4


def _points(board: Board, number: int) -> Iterator[Item]:
    tone, judged, up = tone_of(number), board.members[number], board.up
    points = judged.series.points
    outliers = set(judged.outliers)
    size = _size(len(points))
    hollow = Look(fill="surface", stroke=tone.line, width=1.5)
    shown = [i for i in board.thinned[number].indices if up.holds(points[i].value)]
    plain = tuple(board.place(points[i]) for i in shown if i not in outliers)
    if plain:
        look = Look(fill=tone.colour, stroke=tone.edge if size > 5 else None, width=0.7)
        yield Marks(look, tone.mark, size, plain)
    ringed = tuple(board.place(points[i]) for i in shown if i in outliers)
    if ringed:
        yield Marks(hollow, tone.mark, max(size, 5.6) + 1.5, ringed)
    for shape, above in (("up", True), ("down", False)):
        cut_off = [
            (board.place(points[i]), points[i].value)
            for i in board.thinned[number].indices
            if not up.holds(points[i].value) and (points[i].value > up.high) == above
        ]
        if cut_off:
            yield Marks(hollow, shape, 9.0, tuple(place for place, _ in cut_off))
            if len(cut_off) <= 4:
                yield from _cut_off_values(board, cut_off)


def _cut_off_values(board: Board, cut_off: Sequence[tuple[Place, float]]) -> Iterator[Item]:
    """Write the values of points beyond the axis beside their marks, as far as they have room."""
    taken = -math.inf
    for (x, y), value in sorted(cut_off):
        text = value_of(value, board.unit)
        width = text_width(text, 11.5)
        if x - 2 > taken and x + 8 + width < board.right:
            yield Label(text, x + 8, y + 5 if y < board.top + 9 else y - 9, "start", "muted", 11.5)
            taken = x + 8 + width + 6
