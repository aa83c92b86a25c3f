"""
Where in the service's own code a call came from, cheaply enough to ask at every checkout.

Walks the frames outwards to the first one that is neither ours nor a library's, and keeps only its code object and
how far it has got: text is made when somebody reads it. A frame itself is never kept, it would keep its variables
alive.

Python makes an object of each frame that is looked at, and that is most of a walk's cost. So the second call from
a place looks at its frame alone, by how far out it stood the first time.
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
"""A code object and the offset of the instruction it is at."""

# Places that were found by walking: by how many frames out they stood, the code's identity (its hash is dear, see
# above; the site keeps it alive) and the instruction. A place that leads here over as many frames as before leads
# here over the same ones.
_places: dict[tuple[int, int, int], Site] = {}
_distances: list[int] = []
_MAX_PLACES = 1000
_MAX_DISTANCES = 4


def call_site() -> Site | None:
    """Return the nearest place outside libraries that led here; None when there is none."""
    for distance in _distances:
        try:
            frame = sys._getframe(distance)  # documented, though underscored; inspect's is slower
        except ValueError:  # so many there are not
            continue
        known = distance, id(frame.f_code), frame.f_lasti
        if known in _places:
            return _places[known]
    return _walk(sys._getframe(1))


def _walk(frame: FrameType) -> Site | None:
    site, distance = _search(frame)
    if site is not None:
        if len(_places) < _MAX_PLACES and (distance in _distances or len(_distances) < _MAX_DISTANCES):
            _places[distance, id(site[0]), site[1]] = site
            if distance not in _distances:
                _distances.append(distance)
    else:
        # In SQLAlchemy's greenlet the frames end where it was switched to; the caller is in the parent.
        parent = _parent_frame()
        if parent is not None:
            site, _ = _search(parent)
    return site


def describe(site: Site | None) -> str:
    """Return ``file:line in function``, the file relative to the working directory where it lies in it."""
    if site is None:
        return "unknown"
    code, offset = site
    line = next((line for start, end, line in code.co_lines() if start <= offset < end), None)
    path = Path(code.co_filename)
    try:
        shown = str(path.relative_to(Path.cwd()))
    except ValueError:
        shown = str(path)
    return f"{shown}:{line or code.co_firstlineno} in {code.co_name}"


def _search(frame: FrameType | None) -> tuple[Site | None, int]:
    """Return the nearest place of the service's own from this frame on, and how many frames out of `call_site`."""
    libraries = _libraries
    for distance in range(1, _MAX_FRAMES + 1):
        if frame is None:
            break
        code = frame.f_code
        file = code.co_filename
        if file not in libraries and (file in _own or not _is_library(file)):
            return (code, frame.f_lasti), distance
        frame = frame.f_back
    return None, 0


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
