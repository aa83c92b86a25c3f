"""One sentence or two under each plot: what it shows for this very run. Pure text, from figures that exist."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model import Quantiles, Result, Summary
from harness.report.context import QuantileBand
from harness.report.words import counted, index_text, names, plain, trimmed_duration
from harness.units import format_count, format_duration, format_number, format_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLimit:
    """
    A limit on a quantile of the response time.

    Args:
        quantile: q in (0, 1).
        limit_s: what it has to stay below [s].
    """

    quantile: float
    limit_s: float

    @property
    def name(self) -> str:
        """Return ``p95`` for 0.95, ``p99.9`` for 0.999."""
        return f"p{self.quantile * 100:.6g}"


def response_limits(result: Result) -> tuple[ResponseLimit, ...]:
    """Return the limits on response time that were judged, by quantile."""
    gates = [finding.gate for finding in result.verdict.findings]
    limits = {
        gate.quantile: gate.limit
        for gate in gates
        if gate.metric == "response_time" and gate.unit == "s" and gate.quantile is not None
    }
    return tuple(ResponseLimit(quantile=q, limit_s=limits[q]) for q in sorted(limits))


def at(times: Quantiles, quantile: float) -> float | None:
    """Return one of the three quantiles that a summary holds; None for any other."""
    return {0.5: times.p50, 0.95: times.p95, 0.99: times.p99}.get(quantile)


def response_times(result: Result) -> str:
    """Caption of the response time over time."""
    summary = result.summary
    times = summary.response_time
    if times.n == 0:
        return "No poll was measured."
    limits = {limit.quantile: limit for limit in response_limits(result)}
    told = [
        _against(name, at(times, q), limits.get(q)) for name, q in (("p95", 0.95), ("p99", 0.99), ("p50", 0.5))
    ]
    first = told[0] if times.n > 1 else f"its response time was {_duration(times.max)}"
    failed = _failed(summary)
    unsent = times.n - summary.sent
    missed = f" ({format_count(unsent)} of them missed)" if unsent > 0 else ""
    return f"{counted(times.n, 'measured poll')}{missed}: {first}; {failed}."


def distribution(result: Result, band: QuantileBand | None = None) -> str:
    """Caption of the distribution, with a word on its band where there is one."""
    times, service = result.summary.response_time, result.summary.service_time
    if times.n == 0:
        return "No poll was measured."
    if times.n == 1:
        return f"One poll was measured; it took {_duration(times.max)}."
    parts = [
        f"{share} within {format_duration(value)}"
        for share, value in (("half", times.p50), ("95 %", times.p95), ("99 %", times.p99))
        if value is not None and math.isfinite(value)
    ]
    answered = (
        f"Of {counted(times.n, 'measured poll')}, {names(parts)} of their intended start"
        if parts
        else (f"More than half of {counted(times.n, 'measured poll')} failed")
    )
    endless = _first_endless(times)
    if endless is not None and parts:
        answered += f"; {endless} has no end, because {counted(result.summary.failed, 'poll')} failed"
    return f"{answered}.{_waiting(times, service)}{_band(band, times.n)}"


def _band(band: QuantileBand | None, n: int) -> str:
    if band is None:
        return ""
    effective = round(band.effective_n)
    worth = f", from polls worth {format_count(effective)} independent ones" if effective < n else ""
    open_above = [q for q, high in zip(band.shares, band.high_s, strict=True) if high is None and q > 0.5]
    bound = f"; beyond {format_ratio(open_above[0])} it has no upper end yet" if open_above else ""
    # Beside the table the same quantile has another interval, and nobody should have to guess why.
    other = "A gate's interval may differ: its ends hold each by itself, and it is made for the gate's limit."
    lies = f"Each quantile lies in the pale band with {band.confidence * 100:g} % confidence"
    return f" {lies}{worth}{bound}. {other}"


def rates(result: Result) -> str:
    """Caption of the rates."""
    summary = result.summary
    missed = "no poll was missed" if summary.missed == 0 else f"{counted(summary.missed, 'poll')} missed"
    length_s = summary.window_end_s - summary.window_start_s
    intended = summary.intended / length_s if length_s > 0 else None
    return (
        f"Over the measured {trimmed_duration(length_s)} the schedule wanted {format_number(intended)} polls"
        f" a second; {format_number(summary.offered_per_s)} were sent and"
        f" {format_number(summary.achieved_per_s)} answered without error; {missed}."
    )


def errors(result: Result) -> str:
    """Caption of the errors."""
    summary = result.summary
    ordered = sorted(summary.errors_by_kind.items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return "No measured poll failed; what is drawn happened before or after the measured part."
    kinds = names(f"{plain(kind, longest=40)} ({format_count(count)})" for kind, count in ordered)
    ratio = format_ratio(summary.failed / summary.sent) if summary.sent else "?"
    return f"{format_count(summary.failed)} of {counted(summary.sent, 'measured poll')} failed ({ratio}): {kinds}."


def agents(result: Result) -> str:
    """Caption of the agents' polls."""
    index = result.summary.lock_step_index
    rows = (
        "Each row is one agent, ordered by its place in the interval; each mark is a poll, with a line to its end"
    )
    if index is None:
        return f"{rows}."
    spread = (
        "the agents are spread evenly over the interval"
        if index < 0.2
        else "the agents bunch in parts of the interval"
        if index < 0.6
        else "the agents poll in lock-step, in the same part of the interval"
    )
    return f"{rows}. Lock-step index {index_text(index)} of 1: {spread}."


