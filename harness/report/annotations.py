"""
A verdict as GitHub's workflow commands: lines that show as annotations on the commit.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions (escaping: the runner's
``ActionCommand``); https://docs.github.com/rest/checks/runs for the limit of ten of a kind in one step.
"""

from harness.model import Finding, Status
from harness.report.judged import Judged, Outcome, headline, needs_own_failure, outcome_of
from harness.report.words import ended, plain

MOST_ANNOTATIONS = 10
"""GitHub shows so many of one kind for a step, and drops the others without a word."""

_LONGEST = 1000
_LEVELS = {Outcome.FAILURE: "error", Outcome.ERROR: "error", Outcome.SKIPPED: "warning"}
_ORDER = (Status.FAIL, Status.INVALID, Status.INCONCLUSIVE)


def render_annotations(judged: Judged) -> str:
    """
    Return one line for each gate that did not pass or was not judged, the worst first, or one that says all held.

    A verdict that is no PASS although each gate may be as it is has an error of its own, before the others.

    Args:
        judged: the verdict.

    Returns:
        Lines that end in a newline, at most `MOST_ANNOTATIONS`; the last of them counts those left out.
    """
    failed = sorted(
        (finding for finding in judged.verdict.findings if finding.status is not Status.PASS),
        key=lambda finding: _ORDER.index(finding.status),
    )
    lines = [_line_of(judged, finding) for finding in failed]
    for name, reason in judged.verdict.coverage.not_judged.items():
        lines.append(_line("notice", f"{judged.title}: {name} was not judged", ended(reason)))
    alone = needs_own_failure(judged.verdict)
    if alone or not lines:
        level = "error" if alone else "notice"
        lines.insert(0, _line(level, f"{judged.title}: {judged.verdict.status.value}", judged.sentence))
    if len(lines) > MOST_ANNOTATIONS:
        more = len(lines) - MOST_ANNOTATIONS + 1
        rest = f"{more} more gates did not pass or were not judged; the step summary has them all."
        lines = [*lines[: MOST_ANNOTATIONS - 1], _line("warning", f"{judged.title}: more", rest)]
    return "".join(f"{line}\n" for line in lines)


def _line_of(judged: Judged, finding: Finding) -> str:
    text = f"{headline(finding)}. {ended(finding.reason)}"
    if finding.remedy:
        text += f"\nRemedy: {ended(finding.remedy)}"
    title = f"{judged.title}: {finding.gate.name} {finding.status.value}"
    return _line(_LEVELS[outcome_of(finding)], title, text)


def _line(level: str, title: str, text: str) -> str:
    told = "\n".join(plain(part, longest=_LONGEST) for part in text.split("\n"))
    return f"::{level} title={_property(plain(title, longest=200))}::{_data(told)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
