"""
Gates over benchmarks: ``test_pending*: p(95) < 5ms``, on the command line or in a file.

What stands before the last colon names benchmarks: the name, the full name, or a pattern with ``*`` and ``?``;
nothing names them all. A file is TOML with a table of them::

    [benchmarks]
    "test_pending_query*" = ["p(50) < 1ms", "p(95) < 5ms"]
    "*" = "max < 2s"
"""

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError, explain
from harness.gate_syntax import parse_gate
from harness.gatefiles import PROJECT_FILE
from harness.model import Gate

METRIC = "benchmark_time"
"""The one thing that is measured of a benchmark: how long a call of its function takes."""

TABLE = "benchmarks"

_EVERY = "*"
_FORM = "'test_name: p(95) < 5ms'"


def parse_benchmark_gate(text: str) -> Gate:
    """
    Read a gate over benchmarks.

    Args:
        text: as written, such as ``test_pending*: p(95) < 5ms, confidence 99%``.

    Returns:
        A gate whose subject is the pattern.

    Raises:
        UsageError: it can't be read, or asks for what a benchmark doesn't have.
    """
    subject, condition = _split(text)
    gate = parse_gate(condition)
    if gate.metric != "response_time":
        raise UsageError(
            explain("gate", text, fault="a benchmark has durations only", got=f"'{gate.metric}'", need=_FORM)
        )
    if gate.abort_on_fail:
        raise UsageError(
            explain("gate", text, fault="a finished benchmark can't be ended early", got="abort_on_fail")
        )
    return replace(gate, metric=METRIC, subject=subject, name=f"{subject} {gate.name}")


def read_benchmark_gates(path: Path) -> tuple[Gate, ...]:
    """
    Read the table ``[benchmarks]`` of a gate file; of ``pyproject.toml``, ``[tool.harness.benchmarks]``.

    Raises:
        HarnessError: no file.
        UsageError: no TOML, no such table, or a gate in it that can't be read.
    """
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as fault:
        raise HarnessError(
            explain("gate file", str(path), fault=f"can't be read: {fault.strerror or fault}")
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise UsageError(explain("gate file", str(path), fault=f"not TOML: {fault}")) from fault
    if path.name == PROJECT_FILE:
        for key in ("tool", "harness"):
            content = content.get(key, {}) if isinstance(content, dict) else {}
    table = content.get(TABLE) if isinstance(content, dict) else None
    if not isinstance(table, dict) or not table:
        keys = list(content) if isinstance(content, dict) else []
        near = difflib.get_close_matches(TABLE, keys, n=1)
        need = f'[{TABLE}] with lines such as "test_name" = "p(95) < 5ms"'
        raise UsageError(
            explain(
                "gate file",
                str(path),
                fault="no gate over benchmarks in it",
                need=need,
                remedy=f"[{TABLE}] in place of [{near[0]}]" if near else None,
            )
        )
    return tuple(_of_file(path, subject, text) for subject, texts in table.items() for text in _listed(texts))


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern names this: ``*`` is any text, ``?`` any letter, all else (brackets too) itself."""
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


def _of_file(path: Path, subject: str, text: Any) -> Gate:
    if not isinstance(text, str):
        raise UsageError(
            explain("gate file", str(path), fault=f"'{subject}' is no gate", got=repr(text), need='"p(95) < 5ms"')
        )
    try:
        return parse_benchmark_gate(f"{subject}: {text}")
    except UsageError as fault:
        raise UsageError(f"{path} [{TABLE}]: {fault}") from fault


def _listed(texts: Any) -> Sequence[Any]:
    return texts if isinstance(texts, list) else [texts]


def _split(text: str) -> tuple[str, str]:
    """Split at the last colon that is not one of two and stands outside of brackets, as parameters have them."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        letter = text[position]
        depth += {"]": 1, "[": -1}.get(letter, 0)
        doubled = text[position - 1 : position] == ":" or text[position + 1 : position + 2] == ":"
        if letter == ":" and depth == 0 and not doubled:
            return text[:position].strip() or _EVERY, text[position + 1 :].strip()
    if "::" in text:
        raise UsageError(explain("gate", text, fault="a benchmark without a colon after it", need=_FORM))
    return _EVERY, text.strip()
