"""The published schemas are those of the records, and what is written is valid under them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.gating.benchmark_file import read_benchmark_file
from harness.gating.benchmark_gates import parse_benchmark_gate
from harness.gating.benchmark_judge import judge_benchmarks
from harness.report.schema import schema_text
from harness.rundir import encode
from harness.schemas.kinds import KINDS, schema_path
from tests.harness.gating.files import entry, write
from tests.harness.results import fleet, result_of

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> list[str]:
    """Return what is wrong with a value under the part of JSON Schema that our schemas use."""
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "anyOf" in schema:
        each = [faults(value, option, root, where) for option in schema["anyOf"]]
        return [] if [] in each else [f"{where}: none of {len(each)}", *each[0]]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is not in {schema['enum']}")
    types = schema.get("type", [])
    allowed = [TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    is_bool_as_number = isinstance(value, bool) and bool not in allowed
    if allowed and (is_bool_as_number or not any(isinstance(value, kind) for kind in allowed)):
        return [f"{where}: {value!r} is no {types}"]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        others = schema.get("additionalProperties", {})
        for name, item in value.items():
            found += faults(item, known.get(name, others), root, f"{where}.{name}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            found += faults(item, schema.get("items", {}), root, f"{where}[{i}]")
    return found


@pytest.mark.parametrize("name", KINDS)
def test_the_published_schema_is_the_records(name: str) -> None:
    """After a record has changed: python -m harness.schemas."""
    assert schema_text(KINDS[name]) == schema_path(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", KINDS)
def test_the_command_prints_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["schema", name])
    assert schema_path(name).read_text(encoding="utf-8") == capsys.readouterr().out


@pytest.mark.parametrize(
    "result",
    [
        result_of(fleet()),
        result_of(fleet(failing_ratio=1.0)),
        result_of(fleet(agents=0)),
        replace(result_of(fleet()), server=None, indexes=()),
    ],
    ids=["healthy", "all failed", "empty", "no server"],
)
def test_a_result_is_valid_as_it_is_written(result: Any) -> None:
    schema = json.loads(schema_path("result").read_text())
    assert [] == faults(json.loads(encode(result)), schema, schema)


def test_a_verdict_over_benchmarks_is_valid_as_it_is_written(tmp_path: Path) -> None:
    file = read_benchmark_file(write(tmp_path / "new.json", entry()))
    verdict = judge_benchmarks([parse_benchmark_gate("p(95) < 5ms"), parse_benchmark_gate("x: max < 1s")], file)
    schema = json.loads(schema_path("benchmarks").read_text())
    assert [] == faults(json.loads(encode(verdict)), schema, schema)


def test_what_is_not_valid_is_found() -> None:
    """The check itself can fail."""
    schema = json.loads(schema_path("result").read_text())
    whole = json.loads(encode(result_of(fleet())))
    del whole["run"]["id"]
    whole["verdict"]["status"] = "MAYBE"
    whole["summary"]["sent"] = "many"
    whole["summary"]["offered_per_s"] = "fast"
    told = " ".join(faults(whole, schema, schema))
    assert re.search(r"\$\.run: id is missing", told)
    assert "MAYBE" in told
    assert "$.summary.sent" in told
    assert "$.summary.offered_per_s" in told
