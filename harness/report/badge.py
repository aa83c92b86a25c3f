"""
A verdict as a small self-contained SVG badge, in the flat form that readers of READMEs know.

No font travels with it: widths come from the table of a common sans-serif, and ``textLength`` makes every reader's
own font fit them.
"""

from xml.sax.saxutils import escape, quoteattr

from harness.model import Status
from harness.report.judged import Judged, Outcome, outcome_of
from harness.report.trend.scene import text_width
from harness.report.words import names, plain

_HEIGHT = 20
_FONT_SIZE = 11
_PADDING = 6
_LONGEST = 40
_LABEL_COLOUR = "#4a4a4a"
_COLOURS = {
    Status.PASS: "#1a7f37",
    Status.FAIL: "#b3261e",
    Status.INCONCLUSIVE: "#8a5a00",
    Status.INVALID: "#7b3fa0",
}
"""Dark enough for white text (contrast of 4.5 and more), light enough to stand out on a dark page."""


def render_badge(judged: Judged, *, label: str = "load gates") -> bytes:
    """
    Return the badge.

    Args:
        judged: the verdict.
        label: left half.
    """
    left, right = plain(label, longest=_LONGEST), plain(badge_text(judged), longest=_LONGEST)
    left_text, right_text = _width(left), _width(right)
    left_box, right_box = left_text + 2 * _PADDING, right_text + 2 * _PADDING
    width = left_box + right_box
    title = escape(f"{left}: {right}")
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" \
aria-label={quoteattr(f"{left}: {right}")}>
<title>{title}</title>
<clipPath id="r"><rect width="{width}" height="{_HEIGHT}" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left_box}" height="{_HEIGHT}" fill="{_LABEL_COLOUR}"/>
<rect x="{left_box}" width="{right_box}" height="{_HEIGHT}" fill="{_COLOURS[judged.verdict.status]}"/>
</g>
<rect x=".5" y=".5" width="{width - 1}" height="{_HEIGHT - 1}" rx="3" fill="none" stroke="#fff" \
stroke-opacity=".25"/>
<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="{_FONT_SIZE}">
<text x="{_PADDING}" y="14" textLength="{left_text}">{escape(left)}</text>
<text x="{left_box + _PADDING}" y="14" textLength="{right_text}">{escape(right)}</text>
</g>
</svg>
""".encode()


def badge_text(judged: Judged) -> str:
    """Say the verdict in the few words that a badge has room for: ``pass, 8 of 8``, ``fail: p95 and p99``."""
    status, findings = judged.verdict.status, judged.verdict.findings
    gates = len(findings) + len(judged.verdict.coverage.not_judged)
    if not findings:
        return f"{status.value.lower()}, nothing judged"
    if status is Status.PASS:
        held = sum(outcome_of(finding) is Outcome.PASSED for finding in findings)
        return f"pass, {held} of {gates}"
    told = [finding.gate.name for finding in findings if finding.status is status]
    return (
        f"{status.value.lower()}: {names(told)}"
        if 0 < len(told) <= 2
        else (f"{status.value.lower()}, {len(told)} of {gates}")
    )


def _width(text: str) -> int:
    """Return the width of a text at the badge's font size [px]."""
    return round(text_width(text, _FONT_SIZE))
