"""The tables of the index benchmarks, made of a stored run."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.indexes.table import BEGIN, END, PAGE, main, renewed, tables
from harness.errors import HarnessError


def benchmark(kind: str, times_s: list[float], plan: str) -> dict[str, Any]:
    return {
        "name": f"{kind}[sqlite-1000-pending]",
        "group": "pending sqlite",
        "extra_info": {
            "database": "sqlite",
            "version": "3.40.1",
            "deployments": 1000,
            "index": "idx_a",
            "plans": [plan],
        },
        "stats": {"median": sorted(times_s)[len(times_s) // 2], "data": times_s},
    }


def document(**changes: Any) -> dict[str, Any]:
    fields = {
        "datetime": "2026-11-23T13:00:00.5+00:00",
        "machine_info": {
            "cpu": {"brand_raw": "A CPU", "count": 2},
            "system": "Linux",
            "release": "6",
            "machine": "x86_64",
            "python_implementation": "CPython",
            "python_version": "3.11.7",
        },
        "benchmarks": [
            benchmark("test_with_index", [1e-5] * 99 + [3e-3], "SEARCH"),
            benchmark("test_without_index", [1e-3, 2e-3, 3e-3], "SCAN"),
            {"name": "test_report", "group": None, "extra_info": {}, "stats": {}},
        ],
        "growths": [
            {
                "path": "pending",
                "index": "idx_a",
                "database": "sqlite",
                "sizes": [1000, 2000],
                "status": "PASS",
                "ratio": 1.04,
                "interval": [1.0, None],
                "exponent": 0.01,
                "rounds": 5,
                "limit": 1.5,
            }
        ],
    }
    return fields | changes


def test_tables() -> None:
    """Ratios first, the p99 by nearest rank, plans before and after, and where it was measured."""
    made = tables(document()).splitlines()
    heads = [f"SQLite 3.40.1: {what}" for what in ("without it", "with it", "p99")]
    assert [
        f"| statement, its index | deployments | {' | '.join(heads)} |",
        "|---|---:|---:|---:|---:|",
        "| pending, `idx_a` | 1,000 | **200×**, 2.00 ms | 10.0 µs | 10.0 µs |",
    ] == made[:3]
    assert "| growth, limit 1.5 | database | 2,000 over 1,000 | interval | exponent | verdict |" in made
    assert "| pending | SQLite | 1.04 | 1.00 to ? | 0.010 | PASS |" in made
    assert "| pending, SQLite 3.40.1 | `SEARCH` | `SCAN` |" in made
    assert (
        "Measured 2026-11-23T13:00:00Z, cpu A CPU, cores 2, platform Linux 6 x86_64, python CPython 3.11.7."
        == made[-1]
    )


def test_what_was_not_measured_is_a_question_mark() -> None:
    made = tables(document(benchmarks=[benchmark("test_with_index", [1e-5], "SEARCH")], growths=[]))
    assert "| pending, `idx_a` | 1,000 | ? | 10.0 µs | 10.0 µs |" in made
    assert "| pending, SQLite 3.40.1 | `SEARCH` | ? |" in made
    assert "growth" not in made


def test_the_page_has_a_place_for_them() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "\n\nnew\n\n" in renewed(page, "new")
    assert f"{BEGIN}\n\nnew\n\n{END}" == renewed(f"{BEGIN} old {END}", "new")
    with pytest.raises(ValueError, match="has no place for the tables"):
        renewed("a page", "new")


@pytest.mark.parametrize("held", ["", "[]", "{}", "no JSON"])
def test_another_file(tmp_path: Path, held: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(held)
    with pytest.raises(HarnessError, match=r"no JSON of the index benchmarks .*; try pytest benchmarks/indexes"):
        main([str(path)])


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document()))
    assert 0 == main([str(path)])
    assert "**200×**" in capsys.readouterr().out
