"""Judged verdicts for the tests of the outputs: one gate of each kind, and texts that try to break out."""

from dataclasses import replace

from harness.model import Coverage, Finding, Gate, Interval, Status, Verdict
from harness.report.judged import Figure, Judged
from tests.harness.results import finding, gate, verdict_of

NASTY = 'x</failure>]]>\n::error::owned|`a`<b>\x00\x1b[31m\ud800\ufffe"%0A, @team: &'
"""Control characters, half a surrogate, a noncharacter, XML, Markdown and workflow commands in one name."""


def judged(*findings: Finding, not_judged: dict[str, str] | None = None, **other: object) -> Judged:
    """Return a verdict over these findings."""
    whole = Judged(
        kind="agent-polling embedded",
        title="agent-polling",
        id="20261123T083000Z-3f9a",
        at_utc="2026-11-23T08:30:00Z",
        duration_s=70.0,
        sentence="Because.",
        verdict=verdict_of(findings, not_judged),
        facts=(("target", "embedded"),),
        figures=(),
        warnings=(),
    )
    return replace(whole, **other)  # type: ignore[arg-type]


def of_every_kind() -> Judged:
    """Return a verdict with a gate of each outcome."""
    return judged(
        finding(p("p50"), Status.PASS, 0.004),
        finding(p("p95"), Status.FAIL, 0.612, reason="30 of 300 polls took 200 ms or longer", remedy="a cure"),
        finding(p("p99"), Status.INCONCLUSIVE, 0.3, reason="too few", remedy="a longer run"),
        finding(replace(p("p999"), on_inconclusive="pass"), Status.INCONCLUSIVE, 0.3, reason="too few"),
        finding(p("late"), Status.INVALID, 0.3, reason="the generator was late", remedy="fewer agents"),
        not_judged={"pool-use": "the target gave no figures of its own"},
    )


def p(name: str) -> Gate:
    """Return a gate on the response time."""
    return gate(name, limit=0.2, quantile=0.95)


def nasty() -> Judged:
    """Return a verdict in which every text is hostile."""
    hostile = replace(p(NASTY), subject=NASTY)
    return judged(
        finding(hostile, Status.FAIL, 0.3, reason=NASTY, remedy=NASTY),
        not_judged={NASTY + "2": NASTY},
        title=NASTY,
        kind=NASTY,
        id=NASTY,
        at_utc=NASTY,
        sentence=NASTY,
        facts=((NASTY, NASTY),),
        figures=(Figure(name="one", value=1.0, unit="ms", note="n = 1"),),
        warnings=(NASTY,),
    )


def nothing() -> Judged:
    """Return a verdict over no gate at all."""
    empty = Verdict(status=Status.INCONCLUSIVE, findings=(), coverage=Coverage(judged=(), not_judged={}))
    return judged(verdict=empty)


def unseen(*, n: int | None) -> Finding:
    """Return a finding that may be inconclusive, on nothing: no request (0), or nothing to count (None)."""
    waived = replace(p("p99"), on_inconclusive="pass")
    return finding(waived, Status.INCONCLUSIVE, n=n, effective_n=None, exceedances=None, reason="none was seen")


def unbounded() -> Finding:
    """Return a finding whose interval is open at both ends."""
    return finding(p("p95"), Status.INCONCLUSIVE, 0.3, interval=Interval(low=None, high=None))
