"""
Where in the service's own code a call came from, cheaply enough to ask at every checkout.

Walks the frames outwards to the first one that is neither ours nor a library's, and keeps only its code object and
line number: text is made when somebody reads it. A frame itself is never kept, it would keep its variables alive.
"""

import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_LIBRARIES = tuple(
    {
        str(Path(path).resolve()) + "/"
        for path in (
            sysconfig.get_path("stdlib"),
            sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"),
            Path(__file__).parent.parent,
        )
    }
)
_MAX_FRAMES = 100
_MAX_KNOWN = 20_000

# By file, whose name keeps its hash: that of a code object is worked out anew from all of its contents, which made
# up most of the walk.
_libraries: set[str] = set()
_own: set[str] = set()

Site = tuple[CodeType, int]
"""A code object and a line number."""


def call_site() -> Site | None:
    """Return the nearest place outside libraries that led here; None when there is none."""
    frame: FrameType | None = sys._getframe(1)  # documented, though underscored; inspect's is slower
    site = _search(frame)
    if site is None:
        # In SQLAlchemy's greenlet the frames end where it was switched to; the caller is in the parent.
        parent = _parent_frame()
        if parent is not None:
            site = _search(parent)
    return site


def describe(site: Site | None) -> str:
    """Return ``file:line in function``, the file relative to the working directory where it lies in it."""
    if site is None:
        return "unknown"
    code, line = site
    path = Path(code.co_filename)
    try:
        shown = str(path.relative_to(Path.cwd()))
    except ValueError:
        shown = str(path)
    return f"{shown}:{line} in {code.co_name}"


def _search(frame: FrameType | None) -> Site | None:
    libraries = _libraries
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return None
        code = frame.f_code
        file = code.co_filename
        if file not in libraries and (file in _own or not _is_library(file)):
            return code, frame.f_lineno
        frame = frame.f_back
    return None


def _is_library(file: str) -> bool:
    library = file.startswith("<") or file.startswith(_LIBRARIES)
    known = _libraries if library else _own
    if len(known) < _MAX_KNOWN:
        known.add(file)
    return library


def _parent_frame() -> FrameType | None:
    greenlet: Any = sys.modules.get("greenlet")
    if greenlet is None:
        return None
    parent = greenlet.getcurrent().parent
    frame: FrameType | None = parent.gr_frame if parent is not None else None
    return frame
