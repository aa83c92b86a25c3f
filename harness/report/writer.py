"""
Lines for a terminal in the form that it can take.

Colour is rich's business (none without a terminal or with ``NO_COLOR``); where the output is not UTF-8, every
character outside ASCII is replaced by a readable one.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.text import Text

from harness.model import Status

STYLES = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INVALID: "bold magenta",
}

_ASCII = str.maketrans(
    {
        "µ": "u",
        "∞": "inf",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "±": "+/-",
        "≈": "~",
        "≤": "<=",
        "≥": ">=",
        "×": "x",
        "τ": "tau",
        "·": "-",
        "▲": "^",
        "▼": "v",
        "→": "->",
        "✓": "ok",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{THIN SPACE}": " ",
    }
)
_LABEL_WIDTH = 12


class Writer:
    """Prints lines in the form that a console can take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = not console.encoding.lower().replace("-", "").startswith("utf")

    @property
    def box(self) -> box.Box:
        """The rules of a table."""
        return _ASCII_RULE if self._ascii else box.SIMPLE_HEAD

    def text(self, text: str, style: str = "") -> Text:
        """Return text that is no markup, in characters that the encoding has."""
        if self._ascii:
            text = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return Text(text, style=style)

    def line(self, label: str, text: str, style: str = "dim") -> None:
        """Print a labelled line; what does not fit goes on below its own beginning."""
        self._labelled(self.text(label, style), self.text(text))

    def verdict(self, status: Status, sentence: str) -> None:
        """Print the verdict."""
        self._console.print(Text.assemble((status.value, STYLES[status]), "  ", self.text(sentence)))

    def gate(self, name: str, status: Status, parts: Sequence[str]) -> None:
        """Print a gate's name, verdict and figures; a figure that does not fit goes on below, as a whole."""
        line = Text.assemble(self.text(name), "  ", (status.value, STYLES[status]))
        for part in map(self.text, parts):
            if len(line) + 2 + len(part) > self._console.width:
                self._console.print(line)
                line = Text.assemble("  ", part)
            else:
                line = Text.assemble(line, "  ", part)
        self._console.print(line)

    def _labelled(self, label: Text, body: Text) -> None:
        label.truncate(_LABEL_WIDTH, pad=True)
        lines = body.wrap(self._console, max(20, self._console.width - _LABEL_WIDTH - 2), overflow="fold")
        for number, line in enumerate(lines):
            line.rstrip()
            head = label if number == 0 else " " * _LABEL_WIDTH
            self._console.print(Text.assemble(head, "  ", line), soft_wrap=True)


_ASCII_RULE = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
