"""The JSON schemas of what `harness` writes, made from the records themselves."""

import json
from typing import Any

import msgspec

from monitoring.histogram import Histogram

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HISTOGRAM: dict[str, Any] = {
    "type": "object",
    "description": "A log-linear histogram: bucket index (as text) → count.",
    "properties": {
        "sub_buckets": {"type": "integer"},
        "n": {"type": "integer", "minimum": 0},
        "sum_s": {"type": "number"},
        "min_s": {"type": ["number", "null"]},
        "max_s": {"type": ["number", "null"]},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["sub_buckets", "n", "sum_s", "min_s", "max_s", "counts"],
}
_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
"""JSON has no infinity: a quantile that failures reach is written as text, see `harness.rundir.encode`."""


def schema_of(kind: type) -> dict[str, Any]:
    """
    Return the JSON schema (draft 2020-12) of a record as `harness.rundir.encode` writes it.

    Args:
        kind: class of the record.
    """
    made = msgspec.json.schema(kind, schema_hook=_foreign)
    spelt: dict[str, Any] = _spell(made)
    return {"$schema": _DIALECT, **spelt}


def schema_text(kind: type) -> str:
    """Return `schema_of` as text, the same on every machine."""
    return json.dumps(schema_of(kind), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _foreign(kind: type) -> dict[str, Any]:
    if kind is Histogram:
        return _HISTOGRAM
    raise NotImplementedError(f"no stored form for {kind.__name__}")


def _spell(value: Any) -> Any:
    """Let each number of a record be one of the texts that stand for what JSON has no number for."""
    if value is _HISTOGRAM:
        return value
    if isinstance(value, dict):
        if value.get("type") == "number":
            return {**{key: item for key, item in value.items() if key != "type"}, **_NUMBER}
        return {key: _spell(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spell(item) for item in value]
    return value
