"""pytest-benchmark's JSON, made up as its version 5 writes it."""

import json
from pathlib import Path
from typing import Any


def entry(name: str = "test_poll", data: list[float] | None = None, **stats: Any) -> dict[str, Any]:
    """One benchmark of a file; fast and steady unless `data` says otherwise."""
    values = [0.001] * 100 if data is None else data
    known = {"min": 0.001, "max": 0.001, "mean": 0.001, "rounds": len(values), "iterations": 1}
    return {
        "group": None,
        "name": name,
        "fullname": f"benchmarks/test_it.py::{name}",
        "params": None,
        "param": None,
        "extra_info": {},
        "options": {},
        "stats": known | {"data": values} | stats,
    }


def without_data(item: dict[str, Any]) -> dict[str, Any]:
    """The same as ``--benchmark-save`` keeps it."""
    return item | {"stats": {key: value for key, value in item["stats"].items() if key != "data"}}


def write(path: Path, *entries: dict[str, Any], **other: Any) -> Path:
    """Write a file of these benchmarks."""
    whole = {
        "machine_info": {"python_version": "3.11.7", "cpu": {"brand_raw": "Example CPU"}},
        "commit_info": {"id": "40afc17", "dirty": False},
        "benchmarks": list(entries),
        "datetime": "2026-11-23T08:30:00+00:00",
        "version": "5.3.1",
    }
    path.write_text(json.dumps(whole | other))
    return path
