"""Which series share a chart, what each chart is called, and in which order they come."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.history_model import SeriesKey, SeriesTrend
from harness.report.trend.words import gravity, metric_text, quantile_text
from harness.report.words import plain

MOST_TOGETHER = 5
"""Series of one chart: there are as many pairs of colour and mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """
    Series that share a chart.

    Args:
        slug: name of its files without the suffix; unique among the groups.
        title: heading.
        members: at least one, by quantile.
    """

    slug: str
    title: str
    members: tuple[SeriesTrend, ...]

    @property
    def unit(self) -> str:
        """Return the unit that its series share."""
        return self.members[0].series.unit


def groups_of(series: Iterable[SeriesTrend]) -> tuple[Group, ...]:
    """
    Put the quantiles of one thing into one chart.

    Args:
        series: of a trend.

    Returns:
        The charts, the one a person should look at first in front; those alike in the order given.
    """
    together: dict[tuple[str, ...], list[SeriesTrend]] = defaultdict(list)
    for judged in series:
        key = judged.series.key
        # A series that changed its unit stays apart: two units fit on no axis.
        together[key.subject, key.metric, key.scenario, key.environment_key, judged.series.unit].append(judged)
    parts = [
        tuple(members[start : start + MOST_TOGETHER])
        for found in together.values()
        for members in [sorted(found, key=lambda judged: judged.series.key.quantile)]
        for start in range(0, len(members), MOST_TOGETHER)
    ]
    parts.sort(key=lambda members: -max(map(gravity, members)))
    titles = _titles(parts)
    slugs = _unique([_slug(title) for title in titles])
    return tuple(
        Group(slug=slug, title=title, members=members)
        for slug, title, members in zip(slugs, titles, parts, strict=True)
    )


def _titles(parts: list[tuple[SeriesTrend, ...]]) -> list[str]:
    """Name each chart by what it is of, and by scenario, machine and unit where others are called the same."""
    bare = [_bare_title(members) for members in parts]
    times = Counter(bare)
    titles = []
    for title, members in zip(bare, parts, strict=True):
        key = members[0].series.key
        others = [m[0].series.key for m, other in zip(parts, bare, strict=True) if other == title]
        titles.append(title if times[title] == 1 else title + _distinction(key, others, members[0].series.unit))
    return _unique(titles, joined=", part ")


def _bare_title(members: tuple[SeriesTrend, ...]) -> str:
    series = members[0].series
    quantile = quantile_text(series.key.quantile) if len(members) == 1 else ""
    metric = metric_text(series.key.metric)
    subject = plain(series.key.subject)
    told = f"{metric} {quantile}".strip()
    return f"{told}, {subject}" if subject else told


def _distinction(key: SeriesKey, others: list[SeriesKey], unit: str) -> str:
    told = ""
    if len({other.scenario for other in others}) > 1:
        told += f", {plain(key.scenario) or 'no scenario'}"
    if len({other.environment_key for other in others}) > 1:
        told += f", machine {plain(key.environment_key)[:8] or 'unknown'}"
    return told or f" [{plain(unit)}]"


def _slug(title: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:80].strip("-") or "series"


def _unique(texts: list[str], *, joined: str = "-") -> list[str]:
    seen: set[str] = set()
    found = []
    for text in texts:
        candidate, number = text, 2
        while candidate in seen:
            candidate, number = f"{text}{joined}{number}", number + 1
        seen.add(candidate)
        found.append(candidate)
    return found
