"""
Draw the stored comparisons and renew docs/benchmarks.md: ``python -m benchmarks.plots``.

Nothing is measured here. Each file of ``benchmarks/results`` becomes a picture in docs/images and a table between
its two marks in the page; a result without marks is an error, so that none is left out.
"""

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from benchmarks.results import FOLDER, Comparison, Row, load, table

ROOT = FOLDER.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"
LOG_FROM_RATIO = 20.0
_BETTER = {True: "smaller", False: "larger", None: "nearer to 1"}
OURS, PEERS, INK = "#1f6feb", "#9aa4b2", "#24292f"


def draw(comparison: Comparison, path: Path) -> None:
    """Draw one bar for each contender that was measured, ratios on the axis, ours in another colour."""
    measured = [row for row in comparison.rows if row.value is not None]
    base = next(row.value for row in measured if row.name == comparison.baseline) or 1.0
    ratios = [(row.value or 0.0) / base for row in measured]
    figure = Figure(figsize=(8.0, 0.9 + 0.42 * len(measured)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(measured), 0, -1)
    colours = [OURS if row.ours else PEERS for row in measured]
    logarithmic = max(ratios) > LOG_FROM_RATIO * min(ratios)
    # A bar on a logarithmic axis begins nowhere by itself: there all begin at the baseline.
    begin = 1.0 if logarithmic else 0.0
    axes.barh(places, [ratio - begin for ratio in ratios], left=begin, color=colours, height=0.62, zorder=2)
    for place, row, ratio in zip(places, measured, ratios, strict=True):
        _whisker(axes, place, row, base)
        axes.annotate(
            f"{ratio:.3g}×",
            (max(ratio, begin, (row.high or 0.0) / base), place),
            textcoords="offset points",
            xytext=(6, 0),
            va="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks(places, [row.name for row in measured], fontsize=9)
    highest = max(max(ratio, (row.high or 0.0) / base) for row, ratio in zip(measured, ratios, strict=True))
    lowest = min(
        min(ratio, (row.low or row.value or 0.0) / base) for row, ratio in zip(measured, ratios, strict=True)
    )
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        # Room for the figure at the end of the longest bar, a share of what is shown.
        axes.set_xlim(lowest / 1.5, highest * (highest / lowest) ** 0.14)
    else:
        axes.set_xlim(0.0, highest * 1.14)
    axes.axvline(1.0, color=INK, linewidth=0.8, zorder=1)
    better = _BETTER[comparison.smaller_is_better]
    axes.set_xlabel(f"ratio to {comparison.baseline}, {better} is better", fontsize=9)
    figure.suptitle(f"{comparison.title}: {comparison.quantity}", x=0.01, ha="left", fontsize=11, color=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _whisker(axes: object, place: int, row: Row, base: float) -> None:
    """Draw from the lowest to the highest round."""
    if row.low is None or row.high is None:
        return
    axes.plot(  # type: ignore[attr-defined]  # matplotlib's own type is not public
        [row.low / base, row.high / base], [place, place], color=INK, linewidth=1.1, zorder=3
    )


def section(comparison: Comparison) -> str:
    """Return what stands between the marks of a result: the picture, the table, and where it was measured."""
    where = ", ".join(f"{name} {value}" for name, value in comparison.environment.items())
    return (
        f"![{comparison.title}](images/benchmark-{comparison.name}.png)\n\n{table(comparison)}\n\n"
        f"`{comparison.command}`, {comparison.rounds} rounds in turns, {comparison.measured_utc}: {where}."
    )


def renewed(page: str, comparisons: list[Comparison]) -> str:
    """
    Return the page with the sections of all results put in their places.

    Raises:
        ValueError: a result has no marks in the page.
    """
    for comparison in comparisons:
        begin, end = f"<!-- result {comparison.name} -->", f"<!-- end {comparison.name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"{PAGE.name} has no place for '{comparison.name}': add {begin} and {end}")
        made = f"{begin}\n\n{section(comparison)}\n\n{end}"
        before, rest = page.split(begin, 1)
        page = before + made + rest.split(end, 1)[1]
    return page


def main() -> int:
    comparisons = [load(path) for path in sorted(FOLDER.glob("*.json"))]
    for comparison in comparisons:
        draw(comparison, IMAGES / f"benchmark-{comparison.name}.png")
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), comparisons), encoding="utf-8")
    print(f"{len(comparisons)} results drawn into {IMAGES.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
