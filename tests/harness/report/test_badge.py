"""The badge: well-formed, self-contained, readable on white and on black, wide enough for its text."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont

from harness.model import Status
from harness.report.badge import badge_text, render_badge
from harness.report.judged import Judged
from tests.harness.report.judgements import judged, nasty, nothing, of_every_kind, p
from tests.harness.results import finding

SVG = "{http://www.w3.org/2000/svg}"


def gates(status: Status, *names: str) -> Judged:
    return judged(finding(p("held"), Status.PASS, 0.1), *(finding(p(name), status, 0.3) for name in names))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (gates(Status.PASS, "p95"), "pass, 2 of 2"),
        (gates(Status.FAIL, "p95"), "fail: p95"),
        (gates(Status.FAIL, "p95", "p99"), "fail: p95 and p99"),
        (gates(Status.FAIL, "p95", "p99", "pool-use"), "fail, 3 of 4"),
        (gates(Status.INCONCLUSIVE, "p99"), "inconclusive: p99"),
        (gates(Status.INVALID, "p99"), "invalid: p99"),
        (judged(finding(p("p95"), Status.PASS, 0.1), not_judged={"pool-use": "why"}), "pass, 1 of 2"),
        (nothing(), "inconclusive, nothing judged"),
    ],
)
def test_the_badge_says_the_verdict_in_a_few_words(made: Judged, text: str) -> None:
    assert text == badge_text(made)


def test_a_gate_that_may_be_inconclusive_is_not_counted_as_held() -> None:
    open_one = finding(replace(p("p99"), on_inconclusive="pass"), Status.INCONCLUSIVE, 0.3)
    both = judged(finding(p("p95"), Status.PASS, 0.1), open_one)
    passed = replace(both, verdict=replace(both.verdict, status=Status.PASS))
    assert "pass, 1 of 2" == badge_text(passed)


@pytest.mark.parametrize("made", [of_every_kind(), nasty(), nothing()], ids=["every", "nasty", "nothing"])
def test_the_badge_is_one_well_formed_file_without_links(made: Judged) -> None:
    text = render_badge(made).decode()
    root = ElementTree.fromstring(text)
    assert f"{SVG}svg" == root.tag
    assert "href" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    boxes = [int(rect.get("width", "0")) for rect in root.iter(f"{SVG}g").__next__().iter(f"{SVG}rect")]
    assert int(root.get("width", "0")) == sum(boxes)
    for box, line in zip(boxes, root.iter(f"{SVG}text"), strict=True):
        assert int(line.get("textLength", "0")) < box


def test_white_text_stands_out_from_each_colour() -> None:
    """WCAG 2.1 asks for a contrast of 4.5 for text of this size."""
    for status in Status:
        for colour in re.findall(r'fill="(#[0-9a-f]{6})"', render_badge(gates(status, "p95")).decode()):
            assert 4.5 <= 1.05 / (luminance(colour) + 0.05), colour


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", ["fail", "iiiiiiiiii", "WWWWWWWWWW", "a~!@#$%^&*()_+"])
def test_the_text_has_the_room_that_its_font_takes(name: str) -> None:
    font = TTFont(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
    by_letter, units = font.getBestCmap(), font["head"].unitsPerEm
    root = ElementTree.fromstring(render_badge(gates(Status.FAIL, name)))
    told = [(line.text or "", int(line.get("textLength", "0"))) for line in root.iter(f"{SVG}text")]
    assert ["load gates", f"fail: {name}"] == [text for text, _ in told]
    for text, width_px in told:
        true_px = sum(font["hmtx"][by_letter[ord(letter)]][0] for letter in text) / units * 11
        assert abs(true_px - width_px) <= 1, text
