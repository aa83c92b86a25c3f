"""
The trend as one self-contained page: no network, light and dark, on screen and on paper, readable without script.

`render_page` is pure. Everything from outside is escaped by Jinja2 or stands in data blocks with ``<`` spelled
out; script and style sheet are named to the browser by their digests, and nothing else may run.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from harness.history_model import Change, Point, SeriesTrend, Trend
from harness.report.assets import asset, digest, environment
from harness.report.trend.chart import NARROW, Chart, Settings, lay_out
from harness.report.trend.groups import Group
from harness.report.trend.links import Link
from harness.report.trend.overview import cell
from harness.report.trend.svg import StyleBook, scene_svg
from harness.report.trend.words import (
    STATUS_WORDS,
    change_word,
    chart_caption,
    commit_text,
    day_text,
    effect_text,
    gravest_change,
    instant_s,
    interval_clause,
    member_text,
    moment_text,
    ranked_changes,
    state_text,
    trend_sentence,
    value_of,
    where_text,
)
from harness.report.words import counted, plain

MOST_CHANGES = 200
"""Rows of the table of changes."""

MARKS_OF_A_PAGE = 60_000
"""
Runs that can be pointed at in one page, at some 40 bytes each. With more, each chart keeps fewer of its extremes.
"""

_MARKS_FOR_NARROW = 12_000
_LEAST_P = 1e-15
"""Smaller p-values are told as smaller than this: they are extrapolated, and 0 would be a claim."""
"""Up to this many, each chart comes a second time for narrow screens; beyond, these scroll sideways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChartPart:
    """One chart of the page, rendered."""

    slug: str
    title: str
    caption: str
    state: str
    cell: Markup
    wide: Markup
    narrow: Markup | None
    data: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChangeRow:
    """One row of the table of changes, as text."""

    slug: str
    series: str
    size: str
    interval: str
    before: str
    after: str
    where: str
    state: str
    word: str
    reason: str
    p: str


def render_page(
    trend: Trend,
    groups: Sequence[Group],
    settings: Settings,
    *,
    title: str,
    made: str,
    link: Link,
    progress: Callable[[int], None] = lambda _: None,
) -> str:
    """
    Return the page.

    Args:
        trend: what was found.
        groups: its charts in their order.
        settings: order and scale.
        title: heading.
        made: when and from what it was made, a clause.
        link: from a run's report to where the page can open it.
        progress: told after each chart how many are done.
    """
    book = StyleBook()
    points = [p for judged in trend.series for p in judged.series.points]
    runs = {p.record: p for p in points}
    # Only runs that can be pointed at are told: of a hundred thousand, a few hundred.
    numbers: dict[str, int] = {}
    chosen = _fitting(settings, trend.series)
    marks = sum(min(len(one.series.points), 2 * chosen.columns) for one in trend.series)
    starts = {record: point.at_s for record, point in runs.items()}
    parts = []
    for done, group in enumerate(groups, start=1):
        wide = lay_out(group, chosen, notes=trend.notes, runs=starts)
        narrow = None
        if marks <= _MARKS_FOR_NARROW:
            narrow = lay_out(group, _narrowed(chosen), notes=trend.notes, runs=starts)
        parts.append(_part(group, wide, narrow, settings=chosen, numbers=numbers, book=book))
        progress(done)
    style = f"{asset('base.css')}{asset('trend.css')}{book.sheet()}\n"
    script = asset("trend.js")
    rows = ranked_changes(trend)
    slugs = {judged.series.key: group.slug for group in groups for judged in group.members}
    return (
        environment()
        .get_template("trend.html.j2")
        .render(
            title=plain(f"{STATUS_WORDS[trend.status]}: {title}"),
            heading=plain(title),
            lead=_lead(trend, made),
            status=trend.status.value,
            word=STATUS_WORDS[trend.status],
            sentence=trend_sentence(trend),
            warnings=_warnings(trend),
            changes=[
                _change_row(judged, change, slugs[judged.series.key]) for judged, change in rows[:MOST_CHANGES]
            ],
            changes_left=_changes_left(len(rows)),
            charts=parts,
            notes=[_note_row(note.at_utc, note.text, is_release=note.is_release) for note in trend.notes],
            left_out=_left_out(trend),
            thinned=_thinned(trend.series, chosen),
            runs=_data([_run(runs[record], link) for record in numbers]),
            script=Markup(script),  # noqa: S704  # our own file
            script_hash=digest(script),
            style=Markup(style),  # noqa: S704  # our own file, and rules made of our own names and numbers
            style_hash=digest(style),
        )
    )


