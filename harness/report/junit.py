"""
A verdict as JUnit XML, one test case a gate: the form that GitHub's reporters, GitLab and Jenkins read.

FAIL is a failure, INVALID an error, a gate that was not judged is skipped with the reason; INCONCLUSIVE is a
failure unless the gate lets it pass, and then it is skipped. A verdict that is no PASS and rests on no gate is a
test case of its own, which fails: no suite is green whose exit code is not 0.

Source of the shape: the schema that Jenkins' xUnit plugin publishes (jenkins-junit.xsd), in its strictest reading:
order of the children, times as decimals, a time stamp without a zone (it is UTC).
"""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from harness.model import Finding
from harness.report.judged import Judged, Outcome, headline, needs_own_failure, outcome_of
from harness.report.words import ended, plain

_NOT_XML = re.compile(r"[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(judged: Judged) -> bytes:
    """
    Return the document, UTF-8 with its declaration.

    Args:
        judged: the verdict.
    """
    findings = judged.verdict.findings
    left_out = judged.verdict.coverage.not_judged
    outcomes = [outcome_of(finding) for finding in findings]
    alone = needs_own_failure(judged.verdict)
    counts = {
        "tests": str(len(findings) + len(left_out) + alone),
        "failures": str(outcomes.count(Outcome.FAILURE) + alone),
        "errors": str(outcomes.count(Outcome.ERROR)),
    }
    skipped = str(outcomes.count(Outcome.SKIPPED) + len(left_out))
    time_s = f"{judged.duration_s or 0.0:.3f}"
    root = ElementTree.Element("testsuites", {"name": "harness", **counts, "time": time_s})
    # `skipped` is an attribute of a suite, but of the root only in newer readers: left out there.
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": _clean(judged.title), **counts, "skipped": skipped, "time": time_s}
    )
    stamp = _time_stamp(judged.at_utc)
    if stamp is not None:
        suite.set("timestamp", stamp)
    _add_properties(suite, judged)
    for finding in findings:
        _add_finding(suite, judged, finding)
    for name, reason in left_out.items():
        case = _add_case(suite, judged, name)
        ElementTree.SubElement(case, "skipped", {"message": _clean(f"not judged: {ended(reason)}")})
    status = judged.verdict.status.value
    said = f"{status}: {judged.sentence}"
    if alone:
        case = _add_case(suite, judged, "verdict")
        ElementTree.SubElement(case, "failure", {"message": _clean(said), "type": status})
    lines = [said, *(f"warning: {w}" for w in judged.warnings)]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(_clean(line) for line in lines)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _add_properties(suite: ElementTree.Element, judged: Judged) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("id", judged.id), ("verdict", judged.verdict.status.value), *judged.facts):
        ElementTree.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})


def _add_case(suite: ElementTree.Element, judged: Judged, name: str) -> ElementTree.Element:
    # The time is the suite's: a gate takes none of its own, and readers add the cases up.
    return ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": _clean(f"harness.{judged.title}"), "name": _clean(name), "time": "0.000"},
    )


def _add_finding(suite: ElementTree.Element, judged: Judged, finding: Finding) -> None:
    case = _add_case(suite, judged, finding.gate.name)
    status = finding.status.value
    message = _clean(f"{status}: {headline(finding)}")
    outcome = outcome_of(finding)
    if outcome is Outcome.PASSED:
        ElementTree.SubElement(case, "system-out").text = f"{message}\n{_clean(ended(finding.reason))}"
        return
    if outcome is Outcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", {"message": _clean(f"{message}; {ended(finding.reason)}")})
        return
    told = ElementTree.SubElement(case, outcome.value, {"message": message, "type": status})
    told.text = "\n".join(_clean(line) for line in _lines(finding))


def _lines(finding: Finding) -> list[str]:
    lines = [ended(finding.reason), f"on {finding.gate.subject}"]
    return [*lines, f"remedy: {ended(finding.remedy)}"] if finding.remedy else lines


def _time_stamp(at_utc: str | None) -> str | None:
    """Return an instant in UTC without its zone, which the schema has no place for; None when it is none."""
    try:
        at = None if at_utc is None else datetime.fromisoformat(at_utc)
    except ValueError:
        return None
    if at is None:
        return None
    return (at if at.tzinfo is None else at.astimezone(UTC)).strftime("%Y-%m-%dT%H:%M:%S")


def _clean(text: str) -> str:
    """Return text without characters that XML can't hold, however escaped."""
    return _NOT_XML.sub("", plain(text))