def breakdown(parts: Sequence[tuple[str, float | None]], source: str) -> str:
    """
    Caption of where the time went.

    Args:
        parts: name and p95 [s] of each part.
        source: where the server's side was taken from, a clause.
    """
    known = [(name, value) for name, value in parts if value is not None]
    if not known:
        return f"Nothing is known of the parts; {source}."
    name, value = max(known, key=lambda part: part[1])
    return (
        f"At p95 the largest part was {name}, {format_duration(value)}; {source}."
        " Quantiles of parts do not add up to the quantile of the whole."
    )


def _against(name: str, value_s: float | None, limit: ResponseLimit | None) -> str:
    if value_s is None:
        return f"{name} is unknown"
    if math.isinf(value_s):
        return f"{name} has no end, because too many polls failed"
    text = f"{name} was {format_duration(value_s)}"
    if limit is None:
        return text
    ratio = value_s / limit.limit_s
    limit_text = f"its limit of {trimmed_duration(limit.limit_s)}"
    if ratio >= 1:
        return f"{text}, {format_number(ratio)} times {limit_text}"
    return f"{text}, {_part(ratio)} {limit_text}"


def _part(ratio: float) -> str:
    if ratio > 0.4:
        return f"{ratio * 100:.0f} % of"
    fraction = round(1 / ratio) if ratio > 0 else 0
    words = {2: "half", 3: "a third of", 4: "a quarter of", 5: "a fifth of", 10: "a tenth of"}
    if fraction > 1000 or not fraction:
        return "less than a thousandth of"
    return words.get(fraction, f"1/{fraction} of")


def _failed(summary: Summary) -> str:
    if summary.failed == 0:
        return "none failed" if summary.sent != 1 else "it did not fail"
    if summary.failed == summary.sent:
        return "all failed" if summary.sent != 1 else "it failed"
    return f"{format_count(summary.failed)} failed (crosses at the top)"


def _duration(value_s: float | None) -> str:
    return "endless, as it failed" if value_s is not None and math.isinf(value_s) else format_duration(value_s)


def _first_endless(times: Quantiles) -> str | None:
    for name, value in (("p50", times.p50), ("p95", times.p95), ("p99", times.p99)):
        if value is not None and math.isinf(value):
            return name
    return None


def _waiting(times: Quantiles, service: Quantiles) -> str:
    """Say what timing from the intended start was worth, where it shows."""
    for name, response, served in (("p99", times.p99, service.p99), ("p95", times.p95, service.p95)):
        if response is None or served is None or not math.isfinite(response) or served <= 0:
            continue
        if response > 1.25 * served and response - served > 0.005:
            return f" Waiting to be sent added {format_duration(response - served)} at {name}."
        return ""
    return ""
