"""
Gates over benchmarks: ``test_pending*: p(95) < 5ms``, on the command line or in a file.

What stands before the last colon names benchmarks: the name, the full name, or a pattern with ``*`` and ``?``;
nothing names them all. A file is TOML with a table of them::

    [benchmarks]
    "test_pending_query*" = ["p(50) < 1ms", "p(95) < 5ms"]
    "*" = { gate = "max < 2s", on_inconclusive = "pass" }
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError, explain
from harness.gate_syntax import parse_gate
from harness.gate_toml import BENCHMARKS, GateFile, open_gate_file
from harness.gatefiles import gate_file_candidates
from harness.judge.gates import check_gates
from harness.model import Gate

METRIC = "benchmark_time"
"""The one thing that is measured of a benchmark: how long a call of its function takes."""

_EVERY = "*"
_FORM = "'test_name: p(95) < 5ms'"


def parse_benchmark_gate(text: str, *, confidence: float = 0.95, on_inconclusive: str = "fail") -> Gate:
    """
    Read a gate over benchmarks.

    Args:
        text: as written, such as ``test_pending*: p(95) < 5ms, confidence 99%``.
        confidence: where the text says nothing of it.
        on_inconclusive: likewise.

    Returns:
        A gate whose subject is the pattern.

    Raises:
        UsageError: it can't be read, or asks for what a benchmark doesn't have.
    """
    subject, condition = _split(text)
    gate = parse_gate(condition, confidence=confidence, on_inconclusive=on_inconclusive)
    if gate.metric != "response_time":
        raise UsageError(
            explain("gate", text, fault="a benchmark has durations only", got=f"'{gate.metric}'", need=_FORM)
        )
    check_gates([gate])
    return replace(_finished(gate, text), metric=METRIC, subject=subject, name=f"{subject} {gate.name}")


def read_benchmark_gates(path: Path) -> tuple[Gate, ...]:
    """
    Read the table ``[benchmarks]`` of a gate file; of ``pyproject.toml``, ``[tool.harness.benchmarks]``.

    Raises:
        HarnessError: no file.
        UsageError: no TOML, no such table, an unknown key, or a gate in it that can't be read. The line is named
            where it can be found.
    """
    file = open_gate_file(path)
    table = file.table.get(BENCHMARKS)
    if not isinstance(table, dict) or not table:
        need = f'[{BENCHMARKS}] with lines such as "test_name" = "p(95) < 5ms"'
        raise UsageError(explain("gate file", str(path), fault="no gate over benchmarks in it", need=need))
    return tuple(
        _of_file(file, subject, entry) for subject, entries in table.items() for entry in _listed(entries)
    )


def find_benchmark_gates(folder: Path) -> tuple[tuple[Gate, ...], Path | None]:
    """
    Read the gates over benchmarks that count where nobody named a file.

    Returns:
        Those of the first of `harness.gatefiles.gate_file_candidates` that has some, and that file; or none.
    """
    for path in gate_file_candidates(folder):
        if BENCHMARKS in open_gate_file(path).table:
            return read_benchmark_gates(path), path
    return (), None


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern names this: ``*`` is any text, ``?`` any letter, all else (brackets too) itself."""
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


def _finished(gate: Gate, text: str) -> Gate:
    if gate.abort_on_fail:
        raise UsageError(
            explain("gate", text, fault="a finished benchmark can't be ended early", got="abort_on_fail")
        )
    return gate


def _of_file(file: GateFile, subject: str, entry: Any) -> Gate:
    preset = file.presets()
    gate = file.gate(subject, entry, lambda text: parse_benchmark_gate(f"{subject}: {text}", **preset))
    try:
        return _finished(gate, subject)
    except UsageError as fault:
        raise file.at(subject, str(fault)) from fault


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
