"""The published JSON Schema of a history's records, made from the records themselves."""

from typing import Any

import msgspec

from harness.history_model import HISTORY_SCHEMA_VERSION, HistoryRecord
from monitoring.histogram import SUB_BUCKETS, Histogram

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NUMBERS_WITHOUT_END = {"Metric": ("value", "limit"), "Interval": ("low", "high")}


def history_record_schema() -> dict[str, Any]:
    """
    Return the schema of one file in ``runs/`` of a history, as plain data.

    A field with a default may be left out. A number without end is the text ``"inf"``.
    """
    schema: dict[str, Any] = msgspec.json.schema(HistoryRecord, schema_hook=_histogram)
    for name, fields in _NUMBERS_WITHOUT_END.items():
        for field in fields:
            schema["$defs"][name]["properties"][field]["anyOf"].append({"enum": ["inf", "-inf"]})
    schema["$defs"]["HistoryRecord"]["properties"]["schema_version"]["maximum"] = HISTORY_SCHEMA_VERSION
    return {"$schema": DIALECT, **schema}


def _histogram(kind: type) -> dict[str, Any]:
    if kind is not Histogram:
        raise NotImplementedError(f"no schema for {kind.__name__}")
    extreme = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    return {
        "title": "Histogram",
        "description": f"Counts in log-linear buckets, {SUB_BUCKETS} an octave: bucket i begins at "
        f"2^(i div {SUB_BUCKETS}) * (0.5 + (i mod {SUB_BUCKETS}) / {2 * SUB_BUCKETS}). In `counts` each occupied "
        "bucket is one word: the step from the bucket before (the first: its index), and *count where it is not "
        "1.",
        "type": "object",
        "properties": {
            "sub_buckets": {"const": SUB_BUCKETS},
            "n": {"type": "integer"},
            "sum_s": {"type": "number"},
            "min_s": extreme,
            "max_s": extreme,
            "counts": {"type": "string", "pattern": r"^(-?\d+(\*\d+)?( \d+(\*\d+)?)*)?$"},
        },
        "required": ["sub_buckets", "n", "sum_s", "min_s", "max_s", "counts"],
    }
