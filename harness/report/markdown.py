"""
A verdict as Markdown: for the summary of a CI step, and for a comment that a bot keeps up to date.

Both are cut to what the reader takes. Over a step summary's limit GitHub drops the whole of it, without the build
noticing; over a comment's, it refuses the comment.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions (step summary: 1 MiB a
step); a comment has 65,536 characters.
"""

import re
from collections.abc import Iterator

from harness.model import Finding, Status
from harness.report.judged import Judged
from harness.report.words import (
    NONE,
    effective_n_text,
    ended,
    interval_text,
    limit_text,
    n_text,
    plain,
    value_text,
)

SUMMARY_LIMIT_BYTES = 1024 * 1024
COMMENT_LIMIT_BYTES = 64 * 1024

_CUT = (
    "\n\n_The rest was cut: it is longer than what can be shown here. The report and `result.json` have it all._\n"
)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@$])")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_CAUSES = 4000
"""Longest reason or remedy, in characters: one absurd name must not push the other gates out."""


def render_summary(judged: Judged, *, room_bytes: int = SUMMARY_LIMIT_BYTES) -> bytes:
    """
    Return the text for a step summary.

    Args:
        judged: the verdict.
        room_bytes: what may still be written; earlier commands of the same step wrote into the same file.

    Returns:
        At most `room_bytes` of UTF-8, cut between lines with a sentence that says so; empty when there is no room.
    """
    return _fitted("".join(_body(judged)), room_bytes)


def render_comment(judged: Judged) -> bytes:
    """Return the text for a comment: a hidden marker in the first line, by which a bot finds its own one again."""
    head = f"{marker(judged)}\n".encode()
    return head + _fitted("".join(_body(judged)), COMMENT_LIMIT_BYTES - len(head))


def marker(judged: Judged) -> str:
    """Return the line that is the same for every run of one job: ``<!-- harness: agent-polling-embedded -->``."""
    slug = _NOT_A_WORD.sub("-", judged.kind.lower()).strip("-")[:100]
    return f"<!-- harness: {slug} -->"


def _body(judged: Judged) -> Iterator[str]:
    status = judged.verdict.status
    yield f"## {status.value}: {_escape(judged.title)}\n\n{_escape(judged.sentence)}\n"
    findings = judged.verdict.findings
    if findings:
        yield "\n| Gate | Limit | Measured | Interval | n | worth | Verdict |\n"
        yield "|:--|--:|--:|--:|--:|--:|:--|\n"
        yield from map(_row, findings)
    yield from _explained(findings)
    left_out = judged.verdict.coverage.not_judged
    if left_out:
        yield "\n**Not judged**\n\n"
        yield from (f"- {_escape(name)}: {_escape(ended(why))}\n" for name, why in left_out.items())
    if judged.verdict.coverage.ungated:
        routes = ", ".join(_escape(route) for route in judged.verdict.coverage.ungated)
        yield f"\nNo gate is about: {routes}.\n"
    if judged.warnings:
        yield "\n**Warnings**\n\n"
        yield from (f"- {_escape(warning)}\n" for warning in judged.warnings)
    yield f"\n<details><summary>{_escape(judged.id)}</summary>\n\n"
    yield from (f"- {_escape(label)}: {_escape(text)}\n" for label, text in judged.facts)
    yield "\n</details>\n"


def _row(finding: Finding) -> str:
    cells = (
        finding.gate.name,
        limit_text(finding.gate),
        value_text(finding.measured, finding.gate.unit) if finding.measured is not None else NONE,
        interval_text(finding),
        n_text(finding),
        effective_n_text(finding),
    )
    status = finding.status.value
    shown = status if finding.status is Status.PASS else f"**{status}**"
    return f"| {' | '.join(_escape(cell) for cell in cells)} | {shown} |\n"


def _explained(findings: tuple[Finding, ...]) -> Iterator[str]:
    left = [finding for finding in findings if finding.status is not Status.PASS]
    if left:
        yield "\n"
    for finding in left:
        cure = f" _Remedy: {_escape(_sentence(finding.remedy))}_" if finding.remedy else ""
        head = f"- **{_escape(finding.gate.name)}** ({finding.status.value})"
        yield f"{head}: {_escape(_sentence(finding.reason))}{cure}\n"


def _sentence(text: str) -> str:
    return ended(plain(text, longest=_CAUSES))


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no mention of a user, no cell border."""
    return (
        _SPECIAL.sub(r"\\\1", plain(text)).replace("\\@", "@\u200b").replace("\\<", "&lt;").replace("\\>", "&gt;")
    )


def _fitted(text: str, room_bytes: int) -> bytes:
    whole = text.encode()
    if len(whole) <= room_bytes:
        return whole
    room = room_bytes - len(_CUT.encode())
    if room < 0:
        return b""
    # Up to a whole line, so that no character and no cell is cut in two.
    return whole[: whole.rfind(b"\n", 0, room) + 1] + _CUT.encode()
