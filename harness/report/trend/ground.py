"""What surrounds the series of a chart: ticks, gaps, limits, last values, and the key to its marks."""

import math
from collections.abc import Iterator, Sequence

from harness.history_model import SeriesTrend
from harness.report.trend.board import ROW, Board
from harness.report.trend.findings import ChangeFlag
from harness.report.trend.placing import spread
from harness.report.trend.scene import Area, Item, Label, Line, Look, Marks, cut, moved, text_width
from harness.report.trend.tones import tone_of
from harness.report.trend.words import limit_of, member_text, value_of

_LIMIT = Look(stroke="vermillion", width=1.4, dash=(6, 4))
_Entry = tuple[str, tuple[Item, ...]]


def draw_ground(board: Board) -> Iterator[Item]:
    """Draw ticks and gaps, the runs without a value, and the limits."""
    yield from _gaps(board)
    yield from _values(board)
    yield from _runs(board)
    yield from _missing(board)
    yield from _limits(board)


def _values(board: Board) -> Iterator[Item]:
    left, up = board.left, board.up
    for value, text in up.ticks:
        y = up.at(value)
        yield Line(Look(stroke="grid", width=1.0), ((left, y), (board.right, y)))
        yield Label(cut(text, left - 12, 12.0), left - 8, y, "end", "ink", 12.0)
    if up.zero_lane:
        y = up.at(0.0)
        yield Line(Look(stroke="grid", width=1.0, dash=(2, 3)), ((left, y), (board.right, y)))
        yield Label("0", left - 8, y, "end", "ink", 12.0)
    yield Line(Look(stroke="muted", width=1.0), ((left, board.top), (left, up.bottom)))


def _runs(board: Board) -> Iterator[Item]:
    edge, bottom = Look(stroke="muted", width=1.0), board.bottom
    yield Line(edge, ((board.left, bottom), (board.right, bottom)))
    taken = -math.inf
    for x, text in board.along.ticks:
        half = text_width(text, 12.0) / 2
        middle = min(max(x, half + 2), board.width - 4 - half)
        yield Line(edge, ((x, bottom), (x, bottom + 4)))
        if middle - half > taken:
            yield Label(text, middle, bottom + 16, "middle", "ink", 12.0)
            taken = middle + half + 10


def _gaps(board: Board) -> Iterator[Item]:
    top, bottom = board.top, board.bottom
    for begin, end, what in board.along.gaps:
        yield Area(Look(fill="shade"), ((begin, top), (end, top), (end, bottom), (begin, bottom)))
        if end - begin > text_width(what, 11.5) + 16:
            yield Label(what, (begin + end) / 2, bottom - 12, "middle", "muted", 11.5)


def _missing(board: Board) -> Iterator[Item]:
    """Mark the runs that left no value, so that a hole in a series does not pass for rhythm."""
    lost = {record for judged in board.members for record in judged.series.left_out}
    xs = sorted(board.along.places[record] for record in lost if record in board.along.places)
    if xs:
        yield Marks(Look(stroke="muted", width=1.2), "cross", 6.0, tuple((x, board.bottom) for x in xs))


def _limits(board: Board) -> Iterator[Item]:
    """Draw the gates' limits as they stood at each run: a limit that was moved makes a step."""
    for judged in board.members:
        stretch: list[tuple[float, float]] = []
        for point in judged.series.points:
            y = None if point.limit is None or not board.up.holds(point.limit) else board.up.at(point.limit)
            if stretch and stretch[-1][1] != y:
                yield _limit_line(stretch)
                stretch = []
            if y is not None:
                stretch.append((board.x(point), y))
        if stretch:
            yield _limit_line(stretch)


def _limit_line(stretch: Sequence[tuple[float, float]]) -> Line:
    xs = [x for x, _ in stretch]
    return Line(_LIMIT, ((min(xs) - 6, stretch[0][1]), (max(xs) + 6, stretch[0][1])))


def draw_last_values(board: Board) -> Iterator[Item]:
    """Write each series' last value, and the limits, right of the plot at their heights."""
    told: list[tuple[float, str, str, bool]] = []
    for number, judged in enumerate(board.members):
        series = judged.series
        name = f"{member_text(series)} " if series.key.quantile else ""
        last = series.points[-1].value
        told.append((board.up.at(last), f"{name}{value_of(last, series.unit)}", tone_of(number).line, True))
    for limit, name in last_limits(board.members):
        text = f"{name}limit {limit_of(limit, board.unit)}"
        if board.up.holds(limit):
            told.append((board.up.at(limit), text, "vermillion", False))
        else:
            # Drawn in, it would press the series flat: an arrow says where it lies, without a leader.
            told.append((board.up.at(limit), f"{'↑' if limit > board.up.high else '↓'} {text}", "", False))
    floor = max(board.bottom - 4, board.top + 17.0 * len(told))
    heights = spread([y for y, _, _, _ in told], 17.0, board.top + 2, floor)
    for (wanted, text, colour, bold), put in zip(told, heights, strict=True):
        if colour:
            yield Line(Look(stroke=colour, width=1.0), ((board.right + 1, wanted), (board.right + 10, put)))
        room = board.width - board.right - 18
        yield Label(cut(text, room, 12.0, bold=bold), board.right + 14, put, "start", "ink", 12.0, bold=bold)


