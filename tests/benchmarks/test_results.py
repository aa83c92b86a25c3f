"""The stored comparisons and the page that shows them."""

from pathlib import Path

import pytest

from benchmarks.plots import PAGE, draw, renewed
from benchmarks.results import FOLDER, Comparison, Row, load, row_of, show, table

RESULTS = sorted(FOLDER.glob("*.json"))


def made(**changes: object) -> Comparison:
    fields: dict[str, object] = {
        "name": "one",
        "title": "a thing",
        "quantity": "time",
        "unit": "ms",
        "baseline": "theirs",
        "smaller_is_better": True,
        "rounds": 3,
        "rows": (
            Row(name="theirs", value=2.0, low=1.5, high=2.5),
            Row(name="ours", value=1.0, ours=True),
            Row(name="absent", value=None, note="not installed"),
        ),
        "command": "python -m one",
        "measured_utc": "2026-11-23T08:30:00Z",
        "environment": {"python": "3.11"},
    }
    return Comparison(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_stored_result_names_its_baseline_and_its_environment(path: Path) -> None:
    comparison = load(path)
    assert path.stem == comparison.name
    assert comparison.baseline in {row.name for row in comparison.rows}
    assert {"cpu", "cores", "platform", "python"} <= set(comparison.environment)
    assert all(row.value is not None or row.note for row in comparison.rows)


def test_the_page_shows_the_stored_results() -> None:
    """`python -m benchmarks.plots` was run after the last change of a result."""
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page, [load(path) for path in RESULTS]) == page
    for path in RESULTS:
        assert (PAGE.parent / "images" / f"benchmark-{path.stem}.png").exists()


def test_a_table_tells_what_was_not_measured() -> None:
    assert [
        "| a thing | ratio | time [ms] | spread | |",
        "|---|---:|---:|---:|---|",
        "| theirs | 1.00 | 2 | 1.5, 2.5 |  |",
        "| **ours** | 0.50 | 1 |  |  |",
        "| absent | ? | ? | | not installed |",
    ] == table(made()).splitlines()


def test_large_and_small_figures_are_readable() -> None:
    rows = (Row(name="theirs", value=620.0, low=570.0, high=1690.4), Row(name="ours", value=1.5, ours=True))
    assert [
        "| theirs | 1.00 | 620 | 570, 1,690 |  |",
        "| **ours** | 0.0024 | 1.5 |  |  |",
    ] == table(made(rows=rows)).splitlines()[2:]


def test_a_result_without_a_place_is_not_forgotten() -> None:
    with pytest.raises(ValueError, match="has no place for 'one'"):
        renewed("a page", [made()])


def test_every_shape_is_drawn(tmp_path: Path) -> None:
    draw(made(), tmp_path / "a.png")
    wide = (Row(name="theirs", value=1.0), Row(name="ours", value=1000.0, ours=True))
    draw(made(rows=wide, smaller_is_better=False), tmp_path / "b.png")
    draw(made(smaller_is_better=None), tmp_path / "c.png")
    assert 3 == len(list(tmp_path.iterdir()))


def test_a_row_holds_the_median_and_the_spread_of_its_rounds() -> None:
    expected = Row(name="ours", value=2.0, low=1.0, high=9.0, ours=True, note="as asked")
    assert expected == row_of("ours", [9.0, 1.0, 2.0], ours=True, note="as asked")


def test_a_result_is_shown_with_its_environment_and_kept_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.results.FOLDER", tmp_path)
    show(made(), keep=False)
    shown = f"{table(made())}\npython 3.11\n"
    assert shown == capsys.readouterr().out
    assert [] == list(tmp_path.iterdir())
    show(made(), keep=True)
    assert capsys.readouterr().out.startswith(f"{shown}stored: ")
    assert made() == load(tmp_path / "one.json")
