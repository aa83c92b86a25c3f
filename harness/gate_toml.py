"""
One TOML file of gates while it is read: its keys, what it presets, and the lines for the errors.

A file may hold two tables, each for a reader of its own: ``[gates]`` over runs (`harness.gatefiles`), and
``[benchmarks]`` over pytest-benchmark's JSON (`harness.gating.benchmark_gates`). ``confidence`` and
``on_inconclusive`` above them count for both.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError, explain
from harness.gate_syntax import parse_gate
from harness.judge.gates import check_gates
from harness.model import Gate

PROJECT_FILE = "pyproject.toml"

GATES = "gates"
"""Table of the gates over runs."""

BENCHMARKS = "benchmarks"
"""Table of the gates over benchmarks."""

_FILE_KEYS = ("confidence", "on_inconclusive", GATES, BENCHMARKS)
_PROJECT_KEYS = (*_FILE_KEYS, "history")
_GATE_KEYS = ("gate", "confidence", "on_inconclusive", "abort_on_fail", "optional")
_GATES_FORM = '[gates] with lines such as p95 = "p(95) < 200ms"'
_MOST_BYTES = 1_000_000


def open_gate_file(path: Path) -> "GateFile":
    """
    Read a file and check its keys.

    Args:
        path: a gate file; of one named ``pyproject.toml`` the table ``[tool.harness]`` is taken, empty where there
            is none.

    Raises:
        HarnessError: no file, or one that can't be read.
        UsageError: no TOML, or an unknown key (the near miss is named, and the line).
    """
    text = _text_of(path)
    try:
        content: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise UsageError(explain("gate file", str(path), fault=f"not TOML: {fault}")) from fault
    except RecursionError as fault:
        raise UsageError(explain("gate file", str(path), fault="not TOML: nested too deeply")) from fault
    if path.name != PROJECT_FILE:
        file = GateFile(path, text, content, None)
        file.check_keys(content, _FILE_KEYS, of=None)
        return file
    tools = content.get("tool", {})
    table = tools.get("harness", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(explain("gate file", str(path), fault="tool.harness is no table", got=repr(table)))
    file = GateFile(path, text, table, "tool.harness")
    file.check_keys(table, _PROJECT_KEYS, of=None)
    return file


class GateFile:
    """
    What a file of gates holds, and where in it.

    Args:
        path: of the file.
        text: its content, for the lines.
        table: the part that is ours.
        inside: name of the table that it was taken from, for the errors; None for a file that is ours as a whole.
    """

    def __init__(self, path: Path, text: str, table: Mapping[str, Any], inside: str | None) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._inside = inside
        self.table = table

    def gates(self, interval_s: float | None) -> tuple[Gate, ...]:
        """
        Return the gates of ``[gates]`` in file order.

        Args:
            interval_s: what ``1/interval`` stands for [s].

        Raises:
            UsageError: none, or one that can't be read or judged.
        """
        entries = self.table.get(GATES, {})
        if not isinstance(entries, Mapping):
            raise self.fault(GATES, "is no table", need=_GATES_FORM)
        if not entries:
            raise UsageError(
                explain(
                    "gate file", str(self._path), fault="no gate in it", need=_GATES_FORM, remedy="harness init"
                )
            )
        preset = self.presets()
        gates = []
        for name, entry in entries.items():

            def read(text: str, name: str = name) -> Gate:
                return parse_gate(text, name=name, interval_s=interval_s, **preset)

            gate = self.gate(name, entry, read)
            try:
                check_gates([gate])
            except UsageError as fault:
                raise self.at(name, str(fault)) from fault
            gates.append(gate)
        return tuple(gates)

    def presets(self) -> Mapping[str, Any]:
        """Return what holds for gates that say nothing of it: ``confidence`` and ``on_inconclusive``."""
        return {
            "confidence": self._confidence(self.table.get("confidence", 0.95), "confidence"),
            "on_inconclusive": self._on_inconclusive(self.table.get("on_inconclusive", "fail"), "on_inconclusive"),
        }

    def gate(self, name: str, entry: Any, read: Callable[[str], Gate]) -> Gate:
        """
        Make a gate of an entry.

        Args:
            name: its key.
            entry: its text, or a table of its text and options.
            read: makes a gate of the text.

        Raises:
            UsageError: it can't be read; the line is named.
        """
        if not name.strip():
            raise self.fault(name, "no name", need='a name such as p95 = "p(95) < 200ms"')
        options = {"gate": entry} if isinstance(entry, str) else entry
        if not isinstance(options, dict):
            need = f'{name} = "p(95) < 200ms" or {name} = {{ gate = "…", … }}'
            raise self.fault(name, "is no gate", got=repr(entry), need=need)
        self._refuse_split_name(name, options)
        self.check_keys(options, _GATE_KEYS, of=name)
        text = options.get("gate")
        if not isinstance(text, str):
            raise self.fault(
                name, "no text of the gate", got=None if text is None else repr(text), need='gate = "…"'
            )
        try:
            gate = read(text)
        except UsageError as fault:
            raise self.at(name, str(fault)) from fault
        return replace(gate, **self._changes(name, options))

    def check_keys(self, table: Mapping[str, Any], known: tuple[str, ...], *, of: str | None) -> None:
        """Refuse a key that is not `known`; `of` is the gate whose options they are, None for the file's own."""
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key.lower(), known, n=1)
                text = explain(
                    "gate file" if of is None else "gate",
                    self._path.name if of is None else of,
                    fault="unknown key",
                    got=f"'{key}'",
                    need="one of " + ", ".join(known),
                    remedy=f"'{near[0]}'" if near else None,
                )
                raise self.at(key if of is None else of, text)

    def fault(
        self, key: str, fault: str, *, got: object = None, need: str | None = None, remedy: str | None = None
    ) -> UsageError:
        """Return the error for what stands under a key."""
        what = "key" if key in _FILE_KEYS else "gate"
        return self.at(key, explain(what, key, fault=fault, got=got, need=need, remedy=remedy))

    def at(self, key: str, text: str) -> UsageError:
        """Return an error with the file and the line of a key before its text."""
        line = self._line_of(key)
        where = f"{self._path}:{line}" if line else str(self._path)
        table = "" if self._inside is None else f" [{self._inside}]"
        return UsageError(f"{where}{table}: {text}")

    def _refuse_split_name(self, name: str, options: Mapping[str, Any]) -> None:
        """Say what became of ``p99.9 = "…"``: TOML takes the dot for a table."""
        for rest in options:
            if rest[:1].isdigit():
                remedy = f'"{name}.{rest}" = "…", in quotes'
                raise self.fault(
                    name, "TOML takes a dot in a name for a table", got=f"{name}.{rest}", remedy=remedy
                )

    def _changes(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if "confidence" in options:
            changes["confidence"] = self._confidence(options["confidence"], name)
        if "on_inconclusive" in options:
            changes["on_inconclusive"] = self._on_inconclusive(options["on_inconclusive"], name)
        for key in ("abort_on_fail", "optional"):
            if key in options:
                if not isinstance(options[key], bool):
                    raise self.fault(name, f"'{key}' is neither true nor false", got=repr(options[key]))
                changes[key] = options[key]
        return changes

    def _confidence(self, value: Any, key: str) -> float:
        number = value
        if isinstance(value, str) and re.fullmatch(r"\d+(?:\.\d+)?\s*%", value.strip()):
            number = round(float(value.strip()[:-1]) / 100, 12)
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0.5 <= number < 1:
            raise self.fault(key, "confidence out of range", got=repr(value), need='"50%" to below "100%"')
        return float(number)

    def _on_inconclusive(self, value: Any, key: str) -> str:
        # By equality: a list in its place can't be looked up in a set.
        if value not in ("fail", "pass"):
            raise self.fault(key, "unknown value of on_inconclusive", got=repr(value), need="'fail' or 'pass'")
        return str(value)

    def _line_of(self, key: str) -> int | None:
        """Return the line on which a key stands; None where it can't be told. TOML's reader keeps no lines."""
        # Only a bare key may stand without quotes.
        quote = """["']?""" if re.fullmatch(r"[A-Za-z0-9_-]+", key) else """["']"""
        word = f"{quote}{re.escape(key)}{quote}"
        pattern = re.compile(rf"\s*(?:{word}\s*[=.]|\[[^\]]*{word}\s*\])")
        start = 0
        if self._inside:
            start = next((i for i, line in enumerate(self._lines) if f"[{self._inside}" in line), 0)
        return next((i + 1 for i, line in enumerate(self._lines) if i >= start and pattern.match(line)), None)


def _text_of(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise UsageError(explain("gate file", str(path), fault="too large to be one", need="1 MB or less"))
        # An editor's byte order mark is no fault of the person.
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        reason = fault.strerror or str(fault)
        remedy = "harness init" if isinstance(fault, FileNotFoundError) else None
        raise HarnessError(
            explain("gate file", str(path), fault=f"can't be read: {reason}", remedy=remedy)
        ) from fault
    except UnicodeDecodeError as fault:
        raise UsageError(explain("gate file", str(path), fault="is not UTF-8")) from fault
