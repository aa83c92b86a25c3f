"""
What each index is worth, as tables of a stored run: ``python -m benchmarks.indexes.table FILE [--renew]``.

FILE is what ``pytest benchmarks/indexes --benchmark-json=FILE`` wrote. Nothing is measured here. ``--renew`` puts
the tables between the marks in docs/indexes.md, so that no figure is typed by hand.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, explain
from harness.rundir import write_atomically
from harness.units import format_duration, format_number

PAGE = Path(__file__).parents[2] / "docs" / "indexes.md"
BEGIN, END = "<!-- index benchmark -->", "<!-- end index benchmark -->"
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SHOWN_WHOLE = 10.0
_WITH, _WITHOUT = "test_with_index", "test_without_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    One statement of a hot path, timed on one database of one size.

    Args:
        path: name of the hot path.
        index: that serves it.
        database: kind and version.
        deployments: rows of the table.
        indexed: whether the index was there.
        median_s: median over the rounds [s].
        p99_s: nearest rank [s].
        rounds: how many there were.
        plan: of the first statement.
    """

    path: str
    index: str
    database: str
    deployments: int
    indexed: bool
    median_s: float
    p99_s: float
    rounds: int
    plan: str


def read_measured(document: dict[str, Any]) -> list[Measured]:
    """Return the index benchmarks of pytest-benchmark's JSON, in its order; other benchmarks are left out."""
    return [_measured(one) for one in document["benchmarks"] if one["name"].startswith((_WITH, _WITHOUT))]


def _measured(one: dict[str, Any]) -> Measured:
    extra, times_s = one["extra_info"], sorted(one["stats"]["data"])
    return Measured(
        path=one["group"].split()[0],
        index=extra["index"],
        database=f"{_DATABASES[extra['database']]} {extra['version']}",
        deployments=extra["deployments"],
        indexed=one["name"].startswith(_WITH),
        median_s=one["stats"]["median"],
        p99_s=times_s[math.ceil(0.99 * len(times_s)) - 1],
        rounds=len(times_s),
        plan=extra["plans"][0],
    )


def tables(document: dict[str, Any]) -> str:
    """
    Return the tables of a run, in Markdown.

    Args:
        document: pytest-benchmark's JSON, with the growths that the index benchmarks add.
    """
    measured = read_measured(document)
    around = ", ".join(f"{name} {value}" for name, value in _around(document).items())
    return "\n".join([*_worth(measured), "", *_growth(document), "", *_plans(measured), "", f"{around}."])


def _around(document: dict[str, Any]) -> dict[str, str]:
    machine = document["machine_info"]
    return {
        "Measured": document["datetime"][:19] + "Z",
        "cpu": machine["cpu"].get("brand_raw", "?"),
        "cores": str(machine["cpu"].get("count", "?")),
        "platform": f"{machine['system']} {machine['release']} {machine['machine']}",
        "python": f"{machine['python_implementation']} {machine['python_version']}",
    }


def _worth(measured: list[Measured]) -> Iterator[str]:
    databases = list(dict.fromkeys(one.database for one in measured))
    heads = [f"{name}: {what}" for name in databases for what in ("without it", "with it", "p99")]
    yield "| statement, its index | deployments | " + " | ".join(heads) + " |"
    yield "|---|---:|" + "---:|" * len(heads)
    by_key = {(one.path, one.database, one.deployments, one.indexed): one for one in measured}
    for path in dict.fromkeys(one.path for one in measured):
        index = next(one.index for one in measured if one.path == path)
        for size in sorted({one.deployments for one in measured if one.path == path}):
            cells = []
            for database in databases:
                indexed, bare = (by_key.get((path, database, size, there)) for there in (True, False))
                cells += _cells(indexed, bare)
            yield f"| {path}, `{index}` | {size:,} | " + " | ".join(cells) + " |"


def _cells(indexed: Measured | None, bare: Measured | None) -> list[str]:
    """Return what being without the index costs, and how the statement does with it."""
    if indexed is None:
        return ["?"] * 3
    with_it = [format_duration(indexed.median_s), format_duration(indexed.p99_s)]
    if bare is None:
        return ["?", *with_it]
    ratio = bare.median_s / indexed.median_s
    shown = f"{ratio:,.0f}" if ratio >= SHOWN_WHOLE else format_number(ratio)
    return [f"**{shown}×**, {format_duration(bare.median_s)}", *with_it]


def _growth(document: dict[str, Any]) -> Iterator[str]:
    growths = document.get("growths", [])
    for head in dict.fromkeys((one["sizes"][-1], one["sizes"][0], one["limit"], one["rounds"]) for one in growths):
        largest, smallest, limit, rounds = head
        yield (
            f"| growth, limit {limit:g} | database | {largest:,} over {smallest:,} | interval | "
            "exponent | verdict |"
        )
        yield "|---|---|---:|---:|---:|---|"
        for one in growths:
            low, high = (format_number(end) if end is not None else "?" for end in one["interval"])
            yield (
                f"| {one['path']} | {_DATABASES[one['database']]} | {one['ratio']:.2f} | {low} to {high} | "
                f"{one['exponent']:.3f} | {one['status']} |"
            )
        yield ""
        yield f"The median of {rounds} rounds that take turns between the sizes."


def _plans(measured: list[Measured]) -> Iterator[str]:
    largest = max((one.deployments for one in measured), default=0)
    yield f"| at {largest:,} | plan with the index | plan without it |"
    yield "|---|---|---|"
    there = [one for one in measured if one.deployments == largest]
    for path, database in dict.fromkeys((one.path, one.database) for one in there):
        plans = {one.indexed: one.plan for one in there if (one.path, one.database) == (path, database)}
        shown = [f"`{plans[key]}`" if key in plans else "?" for key in (True, False)]
        yield f"| {path}, {database} | " + " | ".join(shown) + " |"


def renewed(page: str, made: str) -> str:
    """
    Return the page with the tables put between their marks.

    Raises:
        ValueError: the page has no marks.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"{PAGE.name} has no place for the tables: add {BEGIN} and {END}")
    between = f"{re.escape(BEGIN)}.*?{re.escape(END)}"
    return re.sub(between, lambda _: f"{BEGIN}\n\n{made}\n\n{END}", page, flags=re.DOTALL)


def main(argv: list[str] | None = None) -> int:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="pytest-benchmark's JSON of benchmarks/indexes")
    parser.add_argument("--renew", action="store_true", help="put the tables into docs/indexes.md")
    chosen = parser.parse_args(argv)
    try:
        made = tables(json.loads(chosen.file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise HarnessError(
            explain(
                "file",
                str(chosen.file),
                fault=f"no JSON of the index benchmarks ({fault})",
                remedy="pytest benchmarks/indexes --benchmark-json=FILE",
            )
        ) from fault
    if chosen.renew:
        write_atomically(PAGE, renewed(PAGE.read_text(encoding="utf-8"), made).encode())
    else:
        print(made)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as fault:
        sys.exit(str(fault))