def _data(value: object) -> Markup:
    """Return a value as JSON that ends no script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704  # no markup is left in it


def _fitting(settings: Settings, series: Sequence[SeriesTrend]) -> Settings:
    """Keep fewer extremes a series where the page would get heavy otherwise."""
    many = sum(1 for one in series if len(one.series.points) > 60) or 1
    columns = max(30, min(settings.columns, MARKS_OF_A_PAGE // (2 * many)))
    return replace(settings, columns=columns)


def _narrowed(settings: Settings) -> Settings:
    return replace(settings, width=NARROW, columns=max(30, settings.columns // 2))


def _part(
    group: Group,
    wide: Chart,
    narrow: Chart | None,
    *,
    settings: Settings,
    numbers: dict[str, int],
    book: StyleBook,
) -> _ChartPart:
    found = gravest_change(group.members)
    return _ChartPart(
        slug=group.slug,
        title=group.title,
        caption=chart_caption(group.members).replace(" %", "\N{NO-BREAK SPACE}%"),
        state=state_text(group.members[0] if found is None else found[0]),
        cell=_markup(scene_svg(cell(group, settings), book, kind="cell")),
        wide=_markup(scene_svg(wide.scene, book, kind="wide")),
        narrow=None if narrow is None else _markup(scene_svg(narrow.scene, book, kind="narrow")),
        data=_data(_chart_data(group, wide, narrow, numbers)),
    )


def _markup(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704  # drawn by scene_svg, which escapes its texts


def _chart_data(group: Group, wide: Chart, narrow: Chart | None, numbers: dict[str, int]) -> dict[str, object]:
    # A narrow chart keeps fewer marks, so each way to draw needs the places of the runs that both know.
    series = []
    for number, (judged, hits) in enumerate(zip(group.members, wide.hits, strict=True)):
        unit = judged.series.unit
        intervals = [_interval(hit.point, unit) for hit in hits]
        series.append(
            {
                "n": member_text(judged.series) if len(group.members) > 1 else "",
                "r": [numbers.setdefault(hit.point.record, len(numbers)) for hit in hits],
                "v": [value_of(hit.point.value, unit) for hit in hits],
                "i": intervals if any(intervals) else 0,
                "o": [i for i, hit in enumerate(hits) if hit.outlier],
                "s": number,
            }
        )
    data: dict[str, object] = {"series": series, "wide": _places(wide, wide)}
    if narrow is not None:
        data["narrow"] = _places(narrow, wide)
    return data


def _places(chart: Chart, like: Chart) -> dict[str, object]:
    """Return the places of the runs that `like` marks, in `chart`."""
    return {
        "x": [[round(chart.board.x(hit.point), 1) for hit in hits] for hits in like.hits],
        "y": [[round(chart.board.up.at(hit.point.value), 1) for hit in hits] for hits in like.hits],
        "top": round(chart.board.top, 1),
        "bottom": round(chart.board.bottom, 1),
    }


def _interval(point: Point, unit: str) -> str:
    if point.low is None and point.high is None:
        return ""
    return f"{value_of(point.low, unit)} to {value_of(point.high, unit)}"


def _run(point: Point, link: Link) -> dict[str, str]:
    told = {
        "id": plain(point.record, longest=80),
        "at": moment_text(point.at_s),
        "commit": commit_text(point) if point.commit else "",
        "version": plain(point.version or "", longest=40),
        "status": "" if point.status is None else point.status.value,
        "report": link(point.report) or "",
    }
    return {name: text for name, text in told.items() if text}


def _lead(trend: Trend, made: str) -> str:
    points = [p for judged in trend.series for p in judged.series.points]
    if not points:
        return made
    runs = len({p.record for p in points})
    first, last = min(p.at_s for p in points), max(p.at_s for p in points)
    return f"{counted(runs, 'run')}, {day_text(first)} to {day_text(last)}, {len(trend.series)} series. {made}"


def _warnings(trend: Trend) -> list[str]:
    told = [plain(line) for line in trend.stale[:5]]
    if len(trend.stale) > 5:
        told.append(f"{len(trend.stale) - 5} more series are as old.")
    for judged in trend.series:
        told += [f"{plain(judged.series.label)}: {plain(warning)}" for warning in judged.warnings]
    return told[:12] + ([f"{len(told) - 12} more warnings stand in trend.json."] if len(told) > 12 else [])


def _change_row(judged: SeriesTrend, change: Change, slug: str) -> _ChangeRow:
    unit = judged.series.unit
    word = change_word(change)
    return _ChangeRow(
        slug=slug,
        series=plain(judged.series.label),
        size=effect_text(change, unit),
        interval=interval_clause(change.effect_interval).removeprefix(", ").replace(" %", "\N{NO-BREAK SPACE}%"),
        before=value_of(change.before, unit),
        after=value_of(change.after, unit),
        where=where_text(judged.series, change),
        state=f"{change.state.value} {change.kind.value}" + ("" if word == "suspected" else f", {word}"),
        word=word.replace(" ", "-"),
        reason="" if change.accepted is None else plain(change.accepted),
        p=f"{change.p_value:.2g}" if change.p_value >= _LEAST_P else f"< {_LEAST_P:g}",
    )


def _changes_left(found: int) -> str:
    left = found - MOST_CHANGES
    return f"{counted(left, 'more change')} in the charts below." if left > 0 else ""


def _note_row(at_utc: str, text: str, *, is_release: bool) -> tuple[str, str]:
    at_s = instant_s(at_utc)
    when = plain(at_utc) if at_s is None else moment_text(at_s)
    return when, ("Release " if is_release else "") + plain(text)


def _left_out(trend: Trend) -> list[tuple[str, str]]:
    told = [(plain(name), plain(why)) for name, why in trend.left_out.items()]
    for judged in trend.series:
        if judged.series.left_out:
            whys = sorted({plain(why) for why in judged.series.left_out.values()})
            runs = counted(len(judged.series.left_out), "run")
            told.append((plain(judged.series.label), f"{runs}: {', '.join(whys[:3])}{', …' * (len(whys) > 3)}"))
    left = len(told) - 50
    return told[:50] + ([("…", f"{left} more in trend.json")] if left > 0 else [])


def _thinned(series: Sequence[SeriesTrend], settings: Settings) -> str:
    if all(len(one.series.points) <= min(700, 2 * settings.columns) for one in series):
        return ""
    return (
        "A series with more runs than can be told apart is drawn as a band from the least to the largest of each"
        f" of {settings.columns} stretches. These two, every outlier and both sides of each change keep a mark"
        " and can be pointed at; every run stands in trend.json."
    )
