"""GitHub's workflow commands: the worst first, at most ten, and nothing that a name could smuggle in."""

from harness.model import Status
from harness.report.annotations import MOST_ANNOTATIONS, render_annotations
from tests.harness.report.judgements import judged, nasty, nothing, of_every_kind, p, unseen
from tests.harness.results import finding


def test_each_gate_that_did_not_pass_has_a_line_the_worst_first() -> None:
    lines = render_annotations(of_every_kind()).splitlines()
    assert [
        "::error title=agent-polling%3A p95 FAIL",
        "::error title=agent-polling%3A late INVALID",
        "::error title=agent-polling%3A p99 INCONCLUSIVE",
        "::warning title=agent-polling%3A p999 INCONCLUSIVE",
        "::notice title=agent-polling%3A pool-use was not judged",
    ] == [line.rpartition("::")[0] for line in lines]
    assert lines[0].endswith(
        "::612 ms (569–661 ms), wanted < 200 ms. 30 of 300 polls took 200 ms or longer.%0ARemedy: a cure."
    )


def test_a_pass_is_one_notice_and_nothing_judged_is_an_error() -> None:
    passed = judged(finding(p("p95"), Status.PASS, 0.004))
    assert "::notice title=agent-polling%3A PASS::Because.\n" == render_annotations(passed)
    assert "::error title=agent-polling%3A INCONCLUSIVE::Because.\n" == render_annotations(nothing())


def test_a_verdict_that_is_no_pass_has_an_error_among_its_lines() -> None:
    """A gate that may be inconclusive is a warning, but not where it got no request or the verdict rests on it."""
    held = finding(p("p50"), Status.PASS, 0.004)
    (alone,) = render_annotations(judged(held, unseen(n=0))).splitlines()
    assert alone.startswith("::error title=agent-polling%3A p99 INCONCLUSIVE::")
    lines = render_annotations(judged(unseen(n=None))).splitlines()
    assert "::error title=agent-polling%3A INCONCLUSIVE::Because." == lines[0]
    assert [True] == [line.startswith("::warning title=agent-polling%3A p99 INCONCLUSIVE::") for line in lines[1:]]


def test_more_than_ten_are_counted_in_the_tenth() -> None:
    many = judged(*(finding(p(f"p{i}"), Status.FAIL, 0.3) for i in range(MOST_ANNOTATIONS + 3)))
    lines = render_annotations(many).splitlines()
    assert MOST_ANNOTATIONS == len(lines)
    assert lines[-1].endswith("::4 more gates did not pass or were not judged; the step summary has them all.")
    just = judged(*(finding(p(f"p{i}"), Status.FAIL, 0.3) for i in range(MOST_ANNOTATIONS)))
    assert MOST_ANNOTATIONS == render_annotations(just).count("::error ")


def test_hostile_texts_stay_within_their_line() -> None:
    lines = render_annotations(nasty()).splitlines()
    assert 2 == len(lines)
    # The name's own "%0A" must not come out as a line break.
    assert '"%250A%2C @team%3A &' in lines[0]
    assert '"%250A, @team: &' in lines[0].partition("::")[2].partition("::")[2]
    for line in lines:
        head, _, text = line[2:].partition("::")
        assert "%250A" in text
        assert "," not in head
        assert ":" not in head
        assert "\x00" not in line
