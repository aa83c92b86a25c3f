"""What differs between runs besides what they were made to compare: named before anything is compared."""

from collections.abc import Callable, Sequence

from harness.history_model import HistoryRecord

_SHOWN = 4
"""Values of one kind that a sentence names."""

_FACTS: tuple[tuple[str, Callable[[HistoryRecord], str | None]], ...] = (
    ("scenario", lambda record: record.scenario),
    ("settings or target (digest of the scenario)", lambda record: record.scenario_digest),
    ("target", lambda record: record.target),
    ("kind of machine", lambda record: record.environment_key),
    ("branch", lambda record: record.branch),
    ("version of the target", lambda record: record.version),
    ("version of the harness", lambda record: record.extra.get("harness")),
    ("source", lambda record: record.source),
)


def differences(baseline: Sequence[HistoryRecord], contenders: Sequence[HistoryRecord]) -> tuple[str, ...]:
    """
    Name what the contenders have that no run of the baseline has, or the other way round.

    Args:
        baseline: any number of runs.
        contenders: any number of runs.

    Returns:
        One sentence a fact. What neither side knows is no difference. The commit is none either: it is what is
        compared.
    """
    if not baseline or not contenders:
        return ()
    facts = [(name, [pick(r) for r in baseline], [pick(r) for r in contenders]) for name, pick in _FACTS]
    names = sorted({name for record in (*baseline, *contenders) for name in record.environment})
    facts += [
        (name, [r.environment.get(name) for r in baseline], [r.environment.get(name) for r in contenders])
        for name in names
    ]
    found = [
        f"{name}: {_values(old)} in the baseline, {_values(new)} in {_whom(contenders)}."
        for name, old, new in facts
        if set(old) != set(new) and not set(new) < set(old)
    ]
    return (*found, *_uncommitted(baseline, contenders))


def _uncommitted(baseline: Sequence[HistoryRecord], contenders: Sequence[HistoryRecord]) -> tuple[str, ...]:
    old, new = (sum(bool(record.dirty) for record in side) for side in (baseline, contenders))
    lines = []
    if new:
        commits = _values([record.commit and record.commit[:12] for record in contenders if record.dirty])
        lines.append(f"uncommitted changes: {new} of {len(contenders)} contenders had them on top of {commits}.")
    if old and not new:
        lines.append(f"uncommitted changes: {old} of {len(baseline)} runs of the baseline had them.")
    return tuple(lines)


def _whom(contenders: Sequence[HistoryRecord]) -> str:
    return "the contender" if len(contenders) == 1 else "the contenders"


def _values(values: Sequence[str | None]) -> str:
    named = list(dict.fromkeys("unknown" if value is None else value for value in values))
    more = len(named) - _SHOWN
    return " or ".join(named[:_SHOWN]) + (f" or {more} others" if more > 0 else "")
