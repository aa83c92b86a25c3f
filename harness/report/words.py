"""
How figures, gates and verdicts are put into words: shared by the terminal, the page and the captions.

Text only: no colour, no markup, no escaping. Strings from outside (ids of agents, kinds of error, reasons) pass
through `plain` so that no control character reaches a terminal.
"""

import math
import re
import shlex
import unicodedata
from collections.abc import Iterable

from harness.model import (
    Direction,
    Finding,
    Gate,
    Result,
    Run,
    RunState,
    Scenario,
    ServerFigures,
    Status,
    Target,
    TargetKind,
)
from harness.scenarios import DEFAULT_SCENARIO, SCENARIOS
from harness.units import format_count, format_duration, format_number, format_ratio, parse_duration_s

NONE = "–"
"""Shown where a thing does not apply; ``?`` is for a thing that applies and is not known."""

_TRAILING_ZEROS = re.compile(r"(\.\d*?)0+(?=\D|$)")
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?[.,:;?!]?")
"""A word of prose. Names of quantiles, gates and tests (``p95``, ``error-ratio``, ``test_x``) keep their form."""


def plain(text: str, *, longest: int | None = None) -> str:
    """
    Return text without control and other invisible characters, on one line.

    Args:
        text: from anywhere.
        longest: cut to this many characters, the last one an ellipsis; None to keep all.
    """
    kept = text
    if not text.isprintable():
        kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    kept = _SPACES.sub(" ", kept).strip()
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "…"


def value_text(value: float | None, unit: str) -> str:
    """
    Write a measured value in the unit of its gate.

    Args:
        value: in `unit`; None for unknown.
        unit: as `harness.model.Gate.unit`.
    """
    if value is None:
        return "?"
    if unit == "s":
        return format_duration(value)
    if unit == "ratio":
        return format_ratio(value)
    if unit == "per_s":
        return f"{format_number(value)}/s"
    if unit == "index":
        return "served" if value >= 1 else "not served"
    bare = unit in {"count", "number"}
    text = f"{value:,.0f}" if unit == "count" else format_number(value)
    return text if bare else f"{text} {unit}"


def limit_value_text(limit: float, unit: str) -> str:
    """Write a limit without needless zeros: ``50 ms``, ``1 %``, ``0.1/s``."""
    return _TRAILING_ZEROS.sub(lambda found: found.group(1).rstrip("."), value_text(limit, unit))


def limit_text(gate: Gate) -> str:
    """Write what a gate asks for: ``< 200 ms``, ``0.1/s ± 10 %``, ``served``."""
    limit = limit_value_text(gate.limit, gate.unit)
    if gate.unit == "index":
        return limit
    if gate.against_baseline:
        return f"> −{limit}" if gate.direction is Direction.ABOVE else f"< +{limit}"
    if gate.direction is Direction.NEAR:
        tolerance = gate.tolerance_ratio
        return f"≈ {limit}" if tolerance is None else f"{limit} ± {limit_value_text(tolerance, 'ratio')}"
    return f"{'<' if gate.direction is Direction.BELOW else '>'} {limit}"


def interval_text(finding: Finding) -> str:
    """Write a finding's confidence interval: ``3.90–4.61 ms``, ``≥ 3.90 ms`` where it has no upper end."""
    interval, unit = finding.interval, finding.gate.unit
    if interval is None or unit == "index":
        return NONE
    low = interval.low
    high = None if interval.high is None or math.isinf(interval.high) else interval.high
    if low is None:
        return "unbounded" if high is None else f"≤ {value_text(high, unit)}"
    if high is None:
        return value_text(low, unit) if math.isinf(low) else f"≥ {value_text(low, unit)}"
    return _range_text(value_text(low, unit), value_text(high, unit))


