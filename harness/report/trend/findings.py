"""Changes, releases and notes as a chart shows them: flags above the plot, stems through it, and their texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.history_model import Cause, Change, ChangeKind, ChangeState, Note, SeriesTrend
from harness.report.trend.axes import RunAxis
from harness.report.trend.placing import Flag, place_flags
from harness.report.trend.scene import Area, Item, Label, Line, Look, Marks, cut, text_width
from harness.report.trend.words import change_word, commit_text, effect_text, instant_s, member_text

_SIZE = 12.0
_NOTE_SIZE = 11.5
_SHORTEST = 46.0

Plot = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFlag:
    """
    The changes of a chart's series at one run, as one flag.

    Args:
        x: of the first run after them.
        begins: of the last run that surely lies before them.
        ends: of the first run that surely lies after them.
        changes: with the number of their series.
        text: what the flag says.
        short: the same in less room.
        place: where its text stands; None without room.
    """

    x: float
    begins: float
    ends: float
    changes: tuple[tuple[int, Change], ...]
    text: str
    short: str
    place: Flag | None

    @property
    def colour(self) -> str:
        """Return the colour of the gravest of its changes."""
        changes = [change for _, change in self.changes]
        if all(
            change.accepted is not None or change.cause is Cause.ENVIRONMENT or change.kind is ChangeKind.VARIANCE
            for change in changes
        ):
            return "muted"
        return "vermillion" if any(change.is_regression for change in changes) else "green"

    @property
    def is_confirmed(self) -> bool:
        """Tell whether one of its changes is."""
        return any(change.state is ChangeState.CONFIRMED for _, change in self.changes)

    @property
    def is_grave(self) -> bool:
        """Tell whether one of its changes is a regression that nobody accepted."""
        return any(change.fails for _, change in self.changes)


def flags_of(
    members: Sequence[SeriesTrend], along: RunAxis, *, left: float, right: float
) -> tuple[ChangeFlag, ...]:
    """
    Return the flags of a chart, those of the same run as one, each with a place for its text.

    Args:
        members: the chart's series.
        along: its axis of runs.
        left: where texts may begin.
        right: where they have to end.
    """
    together: dict[tuple[str, ChangeState], list[tuple[int, Change]]] = {}
    for number, judged in enumerate(members):
        for change in judged.changes:
            record = judged.series.points[change.index].record
            together.setdefault((record, change.state), []).append((number, change))
    flags = []
    for (record, _), changes in together.items():
        texts = _texts(members, changes)
        flags.append(
            ChangeFlag(
                x=along.places[record],
                begins=min(along.places.get(run, along.places[record]) for run in _bounds(changes, 0)),
                ends=max(along.places.get(run, along.places[record]) for run in _bounds(changes, 1)),
                changes=tuple(changes),
                text=texts[0],
                short=texts[1],
                place=None,
            )
        )
    flags.sort(key=lambda flag: flag.x)
    wanted = [
        (
            flag.x,
            text_width(flag.text, _SIZE, bold=flag.is_grave) + 14,
            text_width(flag.short, _SIZE, bold=flag.is_grave) + 14,
        )
        for flag in flags
    ]
    places = place_flags(wanted, left=min(left, 8.0), right=right)
    return tuple(replace(flag, place=place) for flag, place in zip(flags, places, strict=True))


def _bounds(changes: Sequence[tuple[int, Change]], end: int) -> list[str]:
    """Return the last runs surely before (0) or the first surely after (1); of drifts none: they have no place."""
    steps = [change for _, change in changes if change.kind is not ChangeKind.DRIFT]
    return [(change.last_before, change.first_after)[end] for change in steps] or [""]


def _texts(members: Sequence[SeriesTrend], changes: Sequence[tuple[int, Change]]) -> tuple[str, str]:
    number, first = changes[0]
    series = members[number].series
    sizes = [
        (f"{member_text(members[n].series)} " if len(members) > 1 else "") + effect_text(c, members[n].series.unit)
        for n, c in changes
    ]
    words = {change_word(change) for _, change in changes}
    told = "" if words == {"spread"} else f" {next(iter(words))}" if len(words) == 1 else " mixed"
    at = commit_text(series.points[first.index])
    return f"{', '.join(sizes)}{told}, {at}", sizes[0] + (" …" if len(sizes) > 1 else "")


def draw_changes(
    flags: Sequence[ChangeFlag],
    plot: Plot,
    *,
    row_height: float,
    notes: bool,
) -> Iterator[Item]:
    """
    Draw each flag: the stretch it can lie in, its stem, its text.

    A confirmed change has a solid stem and a filled head, a suspected one a dashed stem and a hollow head.

    Args:
        flags: of the chart.
        plot: left, top, right and bottom of the data.
        row_height: of a row of texts.
        notes: whether a row of notes lies between them and the plot.
    """
    _, top, _, bottom = plot
    base = top - 8.0 - (row_height + 2 if notes else 0.0)
    for flag in flags:
        if flag.ends - flag.begins > 1:
            yield Area(
                Look(fill=flag.colour, opacity=0.13),
                ((flag.begins, top), (flag.ends, top), (flag.ends, bottom), (flag.begins, bottom)),
            )
    for flag in flags:
        dash: tuple[float, ...] = () if flag.is_confirmed else (4.0, 4.0)
        stem_top = base if flag.place is None else base - row_height * flag.place.row
        yield Line(Look(stroke=flag.colour, width=1.6, dash=dash), ((flag.x, stem_top), (flag.x, bottom)))
        head = Look(fill=flag.colour if flag.is_confirmed else "surface", stroke=flag.colour, width=1.5)
        yield Marks(head, "down", 9.0, ((flag.x, top - 2),))
        if flag.place is not None:
            text = flag.short if flag.place.short else flag.text
            y = base - row_height * flag.place.row - row_height / 2 + 2
            yield Label(text, flag.place.left + 7, y, "start", "ink", _SIZE, bold=flag.is_grave)
            yield Line(
                Look(stroke=flag.colour, width=1.6), ((flag.place.left, y + 8), (flag.place.right - 4, y + 8))
            )


def notes_within(notes: Sequence[Note], along: RunAxis) -> list[tuple[float, Note]]:
    """Return the notes that fall between the first run and the last, with their places."""
    found = []
    for note in notes:
        at_s = instant_s(note.at_utc)
        x = None if at_s is None else along.of_time(at_s)
        if x is not None:
            found.append((x, note))
    return sorted(found, key=lambda placed: placed[0])


def draw_notes(
    notes: Sequence[tuple[float, Note]], plot: Plot, *, stems: Sequence[float], room_right: float
) -> Iterator[Item]:
    """
    Draw releases and notes: a dotted line each, and a row of their names right above the plot.

    Args:
        notes: with their places, from left to right.
        plot: left, top, right and bottom of the data.
        stems: places of the changes, whose stems pass the row.
        room_right: where texts have to end.
    """
    _, top, _, bottom = plot
    y = top - 18.0
    taken = 4.0
    for i, (x, note) in enumerate(notes):
        yield Line(Look(stroke="muted", width=1.0, dash=(1.5, 3.0)), ((x, y), (x, bottom)))
        shape = "diamond" if note.is_release else "square"
        yield Marks(Look(fill="muted"), shape, 7.0 if note.is_release else 5.0, ((x, y),))
        end = min([other for other, _ in notes[i + 1 :]] + [s for s in stems if s > x] + [room_right + 8]) - 8
        begin = max([taken] + [s for s in stems if s <= x]) + 6
        width = text_width(note.text, _NOTE_SIZE)
        if x + 8 + min(width, _SHORTEST) <= end:
            text = cut(note.text, end - x - 8, _NOTE_SIZE)
            yield Label(text, x + 8, y, "start", "muted", _NOTE_SIZE)
            taken = x + 8 + text_width(text, _NOTE_SIZE)
        elif begin + width <= x - 8:
            yield Label(cut(note.text, width, _NOTE_SIZE), x - 8, y, "end", "muted", _NOTE_SIZE)
            taken = x
        else:
            taken = x
