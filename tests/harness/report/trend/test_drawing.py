"""The two drawings of a scene: the files of matplotlib and the page's own SVG."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from harness.report.charts_trend import scene_figure, write_scene
from harness.report.trend.chart import Settings, lay_out
from harness.report.trend.groups import groups_of
from harness.report.trend.scene import Label, cut, text_width, wrapped
from harness.report.trend.svg import StyleBook, scene_svg
from tests.harness.report.trend.shapes import SHAPES, notes_for


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_drawn_both_ways(name: str) -> None:
    (group,) = groups_of(SHAPES[name])
    scene = lay_out(group, Settings(), notes=notes_for(name)).scene
    FigureCanvasAgg(scene_figure(scene)).draw()
    book = StyleBook()
    root = ET.fromstring(scene_svg(scene, book, kind="wide"))
    assert len(scene.labels) == len(root.findall("text"))
    assert [label.text for label in scene.labels] == [text.text for text in root.findall("text")]
    used = {child.get("class") for child in root}
    assert used == set(re.findall(r"^\.(k\d+)\{", book.sheet(), re.MULTILINE))


@pytest.mark.parametrize("name", ["three quantiles", "gaps, outliers and lost runs", "nine decades"])
def test_labels_take_no_more_room_than_the_layout_gave_them(name: str) -> None:
    """The layout measures by a table of widths: matplotlib's own measure has to agree."""
    (group,) = groups_of(SHAPES[name])
    figure = scene_figure(lay_out(group, Settings()).scene)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text():
            drawn = text.get_window_extent(canvas.get_renderer()).width
            size = text.get_fontsize() / 0.72
            bold = text.get_fontweight() == "bold"
            assert drawn <= 1.04 * text_width(text.get_text(), size, bold=bold) + 2, text.get_text()


def test_the_same_scene_makes_the_same_files(tmp_path: Path) -> None:
    (group,) = groups_of(SHAPES["gaps, outliers and lost runs"])
    scene = lay_out(group, Settings()).scene
    first = [path.read_bytes() for path in write_scene(scene, tmp_path / "a", ("png", "svg"))]
    assert first == [path.read_bytes() for path in write_scene(scene, tmp_path / "b", ("png", "svg"))]
    assert ["a.png", "a.svg", "b.png", "b.svg"] == sorted(path.name for path in tmp_path.iterdir())
    assert first[0].startswith(b"\x89PNG")
    assert 20_000 < len(first[0]) < 100_000
    assert len(first[1]) < 60_000


def test_text_is_cut_and_wrapped_to_its_room() -> None:
    assert "short" == cut("short", 100.0, 12.0)
    long = cut("a very long text indeed", 60.0, 12.0)
    assert long.endswith("…")
    assert text_width(long, 12.0) <= 60.0
    assert "" == cut("x", 1.0, 12.0)
    assert ["a b", "c d"] == wrapped("a b c d", text_width("a b ", 12.0), 12.0, most=3)
    lines = wrapped("word " * 50, 100.0, 12.0, most=2)
    assert 2 == len(lines)
    assert lines[1].endswith("…")
    assert [""] == wrapped("", 100.0, 12.0, most=2)


def test_boxes_of_labels() -> None:
    label = Label("abc", 100.0, 50.0, "end", size=10.0)
    assert (100.0 - text_width("abc", 10.0), 45.0, 100.0, 55.0) == label.box
    assert text_width("abc", 10.0, bold=True) > text_width("abc", 10.0)