def _range_text(low: str, high: str) -> str:
    """Write two values as a range, their unit once where it is the same."""
    number, space, name = low.partition(" ")
    if space and high.endswith(f" {name}"):
        return f"{number}–{high}"
    if low.endswith("/s") and high.endswith("/s"):
        return f"{low.removesuffix('/s')}–{high}"
    return f"{low}–{high}"


def index_text(index: float | None) -> str:
    """Write an index between 0 and 1, such as the lock-step index, with two decimals."""
    return "?" if index is None else f"{index:.2f}"


def effective_n_text(finding: Finding) -> str:
    """Write what the observations are worth as independent ones, as a whole number."""
    return NONE if finding.effective_n is None else format_count(round(finding.effective_n))


def n_text(finding: Finding) -> str:
    """Write how many observations a finding rests on."""
    return NONE if finding.n is None else format_count(finding.n)


def ended(text: str) -> str:
    """Return a clause from outside with a full stop at its end."""
    kept = plain(text)
    return kept if not kept or kept.endswith((".", "!", "?", "…")) else f"{kept}."


def sentence(text: str) -> str:
    """Return a clause from outside as a sentence: a full stop last, a capital first unless that is a name."""
    kept = ended(text)
    return kept[:1].upper() + kept[1:] if _WORD.fullmatch(kept.partition(" ")[0]) else kept


def names(items: Iterable[str]) -> str:
    """Join names as prose: ``a``, ``a and b``, ``a, b and c``."""
    listed = list(items)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 poll``, ``300 polls``."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def scenario_text(scenario: Scenario) -> str:
    """Write a scenario in one clause."""
    warmup = f", the first {trimmed_duration(scenario.warmup_s)} warm-up" if scenario.warmup_s else ""
    return (
        f"{counted(scenario.agents, 'agent')} polling every {trimmed_duration(scenario.interval_s)}"
        f" for {trimmed_duration(scenario.run_time_s)}{warmup}"
    )


def target_text(target: Target) -> str:
    """Write a target in one clause: where, which version and database, and what was wrong with it on purpose."""
    parts = [f"{target.kind.value} at {plain(target.url)}"]
    parts += [f"version {plain(target.version)}"] if target.version else []
    parts += [plain(target.database)] if target.database else []
    parts += [counted(target.deployments, "deployment")] if target.deployments is not None else []
    parts += [f"artificial delay {format_duration(target.delay_s)}"] if target.delay_s else []
    parts += [f"artificial errors {format_ratio(target.error_ratio)}"] if target.error_ratio else []
    parts += [f"pool of {target.pool_size} on purpose"] if target.pool_size is not None else []
    parts += [f"connections held {format_duration(target.hold_s)} on purpose"] if target.hold_s else []
    parts += [f"design {plain(target.design)}"] if target.design else []
    parts += [f"without {plain(target.dropped_index)} on purpose"] if target.dropped_index else []
    return ", ".join(parts)


def state_sentence(run: Run) -> str | None:
    """Say that a run did not come to its planned end; None when it did."""
    how = {
        RunState.FINISHED: None,
        RunState.INTERRUPTED: "The run was interrupted",
        RunState.RUNNING: "The run was killed, or still goes on",
    }[run.state]
    return None if how is None else f"{how}: it is judged on what was measured."


def verdict_sentence(result: Result) -> str:
    """Say in one or two sentences why the verdict is what it is."""
    verdict = result.verdict
    decisive = [f for f in verdict.findings if f.status is verdict.status]
    if not verdict.findings:
        return "Nothing was judged, so nothing is known."
    if verdict.status is Status.PASS:
        polls = f"{counted(result.summary.sent, 'poll')} of {counted(result.run.scenario.agents, 'agent')}"
        undecided = names(plain(f.gate.name) for f in verdict.findings if f.status is not Status.PASS)
        let_pass = f" Not decided, and let pass: {undecided}." if undecided else ""
        if not decisive:
            return f"No gate failed, on {polls}.{let_pass}{_left_out(result)}"
        held = _held(len(decisive)) if not undecided else f"{counted(len(decisive), 'gate')} held"
        return f"{held}, on {polls}.{let_pass}{_left_out(result)}"
    if not decisive:
        return f"No single gate says so; see the findings.{_left_out(result)}"
    told = names(plain(f.gate.name) for f in decisive)
    lead = f"{len(decisive)} of {counted(len(verdict.findings), 'gate')} {_ENDINGS[verdict.status]}: {told}."
    named = f"{plain(decisive[0].gate.name)}: " if len(decisive) > 1 else ""
    reason = ended(decisive[0].reason) if named else sentence(decisive[0].reason)
    return f"{lead} {named}{reason}{_left_out(result)}"


