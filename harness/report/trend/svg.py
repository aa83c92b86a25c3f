"""Scenes as inline SVG: small, themed by the page's style sheet, the same drawing as the files of matplotlib."""

from collections.abc import Iterable
from html import escape

from harness.report.trend.scene import Area, Bars, Item, Label, Look, Marks, Place, Scene


class StyleBook:
    """
    Collects the looks of a page's drawings and names each once.

    A page with a hundred charts uses some thirty looks: as rules of a style sheet they take their place once, and
    a content security policy need not allow style attributes.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name_of(self, rule: str) -> str:
        """Return the class that stands for some declarations."""
        return self._names.setdefault(rule, f"k{len(self._names)}")

    def sheet(self) -> str:
        """Return the style rules collected so far."""
        return "\n".join(f".{name}{{{rule}}}" for rule, name in self._names.items())


def scene_svg(scene: Scene, book: StyleBook, *, kind: str) -> str:
    """
    Return a scene as an ``<svg>`` element, hidden from screen readers: the page tells them its caption instead.

    Args:
        scene: what to draw.
        book: takes the looks.
        kind: class of the element.
    """
    parts = "".join(part for item in scene.items for part in _parts(item, book))
    return (
        f'<svg class="{kind}" aria-hidden="true" focusable="false"'
        f' viewBox="0 0 {_n(scene.width)} {_n(scene.height)}">{parts}</svg>'
    )


def _parts(item: Item, book: StyleBook) -> Iterable[str]:
    if isinstance(item, Label):
        yield _text(item, book)
    elif isinstance(item, Bars):
        d = "".join(f"M{_n(x)} {_n(a)}V{_n(b)}" for x, a, b in item.spans)
        yield _path(d, _rule(item.look), book)
    elif isinstance(item, Marks):
        yield from _marks(item, book)
    else:
        d = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in item.places)
        yield _path(d + ("Z" if isinstance(item, Area) else ""), _rule(item.look), book)


def _text(label: Label, book: StyleBook) -> str:
    rule = f"fill:var(--plot-{label.colour});font-size:{_n(label.size)}px"
    rule += ";font-weight:700" if label.bold else ""
    rule += "" if label.anchor == "start" else f";text-anchor:{label.anchor}"
    baseline = label.y + 0.36 * label.size
    return f'<text class="{book.name_of(rule)}" x="{_n(label.x)}" y="{_n(baseline)}">{escape(label.text)}</text>'


def _rule(look: Look) -> str:
    rule = "fill:none" if look.fill is None else f"fill:var(--plot-{look.fill})"
    if look.stroke is not None:
        rule += f";stroke:var(--plot-{look.stroke});stroke-width:{_n(look.width)}"
    if look.dash:
        rule += f";stroke-dasharray:{' '.join(map(_n, look.dash))}"
    return rule + (f";opacity:{look.opacity:g}" if look.opacity < 1 else "")


def _path(d: str, rule: str, book: StyleBook) -> str:
    return f'<path class="{book.name_of(rule)}" d="{d}"/>'


def _marks(marks: Marks, book: StyleBook) -> Iterable[str]:
    if marks.shape == "dot":
        yield from _dots(marks, book)
        return
    outline = _OUTLINES[marks.shape](marks.size)
    yield _path("".join(f"M{_n(x)} {_n(y)}{outline}" for x, y in marks.places), _rule(marks.look), book)


def _dots(marks: Marks, book: StyleBook) -> Iterable[str]:
    """Draw dots as strokes without length and with round ends: a dozen bytes each."""
    look = marks.look
    if look.fill is None:
        r = _n(marks.size / 2)
        ring = f"m-{r} 0a{r} {r} 0 1 0 {_n(marks.size)} 0a{r} {r} 0 1 0-{_n(marks.size)} 0"
        yield _path("".join(f"M{_n(x)} {_n(y)}{ring}" for x, y in marks.places), _rule(look), book)
        return
    d = _spots(marks.places)
    faded = f";opacity:{look.opacity:g}" if look.opacity < 1 else ""
    if look.stroke is not None:
        yield _path(d, _round(look.stroke, marks.size + look.width) + faded, book)
        yield _path(d, _round(look.fill, marks.size - look.width) + faded, book)
    else:
        yield _path(d, _round(look.fill, marks.size) + faded, book)


def _spots(places: Iterable[Place]) -> str:
    return "".join(f"M{_n(x)} {_n(y)}h0" for x, y in places)


def _round(colour: str, width: float) -> str:
    return f"fill:none;stroke:var(--plot-{colour});stroke-width:{_n(width)};stroke-linecap:round"


def _square(size: float) -> str:
    h = size * 0.44
    return f"m{_n(-h)} {_n(-h)}h{_n(2 * h)}v{_n(2 * h)}h{_n(-2 * h)}z"


def _triangle(size: float) -> str:
    h = size / 2
    return f"m0 {_n(-h)}l{_n(h)} {_n(size)}h{_n(-size)}z"


def _down(size: float) -> str:
    h = size / 2
    return f"m0 {_n(h)}l{_n(h)} {_n(-size)}h{_n(-size)}z"


def _diamond(size: float) -> str:
    h = size / 2
    return f"m0 {_n(-h)}l{_n(h)} {_n(h)}l{_n(-h)} {_n(h)}l{_n(-h)} {_n(-h)}z"


def _cross(size: float) -> str:
    h = size / 2
    return f"m{_n(-h)} {_n(-h)}l{_n(size)} {_n(size)}m{_n(-size)} 0l{_n(size)} {_n(-size)}"


_OUTLINES = {
    "square": _square,
    "triangle": _triangle,
    "up": _triangle,
    "down": _down,
    "diamond": _diamond,
    "cross": _cross,
}


def _n(value: float) -> str:
    """Write a coordinate to a tenth of a unit, without needless characters."""
    return f"{value:.1f}".removesuffix(".0").replace("-0.", "-.") if value else "0"
