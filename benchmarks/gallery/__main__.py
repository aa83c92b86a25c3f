"""
Draw the gallery of docs/gallery.md.

Everything is drawn by the code that draws real trends and reports, from the same seeds each time: what is in the
repository changes only when the drawing does.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gallery.runs import MadeUp, joining, restarted, rolled_out, searched, stalled
from benchmarks.gallery.series import (
    BEGIN_S,
    DAY_S,
    NOTES,
    ROOT,
    hdf5_pair,
    judged,
    noisy,
    public,
    quantiles,
    series,
    stepped,
)
from harness.conclude import Conclusion, response_band
from harness.history_model import Note, SeriesTrend
from harness.report.charts import write_plots
from harness.report.charts_capacity import write_capacity_charts
from harness.report.charts_trend import write_scene
from harness.report.trend.chart import Settings, lay_out, titled
from harness.report.trend.groups import groups_of
from harness.report.trend.overview import sheets
from harness.report.trend.words import chart_caption
from tests.harness.results import ticks_of

FOLDER = ROOT / "docs" / "gallery"
PAGE = ROOT / "docs" / "gallery.md"
EPILOG = """\
examples:
  python -m benchmarks.gallery    writes docs/gallery.md and docs/gallery/*.png anew, in some fifteen seconds

exit codes: 0 drawn, 1 a picture is too large for a repository, 2 usage
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """
    One picture of the gallery.

    Args:
        name: of its file without the suffix.
        text: what a reader can learn from it.
        members: the series of its chart.
        settings: order and scale.
        notes: releases and events.
    """

    name: str
    text: str
    members: tuple[SeriesTrend, ...]
    settings: Settings = Settings()  # noqa: RUF009  # frozen
    notes: tuple[Note, ...] = ()


def trends() -> Iterator[Picture]:
    """Yield the charts of trends."""
    yield from changes()
    yield from shapes()
    yield from histories()


def changes() -> Iterator[Picture]:
    """Yield what a confirmed and a suspected change look like."""
    yield Picture(
        name="quantiles",
        text="Three quantiles of one route share a chart. The axis is logarithmic, so that equal relative changes"
        " look alike; p95 and p99 became worse at one commit, p50 did not. The limits are too far away to be"
        " drawn, and the arrows say so.",
        members=judged(*quantiles()),
        notes=NOTES,
    )
    values = stepped(noisy(60, 0.0113, seed=3), at=57, factor=1.22)
    suspected = series(values, metric="handler_time", quantile=0.95, limit=0.0135, interval_ratio=0.04)
    yield Picture(
        name="suspected",
        text="Three runs after a step are too few to be sure: dashed, hollow, and no failure yet.",
        members=judged(suspected),
        notes=NOTES,
    )


def shapes() -> Iterator[Picture]:
    """Yield what asks most of a chart: gaps, outliers, zeros, many runs."""
    times = [BEGIN_S + i * DAY_S + (25 * DAY_S if i > 30 else 0.0) for i in range(80)]
    values = stepped(noisy(80, 0.0113, seed=5), at=52, factor=0.9)
    values[20], values[66] = 0.2, values[66] * 1.25
    yield Picture(
        name="gaps-and-outliers",
        text="Nights without a run stay visible, outliers are hollow and move no median, and one far beyond the"
        " axis stands at its edge with its value. The change here is for the better.",
        members=judged(series(values, metric="time_to_pickup", quantile=0.95, times_s=times, interval_ratio=0.04)),
    )
    rng = np.random.default_rng(7)
    errors = [0.0 if rng.random() < 0.6 else float(rng.exponential(0.002)) for _ in range(60)]
    yield Picture(
        name="zeros",
        text="An error ratio that is mostly zero, on a logarithmic axis: the zeros have a lane of their own.",
        members=judged(series(errors, metric="error_ratio", unit="ratio", limit=0.01)),
        settings=Settings(scale="log"),
    )
    many = stepped(noisy(2000, 0.0101, seed=9), at=1500, factor=1.08)
    times = [BEGIN_S + i * DAY_S / 4 for i in range(2000)]
    yield Picture(
        name="two-thousand-runs",
        text="Two thousand runs: a band from the least to the largest of neighbouring ones; the extremes, every"
        " outlier and both sides of the change keep their marks.",
        members=judged(series(many, metric="query_time", quantile=0.95, times_s=times)),
    )


def histories() -> Iterator[Picture]:
    """Yield the public series."""
    develop, release = judged(*hdf5_pair())
    yield Picture(
        name="hdf5-develop",
        text="A public history: HDF5's development branch on hosted runners.",
        members=(develop,),
    )
    yield Picture(
        name="hdf5-control",
        text="The frozen release measured in the same jobs, as a control: what changed here would be the machine's"
        " doing. Nothing did, so the step of the development branch is the code's.",
        members=(release,),
    )
    documented = (
        ("quality_control_1", "Quality control 1", "A documented step at index 146 of 313, on a slight drift."),
        (
            "quality_control_3",
            "Quality control 3",
            "A documented step at 179; the single outlier at 42 is no change.",
        ),
        ("runs1", "Firefox performance run", "A documented step at 111, runs in the order of their commits."),
    )
    for name, subject, text in documented:
        yield Picture(
            name=name.replace("_", "-"),
            text=text,
            members=judged(public(name, subject)),
            settings=Settings(by_time=False),
        )


def draw_trends() -> list[tuple[str, str]]:
    """Draw the charts and an overview of them; return name and text of each."""
    pictures = list(trends())
    for picture in pictures:
        (group,) = groups_of(picture.members)
        chart = lay_out(group, picture.settings, notes=picture.notes)
        write_scene(titled(chart, group.title, chart_caption(group.members)), FOLDER / picture.name, ("png",))
    groups = groups_of([one for picture in pictures for one in picture.members])
    (sheet,) = sheets(
        groups, Settings(), title="Performance trend", subtitle="Every chart of a history on one sheet."
    )
    write_scene(sheet, FOLDER / "overview", ("png",))
    told = "Small multiples of a whole history: what a person should look at first stands in front."
    return [("overview", told), *((picture.name, picture.text) for picture in pictures)]


def draw_report(run: MadeUp) -> list[tuple[str, str]]:
    """Draw what is shown of a made-up run's report; return name and caption of each."""
    ticks = ticks_of()
    band = response_band(Conclusion(result=run.result, columns=run.columns, ticks=ticks))
    with tempfile.TemporaryDirectory() as folder:
        plots = write_plots(
            run.result, run.columns, ticks, Path(folder), band=band, context=run.context, traces=run.traces
        )
        drawn = {plot.name: (plot.path, plot.caption) for plot in plots if plot.path is not None}
        for name in run.shown:
            shutil.copyfile(drawn[name][0], FOLDER / f"run-{name}.png")
    return [(f"run-{name}", drawn[name][1]) for name in run.shown]


def draw_search() -> list[tuple[str, str]]:
    """Draw the search for the largest fleet; return its name and what it shows."""
    found = searched()
    with tempfile.TemporaryDirectory() as folder:
        write_capacity_charts(found, Path(folder))
        shutil.copyfile(Path(folder, "capacity.png"), FOLDER / "capacity.png")
    told = (
        f"Each fleet that was tried: {found.agents:,} agents hold, {found.fails_at:,} break p95. Up to the knee"
        " the times hardly rise; beyond, what is answered stays behind what is sent."
    )
    return [("capacity", told)]


def page() -> str:
    """Draw everything, and return the Markdown page."""
    sections = (
        ("Trends", None, draw_trends()),
        (
            "The report of a run",
            "A made-up run in which the target stood still for three seconds.",
            draw_report(stalled()),
        ),
        (
            "What only some reports have",
            "Made-up runs again: agents that join one by one, a target that was away, deployments in waves.",
            [*draw_report(joining()), *draw_report(restarted()), *draw_report(rolled_out())],
        ),
        ("The search for the largest fleet", None, draw_search()),
    )
    lines = [
        "# Gallery",
        "",
        "Every chart, drawn by `python -m benchmarks.gallery` from made-up series and from public ones",
        "([their sources and licences](gallery/data/README.md)). How to read them: [trend.md](trend.md),",
        "[report.md](report.md).",
        "",
    ]
    for title, text, pictures in sections:
        lines += [f"## {title}", "", *([text, ""] if text else []), *_pictures(pictures)]
    return "\n".join(lines).rstrip() + "\n"


def _pictures(named: list[tuple[str, str]]) -> list[str]:
    return [part for name, text in named for part in (f"![{name}](gallery/{name}.png)", "", text, "")]


def shrink(path: Path) -> None:
    """Store a picture with a palette: a third of the size, and no difference to the eye."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command, which takes nothing."""
    return argparse.ArgumentParser(
        prog="python -m benchmarks.gallery",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw everything; complain of pictures that are too large for a repository."""
    make_parser().parse_args(arguments)
    FOLDER.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    for path in FOLDER.glob("*.png"):
        shrink(path)
    heavy = [path.name for path in sorted(FOLDER.glob("*.png")) if path.stat().st_size > 100_000]
    total = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(list(FOLDER.glob('*.png')))} pictures, {total / 1e6:.2f} MB; {PAGE.relative_to(ROOT)}")
    if heavy:
        print(f"too large for a repository: {', '.join(heavy)}", file=sys.stderr)
    return 1 if heavy else 0


if __name__ == "__main__":
    sys.exit(main())
