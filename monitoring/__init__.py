"""
Monitoring for a FastAPI + SQLAlchemy service, installed in one line.

::

    from monitoring import instrument

    instrument(app, engine)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitoring.install import Handle, instrument, uninstrument
    from monitoring.settings import Settings

__all__ = ["Handle", "Settings", "instrument", "uninstrument"]

_HOMES = {
    "Handle": "monitoring.install",
    "Settings": "monitoring.settings",
    "instrument": "monitoring.install",
    "uninstrument": "monitoring.install",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command line and readers of logs need no web framework."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
