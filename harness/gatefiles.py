"""
Which gates a run is judged by: the command line, ``gates.toml``, ``pyproject.toml``, the specification.

The first of these that names gates is the base::

    --gates FILE ─▶ gates.toml ─▶ [tool.harness] in pyproject.toml ─▶ the targets of the specification

``pyproject.toml`` is the first one found in the working directory and the folders above it; ``gates.toml`` is
looked for in the working directory and beside that file. Gates of the command line (``--gate``) come on top: each
takes the place of those of the base on the same figure.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError, explain
from harness.gate_syntax import parse_gate, with_unique_names
from harness.judge.gates import check_gates, spec_gates
from harness.model import SCHEMA_VERSION, Gate

GATE_FILE = "gates.toml"
"""Looked for in the working directory, and at the root of the project."""

PROJECT_FILE = "pyproject.toml"
SPECIFICATION = "the targets of the specification"

_FILE_KEYS = ("confidence", "on_inconclusive", "gates")
_PROJECT_KEYS = (*_FILE_KEYS, "history")
_GATE_KEYS = ("gate", "confidence", "on_inconclusive", "abort_on_fail", "optional")
_MOST_BYTES = 1_000_000

STARTER_FILE = """\
# What harness run and harness gate judge. Every line of [gates] is one gate: name = "what has to hold".
#
#   p(95) < 200ms                      of the response time of the polled route
#   service_time max < 2s              another figure; `harness gate --metrics` lists them
#   GET /api/agents: p(95) < 200ms     of another route, as the service declares it
#   errors(timeout) == 0               failures of one kind; errors(http-5xx), error_ratio(timeout) likewise
#   p(95) vs baseline < +10%           compared with the last runs of the history
#
# A limit has a unit: ms, s, %, /s. Counts have none.
# A gate with options is a table:
#
#   p99 = { gate = "p(99) < 500ms", confidence = "99%", on_inconclusive = "pass", abort_on_fail = true }
#
#   confidence        how sure a PASS or a FAIL has to be
#   on_inconclusive   "pass" lets the verdict pass when too few requests were seen; "fail" ends in exit code 4
#   abort_on_fail     ends the run as soon as this gate has surely failed
#   optional          leaves the gate out where the target can't give its figures

confidence = "95%"
on_inconclusive = "fail"

[gates]
# Response time of GET /api/deployments/pending/{agent_id}
p50 = "p(50) < 50ms"
p95 = "p(95) < 200ms"
p99 = "p(99) < 500ms"
error-ratio = "error_ratio < 1%"
# Each agent polls once in its interval: 0.1/s at 10 s
poll-rate = "poll_rate within 10% of 1/interval"
# These need the monitoring layer in the target
query-time = { gate = "query_time p(99) < 100ms", optional = true }
pool-use = { gate = "pool_use < 80%", optional = true }
# This one needs the database's URL: --database-url
pending-index = { gate = "index(idx_deployment_agent_status_created)", optional = true }
"""
"""What ``harness init`` writes: the targets of the specification, with comments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSet:
    """
    The gates of a run, and where they came from.

    Args:
        schema_version: see `harness.model.SCHEMA_VERSION`.
        gates: with unique names.
        source: for people, such as ``gates.toml (8 gates), command line (1 gate, in place of p95)``.
    """

    schema_version: int = SCHEMA_VERSION
    gates: tuple[Gate, ...]
    source: str


def choose_gates(
    *,
    interval_s: float,
    file: Path | None = None,
    texts: Sequence[str] = (),
    defaults: bool = True,
    folder: Path | None = None,
) -> GateSet:
    """
    Put the gates of a run together.

    Args:
        interval_s: polling interval of each agent [s].
        file: a gate file (``--gates``); None looks for one.
        texts: gates of the command line.
        defaults: whether to look for files, and fall back on the specification; False leaves what was named.
        folder: where to look; None is the working directory.

    Returns:
        At least one gate, all of them fit to be judged.

    Raises:
        UsageError: a gate that can't be read or judged, or none at all.
        HarnessError: a file that can't be read.
    """
    base, source = _base(interval_s=interval_s, file=file, defaults=defaults, folder=folder or Path())
    own = tuple(parse_gate(text, interval_s=interval_s) for text in texts)
    gates = with_unique_names(_instead(base, own))
    if not gates:
        raise UsageError(
            explain("option", "--no-default-gates", fault="leaves no gate", remedy="--gate 'p(95) < 200ms'")
        )
    check_gates(gates)
    figures = {_figure(gate) for gate in own}
    replaced = [gate.name for gate in base if _figure(gate) in figures]
    return GateSet(gates=gates, source=_told(source, len(base), len(own), replaced))


