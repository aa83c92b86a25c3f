"""
Which gates a run is judged by: the command line, ``gates.toml``, ``pyproject.toml``, the specification.

The first of these that names gates is the base::

    --gates FILE ─▶ gates.toml ─▶ [tool.harness] in pyproject.toml ─▶ the targets of the specification

``pyproject.toml`` is the first one found in the working directory and the folders above it; ``gates.toml`` is
looked for in the working directory and beside that file. Gates of the command line (``--gate``) come on top: each
takes the place of those of the base on the same figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError, explain
from harness.gate_syntax import parse_gate, with_unique_names
from harness.gate_toml import BENCHMARKS, GATES, PROJECT_FILE, open_gate_file
from harness.judge.gates import check_gates, spec_gates
from harness.model import SCHEMA_VERSION, Gate

GATE_FILE = "gates.toml"
"""Looked for in the working directory, and at the root of the project."""

SPECIFICATION = "the targets of the specification"


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
        The gates in file order; None for a file that names none on purpose: a ``pyproject.toml``, or one that
        holds gates over benchmarks.

    Raises:
        HarnessError: no file, or one that can't be read.
        UsageError: no TOML, an unknown key (the near miss is named), a value that can't work, no gate in it. The
            line is named where it can be found.
    """
    file = open_gate_file(path)
    if GATES not in file.table and (path.name == PROJECT_FILE or BENCHMARKS in file.table):
        return None
    return file.gates(interval_s)


def _base(
    *, interval_s: float, file: Path | None, defaults: bool, folder: Path
) -> tuple[tuple[Gate, ...], str | None]:
    """Return the gates under those of the command line, and their source."""
    if file is not None:
        named = read_gate_file(file, interval_s=interval_s)
        if named is None:
            need = "[tool.harness.gates] in it" if file.name == PROJECT_FILE else "[gates] in it"
            raise UsageError(explain("gate file", str(file), fault="names no gates of a run", need=need))
        return named, str(file)
    if not defaults:
        return (), None
    for path in gate_file_candidates(folder):
        found = read_gate_file(path, interval_s=interval_s)
        if found is not None:
            return found, path.name
    return spec_gates(interval_s=interval_s), SPECIFICATION


def gate_file_candidates(folder: Path) -> list[Path]:
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
