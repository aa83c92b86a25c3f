"""The index page over dated trends. Pure: from entries to HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.model import Status
from harness.report.assets import asset, digest, environment
from harness.report.trend.words import STATUS_WORDS
from harness.report.words import plain
from harness.units import format_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One dated folder.

    Args:
        name: of the folder.
        at_utc: when it was made, for people.
        status: how the trend stood; None for a folder whose data can't be read.
        sentence: the same in words.
        series: how many there were; None when not known.
        runs: how many; None when not known.
        page: whether it has a page to link to.
    """

    name: str
    at_utc: str
    status: Status | None
    sentence: str
    series: int | None
    runs: int | None
    page: bool


def render_index(entries: Sequence[Entry], *, title: str) -> str:
    """
    Return the index page.

    Args:
        entries: the newest first.
        title: heading.
    """
    style = asset("base.css")
    rows = [
        {
            "name": entry.name,
            "at_utc": entry.at_utc,
            "page": entry.page,
            "status_name": (entry.status or Status.INCONCLUSIVE).value,
            "word": "Unknown" if entry.status is None else STATUS_WORDS[entry.status],
            "sentence": plain(entry.sentence),
            "series": format_count(entry.series),
            "runs": format_count(entry.runs),
        }
        for entry in entries
    ]
    template = environment().get_template("trends.html.j2")
    return template.render(
        title=plain(title),
        entries=rows,
        style=Markup(style),  # noqa: S704  # our own file
        style_hash=digest(style),
    )
