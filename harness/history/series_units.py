"""Units that convert into each other, under the spellings of the tools that the history reads."""

from collections.abc import Mapping

_TIME = {
    1e-12: ("ps",),
    1e-9: ("ns", "nsec", "nanosecond", "nanoseconds", "ns/op", "ns/iter"),
    1e-6: ("us", "µs", "μs", "usec", "microsecond", "microseconds", "us/iter"),
    1e-3: ("ms", "msec", "millisecond", "milliseconds", "ms/iter"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("min", "minute", "minutes"),
    3600.0: ("h", "hour", "hours"),
}
_BYTES = {
    1.0: ("bytes", "byte", "b", "B", "b/op", "B/op"),
    1e3: ("kB", "KB"),
    1e6: ("MB",),
    1e9: ("GB",),
    1024.0: ("KiB",),
    1024.0**2: ("MiB",),
    1024.0**3: ("GiB",),
}
_RATIO = {1.0: ("ratio",), 0.01: ("%", "percent")}
_PER_S = {
    1.0: ("per_s", "/s", "1/s", "Hz", "ops/s", "ops/sec", "iter/sec", "req/s", "requests/s", "rps", "op/s"),
    1e3: ("kHz",),
    1 / 60: ("per_min", "/min"),
}
_COUNT = {1.0: ("count", "")}

_CANONICAL: Mapping[str, tuple[str, float]] = {
    spelling: (unit, factor)
    for unit, table in (("s", _TIME), ("bytes", _BYTES), ("ratio", _RATIO), ("per_s", _PER_S), ("count", _COUNT))
    for factor, spellings in table.items()
    for spelling in spellings
}


def converted(value: float, factor: float) -> float:
    """Return value × factor; 13 ms become 0.013 s and not 0.013000000000000001 s."""
    return value * factor if factor >= 1 else value / round(1 / factor)


def canonical_unit(unit: str) -> tuple[str, float]:
    """
    Return the project's own unit for one of another tool, and what a value is multiplied by to be in it.

    Args:
        unit: as found, such as ``ms`` or ``ops/sec``.

    Returns:
        ``("s", 0.001)`` for ``ms``; the unit itself and 1 for one that is not known.
    """
    found = _CANONICAL.get(unit.strip())
    return (unit, 1.0) if found is None else found
