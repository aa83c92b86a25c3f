"""Small multiples: every chart of a trend in the size of a stamp, and sheets of them."""

from collections.abc import Iterator, Sequence

from harness.report.trend.axes import RunAxis, ValueAxis
from harness.report.trend.chart import Settings, axis_of, value_axis_of
from harness.report.trend.findings import flags_of
from harness.report.trend.groups import Group
from harness.report.trend.scene import Area, Item, Label, Line, Look, Marks, Scene, cut, moved, text_width
from harness.report.trend.thinning import thin_points
from harness.report.trend.tones import tone_of
from harness.report.trend.words import change_word, effect_text, gravest_change, metric_text, value_of
from harness.report.words import plain

CELL_WIDTH, CELL_HEIGHT = 268.0, 118.0
_GAP = 18.0
_COLUMNS = 3
PER_SHEET = 60
"""Charts on one sheet: more would make a picture too tall to look at."""


def cell(group: Group, settings: Settings) -> Scene:
    """
    Lay one chart out in the size of a stamp.

    Args:
        group: its series.
        settings: order and scale are taken from here.
    """
    members = group.members
    left, right, top, bottom = 2.0, CELL_WIDTH - 72.0, 48.0, CELL_HEIGHT - 8.0
    along = axis_of(members, {}, by_time=settings.by_time, left=left, right=right)
    up = value_axis_of(members, settings, top, bottom)
    items: list[Item] = [*_heading(group), *_ground(up, left, right)]
    items += _stems(group, along, top, bottom)
    for number, judged in enumerate(members):
        tone = tone_of(number)
        points = judged.series.points
        xs = [along.places[p.record] for p in points]
        kept = thin_points(judged, xs, left=left, right=right, columns=60)
        if kept.envelope:
            outline = [(x, up.at(high)) for x, _, high in kept.envelope]
            outline += [(x, up.at(low)) for x, low, _ in reversed(kept.envelope)]
            items.append(Area(Look(fill=tone.colour, opacity=0.4), tuple(outline)))
        else:
            size = 3.6 if len(points) <= 60 else 2.4
            places = tuple((xs[i], up.at(points[i].value)) for i in kept.indices)
            items.append(Marks(Look(fill=tone.colour, opacity=0.75), "dot", size, places))
        for segment in judged.segments:
            y = up.at(segment.median)
            begin, end = sorted((xs[segment.start], xs[segment.end - 1]))
            items.append(Line(Look(stroke=tone.line, width=1.8), ((begin - 2, y), (end + 2, y))))
    items += _last(group, up, right)
    return Scene(CELL_WIDTH, CELL_HEIGHT, tuple(items))


def _heading(group: Group) -> Iterator[Item]:
    series = group.members[0].series
    state, colour, bold = _state(group)
    room = text_width(state, 11.5, bold=bold)
    yield Label(state, CELL_WIDTH - 2, 10.0, "end", colour, 11.5, bold=bold)
    if room < CELL_WIDTH * 0.6:
        yield Label(
            cut(metric_text(series.key.metric), CELL_WIDTH - room - 14, 12.5, bold=True),
            2,
            10.0,
            bold=True,
            size=12.5,
        )
    subject = plain(group.title.partition(", ")[2]) or plain(series.key.subject)
    yield Label(cut(subject, CELL_WIDTH - 6, 11.0), 2, 28.0, "start", "muted", 11.0)


def _state(group: Group) -> tuple[str, str, bool]:
    """Say how a chart's series stand in a few words, with a sign that does not need its colour."""
    found = gravest_change(group.members)
    if found is None:
        if all(judged.not_judged for judged in group.members):
            return "? not judged", "muted", False
        return "steady", "muted", False
    judged, change = found
    word = change_word(change)
    sign = {"worse": "▲", "better": "▼", "suspected": "?", "accepted": "✓"}.get(word, "·")
    if word == "better" and change.after > change.before:
        sign = "▲"
    elif word == "worse" and change.after < change.before:
        sign = "▼"
    colour = {"worse": "vermillion", "better": "green"}.get(word, "ink")
    told = effect_text(change, judged.series.unit) + ("" if word == "spread" else f" {word}")
    return f"{sign} {told}", colour, word == "worse"


def _ground(up: ValueAxis, left: float, right: float) -> Iterator[Item]:
    yield Line(Look(stroke="grid", width=1.0), ((left, up.bottom + 2), (right, up.bottom + 2)))


def _stems(group: Group, along: RunAxis, top: float, bottom: float) -> Iterator[Item]:
    for flag in flags_of(group.members, along, left=0.0, right=CELL_WIDTH):
        dash: tuple[float, ...] = () if flag.is_confirmed else (2.5, 2.5)
        yield Line(Look(stroke=flag.colour, width=1.4, dash=dash), ((flag.x, top - 4), (flag.x, bottom)))
        head = Look(fill=flag.colour if flag.is_confirmed else "surface", stroke=flag.colour, width=1.2)
        yield Marks(head, "down", 6.5, ((flag.x, top - 5),))


def _last(group: Group, up: ValueAxis, right: float) -> Iterator[Item]:
    judged = group.members[-1] if len(group.members) < 3 else group.members[len(group.members) // 2]
    series = judged.series
    last = series.points[-1].value
    y = min(max(up.at(last), up.top + 4), up.bottom - 4)
    yield Label(
        cut(value_of(last, series.unit), CELL_WIDTH - right - 8, 11.5, bold=True),
        right + 6,
        y,
        "start",
        "ink",
        11.5,
        bold=True,
    )


def sheets(groups: Sequence[Group], settings: Settings, *, title: str, subtitle: str) -> list[Scene]:
    """
    Put the charts of a trend on sheets, in their order.

    Args:
        groups: the charts, at least one.
        settings: order and scale are taken from here.
        title: heading of each sheet.
        subtitle: a line below it.
    """
    parts = [groups[start : start + PER_SHEET] for start in range(0, len(groups), PER_SHEET)]
    return [
        _sheet(part, settings, title if len(parts) == 1 else f"{title}, sheet {i} of {len(parts)}", subtitle)
        for i, part in enumerate(parts, start=1)
    ]


def _sheet(groups: Sequence[Group], settings: Settings, title: str, subtitle: str) -> Scene:
    columns = min(_COLUMNS, len(groups))
    width = 2 * _GAP + max(columns * (CELL_WIDTH + _GAP) - _GAP, 2 * CELL_WIDTH)
    items: list[Item] = [
        Label(cut(title, width - 2 * _GAP, 16.0, bold=True), _GAP, 24.0, size=16.0, bold=True),
        Label(cut(subtitle, width - 2 * _GAP, 12.0), _GAP, 46.0, "start", "muted", 12.0),
    ]
    for number, group in enumerate(groups):
        row, column = divmod(number, columns)
        x, y = _GAP + column * (CELL_WIDTH + _GAP), 68.0 + row * (CELL_HEIGHT + _GAP)
        items += moved(cell(group, settings).items, x, y)
    rows = -(-len(groups) // columns)
    return Scene(width, 68.0 + rows * (CELL_HEIGHT + _GAP), tuple(items))
