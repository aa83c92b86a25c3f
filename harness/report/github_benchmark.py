"""
A verdict's figures as the arrays that github-action-benchmark and GitLab's metrics report read.

Source: https://github.com/benchmark-action/github-action-benchmark (``customSmallerIsBetter`` and
``customBiggerIsBetter``); https://docs.gitlab.com/ci/testing/metrics_reports/ (OpenMetrics text).
"""

import json
import math
import re

from harness.model import Finding, Status
from harness.report.judged import Judged
from harness.report.words import plain

_STATUS_NUMBERS = {Status.PASS: 0, Status.FAIL: 3, Status.INCONCLUSIVE: 4, Status.INVALID: 5}
_ESCAPED = re.compile(r'[\\"\n]')


def render_github_benchmark(judged: Judged, *, bigger_is_better: bool = False) -> bytes:
    """
    Return the figures of one direction as a JSON array of ``{name, unit, value, range?, extra?}``.

    The tool takes one direction a file. A figure that was not measured, or is infinite because so many polls
    failed, is left out: the tool has no word for it.

    Args:
        judged: the verdict.
        bigger_is_better: which of the two directions.
    """
    entries = []
    for figure in judged.figures:
        if figure.bigger_is_better is not bigger_is_better:
            continue
        entry: dict[str, str | float] = {"name": figure.name, "unit": figure.unit, "value": figure.value}
        if figure.spread is not None:
            entry["range"] = figure.spread
        if figure.note is not None:
            entry["extra"] = f"{figure.note}; {judged.id}"
        entries.append(entry)
    return json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def render_openmetrics(judged: Judged) -> bytes:
    """
    Return measured values, limits and statuses as OpenMetrics text, in base units.

    A gate that measured nothing has a status and no value: a missing line is "unknown", and never 0.
    """
    families = {
        "harness_gate_measured": ("What a gate measured, in its base unit.", _measured),
        "harness_gate_limit": ("What a gate compared it with.", lambda finding: finding.gate.limit),
        "harness_gate_status": (
            "The exit code that the gate alone would give: 0 pass, 3 fail, 4 inconclusive, 5 invalid.",
            lambda finding: float(_STATUS_NUMBERS[finding.status]),
        ),
    }
    lines: list[str] = []
    for name, (told, pick) in families.items():
        lines += [f"# TYPE {name} gauge", f"# HELP {name} {told}"]
        for finding in judged.verdict.findings:
            value = pick(finding)
            if value is not None:
                lines.append(f"{name}{{{_labels(finding)}}} {_number(value)}")
    return "".join(f"{line}\n" for line in [*lines, "# EOF"]).encode()


def _measured(finding: Finding) -> float | None:
    return finding.measured


def _labels(finding: Finding) -> str:
    gate = finding.gate
    labels = {"gate": gate.name, "metric": gate.metric, "subject": gate.subject, "unit": gate.unit}
    return ",".join(f'{name}="{_escape(plain(value))}"' for name, value in labels.items())


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda found: {"\\": "\\\\", '"': '\\"', "\n": "\\n"}[found.group()], text)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(float(value))