_ENDINGS = {
    Status.PASS: "held",
    Status.FAIL: "failed",
    Status.INVALID: "can't be judged, because the measurement itself is in doubt",
    Status.INCONCLUSIVE: "could not be decided",
}


def command_line(run: Run) -> str:
    """
    Return the shell command that makes a run like this one again.

    What a record does not hold is left to the reader: the database URL, because it may carry a password.
    """
    scenario, target = run.scenario, run.target
    words = ["harness", "run"]
    words += [] if scenario.name == DEFAULT_SCENARIO else ["--scenario", scenario.name]
    words += ["--agents", str(scenario.agents)]
    words += ["--interval", _flag_duration(scenario.interval_s), "--run-time", _flag_duration(scenario.run_time_s)]
    words += ["--warmup", _flag_duration(scenario.warmup_s), "--phase-model", scenario.phase_model]
    words += ["--seed", str(scenario.seed), *_parameter_flags(scenario)]
    words += [] if run.keep_alive else ["--keep-alive", "off"]
    words += [] if run.processes in {None, 1} else ["--processes", str(run.processes)]
    if target.kind is TargetKind.ATTACHED:
        words += ["--host", target.url]
    elif target.deployments is not None:
        words += ["--deployments", str(target.deployments)]
    if target.delay_s:
        words += ["--target-delay", _flag_duration(target.delay_s)]
    if target.error_ratio:
        words += ["--target-error-ratio", f"{target.error_ratio:g}"]
    if target.pool_size is not None:
        words += ["--target-pool-size", str(target.pool_size)]
    if target.hold_s:
        words += ["--target-hold", _flag_duration(target.hold_s)]
    if target.design:
        words += ["--target-design", target.design]
    if target.dropped_index:
        words += ["--target-drop-index", target.dropped_index]
    return plain(shlex.join(words))


def _parameter_flags(scenario: Scenario) -> list[str]:
    """Return a scenario's own numbers as they are typed; those of a scenario that is not ours have no flag."""
    kind = SCENARIOS.get(scenario.name)
    words = []
    for parameter in () if kind is None else kind.parameters:
        value = scenario.parameters.get(parameter.name)
        if isinstance(value, str):
            words += [parameter.flag, value]
        elif value is not None:
            is_duration = parameter.parse is parse_duration_s
            words += [parameter.flag, _flag_duration(value) if is_duration else f"{value:g}"]
    return words


def _held(gates: int) -> str:
    return "The one gate held" if gates == 1 else f"All {gates} gates held"


def _left_out(result: Result) -> str:
    left_out = result.verdict.coverage.not_judged
    return f" Not judged: {names(plain(n) for n in left_out)}." if left_out else ""


def trimmed_duration(duration_s: float) -> str:
    """Write a duration that somebody chose, without needless zeros: ``10 s``, ``70 s``, ``2m10s``."""
    return limit_value_text(duration_s, "s")


def server_window_text(server: ServerFigures) -> str:
    """Write what window the target's own figures cover: it counts by whole seconds, so somewhat more than ours."""
    return f"{trimmed_duration(server.window_s)} (whole seconds)"


def _flag_duration(duration_s: float) -> str:
    if duration_s >= 1 or duration_s == 0:
        return f"{duration_s:g}s"
    return f"{duration_s * 1e3:g}ms"
