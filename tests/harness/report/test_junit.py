"""JUnit XML: the shape that readers demand, one test case a gate, and no text that could break out of it."""

import re
from xml.etree import ElementTree

import pytest

from harness.model import Finding, Status
from harness.report.judged import Judged
from harness.report.junit import render_junit
from tests.harness.report.judgements import NASTY, judged, nasty, nothing, of_every_kind, p, unseen
from tests.harness.results import finding

DECIMAL = r"\d+(\.\d+)?"
COUNT = r"\d+"
TEXT = r"(?s).*"
# jenkins-junit.xsd: element → (attributes with their form, those required, children in order).
SHAPE: dict[str, tuple[dict[str, str], set[str], list[str]]] = {
    "testsuites": (
        {"name": TEXT, "time": DECIMAL, "tests": COUNT, "failures": COUNT, "disabled": COUNT, "errors": COUNT},
        set(),
        ["testsuite"],
    ),
    "testsuite": (
        {
            "name": TEXT,
            "tests": COUNT,
            "failures": COUNT,
            "errors": COUNT,
            "time": DECIMAL,
            "disabled": COUNT,
            "skipped": COUNT,
            "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
            "hostname": TEXT,
            "id": TEXT,
            "package": TEXT,
        },
        {"name", "tests"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": ({}, set(), ["property"]),
    "property": ({"name": TEXT, "value": TEXT}, {"name", "value"}, []),
    "testcase": (
        {"name": TEXT, "assertions": TEXT, "time": DECIMAL, "classname": TEXT, "status": TEXT},
        {"name"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": ({"type": TEXT, "message": TEXT}, set(), []),
    "error": ({"type": TEXT, "message": TEXT}, set(), []),
    "skipped": ({"message": TEXT}, set(), []),
    "system-out": ({}, set(), []),
    "system-err": ({}, set(), []),
}


def check_shape(element: ElementTree.Element) -> None:
    """Fail unless the element and all below it are as the schema wants them."""
    attributes, required, children = SHAPE[element.tag]
    assert required <= set(element.attrib), element.tag
    for name, value in element.attrib.items():
        assert re.fullmatch(attributes[name], value), (element.tag, name, value)
    ranks = [children.index(child.tag) for child in element]
    assert sorted(ranks) == ranks, element.tag
    for child in element:
        check_shape(child)


@pytest.mark.parametrize("made", [of_every_kind(), nasty(), nothing(), judged()], ids=str.__class__)
def test_the_shape_is_what_jenkins_publishes(made: Judged) -> None:
    root = ElementTree.fromstring(render_junit(made))
    check_shape(root)
    suite = root[0]
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"), ("tests", "testcase")):
        assert int(suite.get(name, "")) == len(list(suite.iter(tag))), name


def test_each_gate_is_a_test_case_with_the_outcome_that_readers_know() -> None:
    root = ElementTree.fromstring(render_junit(of_every_kind()))
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert {
        "p50": ["system-out"],
        "p95": ["failure"],
        "p99": ["failure"],
        "p999": ["skipped"],
        "late": ["error"],
        "pool-use": ["skipped"],
    } == cases
    messages = {case.get("name"): case[0].get("message") for case in root.iter("testcase")}
    assert "FAIL: 612 ms (569–661 ms), wanted < 200 ms" == messages["p95"]
    assert "not judged: the target gave no figures of its own." == messages["pool-use"]
    failure = next(root.iter("failure"))
    assert failure.text is not None
    assert "30 of 300 polls took 200 ms or longer." in failure.text
    assert "remedy: a cure." in failure.text


@pytest.mark.parametrize(
    ("findings", "outcomes"),
    [
        # No request at all is let pass by nobody, so the verdict is no PASS.
        ([finding(p("p50"), Status.PASS, 0.004), unseen(n=0)], {"p50": ["system-out"], "p99": ["failure"]}),
        # A baseline that is yet to grow is let pass, but nothing rests on it alone.
        ([unseen(n=None)], {"p99": ["skipped"], "verdict": ["failure"]}),
        ([], {"verdict": ["failure"]}),
    ],
    ids=["no-request", "no-baseline", "no-gate"],
)
def test_a_verdict_that_is_no_pass_is_never_a_green_suite(
    findings: list[Finding], outcomes: dict[str, list[str]]
) -> None:
    suite = ElementTree.fromstring(render_junit(judged(*findings)))[0]
    check_shape(suite)
    assert outcomes == {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert ("1", "0", str(len(outcomes))) == (suite.get("failures"), suite.get("errors"), suite.get("tests"))
    if "verdict" in outcomes:
        assert "INCONCLUSIVE: Because." == next(suite.iter("failure")).get("message")


def test_hostile_texts_stay_text() -> None:
    document = render_junit(nasty()).decode()
    root = ElementTree.fromstring(document)
    case = next(root.iter("testcase"))
    assert "x</failure>]]> ::error::owned|`a`<b> [31m" in str(case.get("name"))
    assert "\x00" not in document
    assert "\ufffe" not in document
    assert NASTY not in document


def test_the_time_stamp_is_utc_without_a_zone() -> None:
    told = ElementTree.fromstring(render_junit(judged(at_utc="2026-11-23T10:30:00+02:00")))[0]
    assert "2026-11-23T08:30:00" == told.get("timestamp")
    untold = ElementTree.fromstring(render_junit(judged(at_utc=None, duration_s=None)))[0]
    assert None is untold.get("timestamp")
    assert "0.000" == untold.get("time")