def spec_gate_set(*, interval_s: float) -> GateSet:
    """Return the targets of the specification for agents that poll every `interval_s` seconds."""
    gates = spec_gates(interval_s=interval_s)
    return GateSet(gates=gates, source=_told(SPECIFICATION, len(gates), 0, ()))


def read_gate_file(path: Path, *, interval_s: float | None = None) -> tuple[Gate, ...] | None:
    """
    Read the gates of a TOML file.

    Args:
        path: a gate file; of one named ``pyproject.toml`` the table ``[tool.harness]`` is read.
        interval_s: what ``1/interval`` stands for [s].

    Returns:
        The gates in file order; None for a ``pyproject.toml`` that names none.

    Raises:
        HarnessError: no file, or one that can't be read.
        UsageError: no TOML, an unknown key (the near miss is named), a value that can't work, no gate in it. The
            line is named where it can be found.
    """
    text = _text_of(path)
    try:
        content: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise UsageError(explain("gate file", str(path), fault=f"not TOML: {fault}")) from fault
    if path.name != PROJECT_FILE:
        return _File(path, text, None).gates(content, interval_s)
    file = _File(path, text, "tool.harness")
    tools = content.get("tool", {})
    table = tools.get("harness", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(explain("gate file", str(path), fault="tool.harness is no table", got=repr(table)))
    file.check_keys(table, _PROJECT_KEYS, line_of=None)
    if "gates" not in table:
        return None
    return file.gates({key: value for key, value in table.items() if key in _FILE_KEYS}, interval_s)


class _File:
    """One gate file while it is read; finds the lines for the errors."""

    def __init__(self, path: Path, text: str, table: str | None) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._table = table

    def gates(self, table: Mapping[str, Any], interval_s: float | None) -> tuple[Gate, ...]:
        self.check_keys(table, _FILE_KEYS, line_of=None)
        entries = table.get("gates", {})
        if not isinstance(entries, Mapping):
            raise self._fault("gates", "is no table", need='[gates] with lines such as p95 = "p(95) < 200ms"')
        if not entries:
            raise UsageError(
                explain(
                    "gate file",
                    str(self._path),
                    fault="no gate in it",
                    need='[gates] with lines such as p95 = "p(95) < 200ms"',
                    remedy="harness init",
                )
            )
        preset = {
            "confidence": self._confidence(table.get("confidence", 0.95), "confidence"),
            "on_inconclusive": self._on_inconclusive(table.get("on_inconclusive", "fail"), "on_inconclusive"),
        }
        gates = tuple(self._gate(name, entry, interval_s, preset) for name, entry in entries.items())
        for gate in gates:
            try:
                check_gates([gate])
            except UsageError as fault:
                raise self._at(gate.name, str(fault)) from fault
        return gates

    def check_keys(self, table: Mapping[str, Any], known: tuple[str, ...], *, line_of: str | None) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                text = explain(
                    "gate" if line_of else "gate file",
                    line_of or self._path.name,
                    fault="unknown key",
                    got=f"'{key}'",
                    need="one of " + ", ".join(known),
                    remedy=f"'{near[0]}'" if near else None,
                )
                raise self._at(line_of or key, text)

    def _gate(self, name: str, entry: Any, interval_s: float | None, preset: Mapping[str, Any]) -> Gate:
        options = {"gate": entry} if isinstance(entry, str) else entry
        if not isinstance(options, dict):
            need = f'{name} = "p(95) < 200ms" or {name} = {{ gate = "…", … }}'
            raise self._fault(name, "is no gate", got=repr(entry), need=need)
        self.check_keys(options, _GATE_KEYS, line_of=name)
        text = options.get("gate")
        if not isinstance(text, str):
            raise self._fault(
                name, "no text of the gate", got=None if text is None else repr(text), need='gate = "…"'
            )
        try:
            gate = parse_gate(text, name=name, interval_s=interval_s, **preset)
        except UsageError as fault:
            raise self._at(name, str(fault)) from fault
        changes: dict[str, Any] = {}
        if "confidence" in options:
            changes["confidence"] = self._confidence(options["confidence"], name)
        if "on_inconclusive" in options:
            changes["on_inconclusive"] = self._on_inconclusive(options["on_inconclusive"], name)
        for key in ("abort_on_fail", "optional"):
            if key in options:
                if not isinstance(options[key], bool):
                    raise self._fault(name, f"'{key}' is neither true nor false", got=repr(options[key]))
                changes[key] = options[key]
        return replace(gate, **changes)

    def _confidence(self, value: Any, key: str) -> float:
        number = value
        if isinstance(value, str) and re.fullmatch(r"\d+(?:\.\d+)?\s*%", value.strip()):
            number = round(float(value.strip()[:-1]) / 100, 12)
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0.5 <= number < 1:
            raise self._fault(key, "confidence out of range", got=repr(value), need='"50%" to below "100%"')
        return float(number)

    def _on_inconclusive(self, value: Any, key: str) -> str:
        if value not in {"fail", "pass"}:
            raise self._fault(key, "unknown value of on_inconclusive", got=repr(value), need="'fail' or 'pass'")
        return str(value)

    def _fault(
        self, key: str, fault: str, *, got: object = None, need: str | None = None, remedy: str | None = None
    ) -> UsageError:
        return self._at(
            key,
            explain(
                "gate" if key not in _FILE_KEYS else "key", key, fault=fault, got=got, need=need, remedy=remedy
            ),
        )

    def _at(self, key: str, text: str) -> UsageError:
        line = self._line_of(key)
        where = f"{self._path}:{line}" if line else str(self._path)
        table = "" if self._table is None else f" [{self._table}]"
        return UsageError(f"{where}{table}: {text}")

    def _line_of(self, key: str) -> int | None:
        """Return the line on which a key stands; None where it can't be told. TOML's reader keeps no lines."""
        escaped = re.escape(key)
        pattern = re.compile(rf"""\s*(?:["']?{escaped}["']?\s*[=.]|\[[^\]]*["']?{escaped}["']?\s*\])""")
        start = 0
        if self._table:
            start = next((i for i, line in enumerate(self._lines) if f"[{self._table}" in line), 0)
        return next((i + 1 for i, line in enumerate(self._lines) if i >= start and pattern.match(line)), None)


def _base(
    *, interval_s: float, file: Path | None, defaults: bool, folder: Path
) -> tuple[tuple[Gate, ...], str | None]:
    """Return the gates under those of the command line, and their source."""
    if file is not None:
        named = read_gate_file(file, interval_s=interval_s)
        if named is None:
            fault = "names no gates"
            raise UsageError(explain("gate file", str(file), fault=fault, need="[tool.harness.gates] in it"))
        return named, str(file)
    if not defaults:
        return (), None
    for path in _candidates(folder):
        found = read_gate_file(path, interval_s=interval_s)
        if found is not None:
            return found, path.name
    return spec_gates(interval_s=interval_s), SPECIFICATION


def _candidates(folder: Path) -> list[Path]:
    """Return the files that may name gates, the first to ask first."""
    absolute = folder.absolute()
    above = (candidate / PROJECT_FILE for candidate in (absolute, *absolute.parents))
    project = next((path for path in above if path.is_file()), None)
    files = [folder / GATE_FILE]
    if project is not None:
        files += [project.with_name(GATE_FILE), project]
    return [path for path in files if path.exists()]


def _instead(base: Sequence[Gate], own: Sequence[Gate]) -> tuple[Gate, ...]:
    """Return the base with the gates of the command line: where one on the same figure stood, or at the end."""
    waiting = list(own)
    gates: list[Gate] = []
    figures = {_figure(gate) for gate in own}
    for gate in base:
        if _figure(gate) not in figures:
            gates.append(gate)
            continue
        gates += [other for other in waiting if _figure(other) == _figure(gate)]
        waiting = [other for other in waiting if _figure(other) != _figure(gate)]
    return (*gates, *waiting)


def _figure(gate: Gate) -> tuple[object, ...]:
    return gate.metric, gate.subject, gate.quantile, gate.kind, gate.against_baseline


def _told(source: str | None, base: int, own: int, replaced: Sequence[str]) -> str:
    parts = []
    if source is not None:
        parts.append(f"{source} ({_counted(base)})")
    if own:
        instead = f", in place of {', '.join(replaced)}" if replaced else ""
        parts.append(f"command line ({_counted(own)}{instead})")
    return ", ".join(parts)


def _counted(gates: int) -> str:
    return f"{gates} gate" if gates == 1 else f"{gates} gates"


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
