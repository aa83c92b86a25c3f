"""From where a run's report lies to what a page may link to."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

Link = Callable[[str | None], str | None]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def report_links(history: Path | None, page: Path) -> Link:
    """
    Return a function from `harness.history_model.Point.report` to an address for a page, None where there is none.

    Args:
        history: folder that relative reports start from; None when the history is no folder.
        page: folder that the page will lie in.
    """

    def link(report: str | None) -> str | None:
        if not report:
            return None
        if report.startswith(("https://", "http://")):
            return report
        # What else looks like an address could be a script: a record may come from anybody.
        if _SCHEME.match(report) or report.startswith(("//", "\\")) or "\0" in report:
            return None
        if Path(report).is_absolute():
            return quote(os.path.relpath(report, page))
        return None if history is None else quote(os.path.relpath(history / report, page))

    return link
