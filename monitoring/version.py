"""The version of this library, looked up only when somebody asks."""

import functools
from importlib import metadata


@functools.cache
def version() -> str:
    """Return the installed version; ``unknown`` when run from a bare checkout."""
    try:
        return metadata.version("pollgauge")
    except metadata.PackageNotFoundError:
        return "unknown"