def last_limits(members: Sequence[SeriesTrend]) -> list[tuple[float, str]]:
    """Return the limits in force at the last run that had one, with the name of their series and a blank."""
    found: dict[float, str] = {}
    for judged in members:
        series = judged.series
        limit = next((p.limit for p in reversed(series.points) if p.limit is not None), None)
        if limit is not None and limit not in found:
            name = f"{member_text(series)} " if series.key.quantile and len(members) > 1 else ""
            found[limit] = name
    return list(found.items())


def draw_heads(board: Board) -> Iterator[Item]:
    """On a narrow chart, write mark, name and last value of each series above the plot, two a line."""
    half = board.width / 2
    for number, judged in enumerate(board.members):
        tone = tone_of(number)
        row, column = divmod(number, 2)
        x, y = 8.0 + column * half, 10.0 + ROW * row
        series = judged.series
        name = member_text(series) if series.key.quantile else "last"
        yield Marks(Look(fill=tone.colour, stroke=tone.edge, width=0.7), tone.mark, 8.0, ((x + 4, y),))
        text = f"{name} {value_of(series.points[-1].value, series.unit)}"
        yield Label(cut(text, half - 24, 12.0, bold=True), x + 14, y, "start", "ink", 12.0, bold=True)


def draw_key(board: Board, flags: Sequence[ChangeFlag], top: float) -> tuple[list[Item], float]:
    """
    Explain the marks that a chart uses, in as many lines as they take.

    Returns:
        What to draw, and where it ends.
    """
    entries = [*_key_of_series(board), *_key_of_findings(board, flags)]
    items: list[Item] = []
    x, y = 8.0, top
    for text, marks in entries:
        room = 22 + text_width(text, 11.5)
        if x + room > board.width - 6 and x > 8.0:
            x, y = 8.0, y + 18
        items += moved(marks, x, y)
        items.append(Label(text, x + 22, y, "start", "muted", 11.5))
        x += room + 18
    return items, y + 12


def _key_of_series(board: Board) -> Iterator[_Entry]:
    members, first = board.members, tone_of(0)
    box = ((0.0, -5.0), (16.0, -5.0), (16.0, 5.0), (0.0, 5.0))
    for number, judged in enumerate(members):
        tone = tone_of(number)
        name = member_text(judged.series) if len(members) > 1 else "a run"
        yield name, (Marks(Look(fill=tone.colour, stroke=tone.edge, width=0.7), tone.mark, 7.0, ((8, 0),)),)
    points = [p for judged in members for p in judged.series.points]
    if any(kept.is_thinned for kept in board.thinned):
        yield "least to largest of several runs", (Area(Look(fill=first.colour, opacity=0.22), box),)
    elif any(p.low is not None and p.high is not None for p in points):
        stroke = Look(stroke=first.colour, width=1.6, opacity=0.6)
        yield "its confidence interval", (Line(stroke, ((8, -6), (8, 6))),)
    yield "median of a segment", (Line(Look(stroke=first.line, width=2.4), ((0, 0), (16, 0))),)
    if len(members) == 1 and any(s.low is not None and s.low != s.high for s in members[0].segments):
        yield "where single runs are expected", (Area(Look(fill=first.colour, opacity=0.14), box),)
    if any(p.limit is not None and board.up.holds(p.limit) for p in points):
        yield "limit", (Line(_LIMIT, ((0, 0), (16, 0))),)


def _key_of_findings(board: Board, flags: Sequence[ChangeFlag]) -> Iterator[_Entry]:
    if any(judged.outliers for judged in board.members):
        hollow = Look(fill="surface", stroke=tone_of(0).line, width=1.5)
        yield "outlier", (Marks(hollow, "dot", 7.5, ((8, 0),)),)
    for name, dash, used in (
        ("confirmed change", (), any(flag.is_confirmed for flag in flags)),
        ("suspected change", (4.0, 4.0), not all(flag.is_confirmed for flag in flags)),
    ):
        if used:
            head = Look(fill="surface" if dash else "muted", stroke="muted", width=1.2)
            stem = Line(Look(stroke="muted", width=1.6, dash=dash), ((8, -7), (8, 7)))
            yield name, (stem, Marks(head, "down", 7.0, ((8, -3),)))
    if any(judged.series.left_out for judged in board.members):
        yield "run without a value", (Marks(Look(stroke="muted", width=1.2), "cross", 6.0, ((8, 0),)),)
