"""Markdown for summaries and comments: complete, within the limits, and inert."""

from harness.model import Status
from harness.report.markdown import (
    COMMENT_LIMIT_BYTES,
    SUMMARY_LIMIT_BYTES,
    marker,
    render_comment,
    render_summary,
)
from tests.harness.report.judgements import judged, nasty, nothing, of_every_kind, p
from tests.harness.results import finding


def test_every_gate_stands_in_the_table_with_its_verdict() -> None:
    text = render_summary(of_every_kind()).decode()
    assert text.startswith("## FAIL: agent-polling\n\nBecause.\n")
    rows = [line for line in text.splitlines() if line.startswith(("| p", "| late"))]
    assert ["PASS", "**FAIL**", "**INCONCLUSIVE**", "**INCONCLUSIVE**", "**INVALID**"] == [
        row.split(" | ")[-1].removesuffix(" |") for row in rows
    ]
    assert "- **p95** (FAIL): 30 of 300 polls took 200 ms or longer. _Remedy: a cure._" in text
    assert "- pool-use: the target gave no figures of its own." in text


def test_a_comment_begins_with_the_marker_that_stays_the_same() -> None:
    assert "<!-- harness: agent-polling-embedded -->" == marker(of_every_kind())
    assert render_comment(of_every_kind()).startswith(b"<!-- harness: agent-polling-embedded -->\n## FAIL")
    assert render_comment(nothing()).startswith(b"<!-- harness: agent-polling-embedded -->\n## INCONCLUSIVE")


def test_a_marker_can_not_be_broken_out_of() -> None:
    line = marker(nasty())
    assert 1 == line.count("-->")
    assert "\n" not in line


def test_what_is_too_long_is_cut_at_a_line_with_a_sentence() -> None:
    many = judged(*(finding(p(f"gate-{i}"), Status.FAIL, 0.3, reason="é" * 4000) for i in range(400)))
    for rendered, limit in (
        (render_comment(many), COMMENT_LIMIT_BYTES),
        (render_summary(many), SUMMARY_LIMIT_BYTES),
        (render_summary(many, room_bytes=300), 300),
    ):
        assert len(rendered) <= limit
        lines = rendered.decode().rstrip().splitlines()
        assert lines[-1].startswith("_The rest was cut")
    assert len(render_comment(many)) > COMMENT_LIMIT_BYTES - 20_000


def test_nothing_is_written_where_there_is_no_room_for_a_sentence() -> None:
    assert b"" == render_summary(of_every_kind(), room_bytes=20)
    assert b"" == render_summary(of_every_kind(), room_bytes=-5)


def test_what_fits_to_the_byte_is_not_cut() -> None:
    whole = render_summary(of_every_kind())
    assert whole == render_summary(of_every_kind(), room_bytes=len(whole))
    assert whole != render_summary(of_every_kind(), room_bytes=len(whole) - 1)


def test_hostile_texts_make_no_markup_no_mention_and_no_cell() -> None:
    text = render_summary(nasty()).decode()
    assert "<b>" not in text
    assert "@team" not in text
    row = next(line for line in text.splitlines() if line.startswith("| x"))
    assert 8 == row.replace("\\|", "").count("|")
