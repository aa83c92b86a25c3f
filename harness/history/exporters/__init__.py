"""
A history as files of other tools.

``json`` loses nothing and can be imported again; ``csv`` has every figure and no distribution; what
``github-action-benchmark`` gets it draws, one chart a figure.
"""

from collections.abc import Callable, Iterable
from typing import TextIO

from harness.history.exporters.flat import write_csv, write_flat
from harness.history.exporters.github_action_benchmark import write_data_js
from harness.history_model import HistoryRecord

EXPORTERS: dict[str, Callable[[Iterable[HistoryRecord], TextIO], None]] = {
    "json": write_flat,
    "csv": write_csv,
    "github-action-benchmark": write_data_js,
}
"""Name of the format → what writes records, the oldest first, in it."""
