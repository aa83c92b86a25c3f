"""
The troubleshooting list as code: which of the four known problems is there, with the evidence and the remedy.

A pure function from a report to a `Diagnosis`. The four are: many polls, slow answers, many errors, an exhausted
pool. Each is found, or not found with what was looked at, or unknown where the source doesn't tell.
"""

from dataclasses import dataclass

from monitoring.checklist import too_fast
from monitoring.reports.document import Document, Section, Tone, percent, rate, span
from monitoring.reports.failing import look_for_errors
from monitoring.reports.limits import CheckLimits
from monitoring.reports.pool_causes import look_for_exhaustion
from monitoring.reports.problems import MOST, POLLING, Problem
from monitoring.reports.records import Endpoint, Report, Window
from monitoring.reports.slowness import look_for_slowness

SCHEMA_VERSION = 1
"""Of the JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """
    All four.

    Args:
        kind: always ``monitoring-diagnosis``.
        schema_version: of this form.
        service: name of the service.
        window: the window looked at.
        problems: in the order of the troubleshooting list.
    """

    kind: str = "monitoring-diagnosis"
    schema_version: int = SCHEMA_VERSION
    service: str
    window: Window
    problems: tuple[Problem, ...]

    @property
    def found(self) -> tuple[Problem, ...]:
        """Those that are there."""
        return tuple(problem for problem in self.problems if problem.status == "found")

    @property
    def exit_code(self) -> int:
        """0 when none is there, 3 when one is, 4 when none was found but one could not be looked for."""
        if self.found:
            return 3
        return 4 if any(problem.status == "unknown" for problem in self.problems) else 0


def diagnose(report: Report, *, limits: CheckLimits | None = None) -> Diagnosis:
    """
    Look for the four problems.

    Args:
        report: of the window to look at.
        limits: what to compare with; those of the specification by default.
    """
    limits = limits if limits is not None else CheckLimits()
    looks = (look_for_polling, look_for_slowness, look_for_errors, look_for_exhaustion)
    return Diagnosis(
        service=report.service,
        window=report.window,
        problems=tuple(look(report, limits) for look in looks),
    )


def look_for_polling(report: Report, limits: CheckLimits) -> Problem:
    """Tell whether agents poll too often, and which."""
    now, one = report.now, report.pending_now
    if now is None or one is None:
        return POLLING.unknown("no request to the pending endpoint is held")
    polls = f"{one.total_requests:,} polls, {rate(one.requests_per_second)} per second"
    agents = now.agents
    if agents is None:
        return POLLING.unknown(f"{polls}; this source does not tell agents apart")
    should = f"an agent should poll every {span(limits.interval_s)}"
    looked_at = f"{polls}, of {agents.seen:,} agents; {should}"
    fast = too_fast(agents, limits)
    if not fast:
        judged = 0 if agents.median_interval_s is None else 1
        return POLLING.absent(looked_at, n=judged, needed=1) if judged else POLLING.unknown(looked_at)
    theirs = sum(agent.requests for _, agent in fast)
    share = percent(theirs / max(1, one.total_requests))
    evidence = [f"{len(fast):,} agents poll too often and send {share} of all polls."]
    evidence += [
        f"{agent.agent} polls every {span(interval_s)}, {limits.interval_s / max(interval_s, 1e-3):,.1f} times as "
        f"often as it should: {agent.requests:,} polls."
        for interval_s, agent in fast[:MOST]
    ]
    return POLLING.found(
        looked_at, [*evidence, *_growth(one, report.pending_before)], _remedies(agents.seen, limits)
    )


def _growth(now: Endpoint, past: Endpoint | None) -> list[str]:
    if past is None or not past.requests_per_second or not now.requests_per_second:
        return []
    before, after = rate(past.requests_per_second), rate(now.requests_per_second)
    return [f"The window before had {before} polls per second, this one {after}."]


def _remedies(seen: int, limits: CheckLimits) -> list[str]:
    return [
        f"Set the polling interval of these agents to {span(limits.interval_s)}.",
        f"Check the number of agents ({seen:,} were seen); two that share one id look like a fast one.",
        "Raise the interval of all agents where the load itself is too high.",
    ]


def document(diagnosis: Diagnosis, *, version: str) -> Document:
    """Return the diagnosis as a document: what was found first, then what was looked for besides."""
    found = diagnosis.found
    rest = [problem for problem in diagnosis.problems if problem.status != "found"]
    sections = [
        Section(
            title=f"Found: {problem.title}",
            lines=(f"{problem.looked_at}.",),
            items=(*problem.evidence, *(f"Remedy: {remedy}" for remedy in problem.remedies)),
        )
        for problem in found
    ]
    if rest:
        sections.append(
            Section(
                title="Looked for besides" if found else "Looked for",
                items=tuple(f"{problem.title}: {problem.status}. {problem.looked_at}." for problem in rest),
            )
        )
    if found:
        lead = f"{len(found)} of {len(diagnosis.problems)} known problems found."
    elif diagnosis.exit_code:
        lead = "None of the known problems found, but not all of them could be looked for."
    else:
        lead = "None of the known problems found."
    tone: Tone = "fail" if found else "unknown" if diagnosis.exit_code else "pass"
    window = diagnosis.window
    return Document(
        title=f"Monitoring diagnosis: {diagnosis.service}",
        lead=(f"{window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC. {lead}",),
        sections=tuple(sections),
        footer=f"Made by pollgauge {version}. ? is unknown.",
        tone=tone,
    )
