"""How series are called, chosen by pattern, and followed through a change of name."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from harness.errors import UsageError, explain
from harness.history_model import HistoryRecord, Series, SeriesKey

Renames = Mapping[str, str]
"""Old name → new one, of subjects or metrics. Each may hold one ``*``, which stands for the same text in both."""


def read_renames(pairs: Iterable[str], file: Path | None = None) -> dict[str, str]:
    """
    Read changes of name as a user gives them.

    Args:
        pairs: each ``OLD=NEW``, split at the last ``=`` that leaves both sides something.
        file: a JSON object of old names and new ones; None for none. The pairs win.

    Raises:
        UsageError: a pair or a file that is none, or a pattern with more than one ``*``.
    """
    renames = {} if file is None else _renames_in(file)
    for pair in pairs:
        old, _, new = pair.rpartition("=")
        if not old.strip() or not new.strip():
            need = "OLD=NEW, such as '/old/*=/new/*'"
            raise UsageError(
                explain("option", "--rename", fault="not a change of name", got=repr(pair), need=need)
            )
        renames[old.strip()] = new.strip()
    for old, new in renames.items():
        if old.count("*") > 1 or new.count("*") > old.count("*"):
            fault = "one * at most, and in the new name only when it is in the old one"
            raise UsageError(explain("option", "--rename", fault=fault, got=f"{old}={new}"))
    return renames


def matches(text: str, patterns: Iterable[str]) -> bool:
    """
    Tell whether a name is one of the patterns'.

    Args:
        text: the whole name.
        patterns: ``*`` stands for any text; every other character for itself, brackets too.
    """
    return any(_regex(pattern).fullmatch(text) for pattern in patterns)


def without_match(patterns: Iterable[str], names: Collection[str]) -> dict[str, str]:
    """Return the patterns that fit none of these names: pattern → that, and which name may be meant."""
    fit_nothing = [pattern for pattern in patterns if not any(matches(name, (pattern,)) for name in names)]
    near = {pattern: difflib.get_close_matches(pattern, names, n=1) for pattern in fit_nothing}
    return {
        pattern: "fits no figure that was measured" + (f"; did you mean '{found[0]}'" if found else "")
        for pattern, found in near.items()
    }


def rename(name: str, renames: Renames) -> str:
    """
    Return what a subject or metric is called now: the exact entry first, then the first pattern that fits.

    A chain (a became b, b became c) is followed to its end; a circle ends where it closes.
    """
    seen = {name}
    while True:
        found = _renamed_once(name, renames)
        if found is None or found in seen:
            return name
        name = found
        seen.add(name)


def quantile_text(quantile: float | None) -> str:
    """Return ``p95`` for 0.95, ``p99.9`` for 0.999, nothing for a figure that is no quantile."""
    return f"p{quantile * 100:.10g}" if quantile else ""


def scenario_text(record: HistoryRecord) -> str:
    """Return a record's scenario as `SeriesKey` has it: name and the first six characters of the digest."""
    parts = (record.scenario or "", (record.scenario_digest or "")[:6])
    return "@".join(part for part in parts if part)


def full_name(key: SeriesKey) -> str:
    """Return a series' name with all that tells it from others: it stays the same whatever else is shown."""
    scenario = f" [{key.scenario}]" if key.scenario else ""
    environment = f" on {key.environment_key}" if key.environment_key else ""
    return f"{short_name(key)}{scenario}{environment}"


def short_name(key: SeriesKey) -> str:
    """Return subject, metric and quantile: enough where each was measured in one way on one kind of machine."""
    return " ".join(part for part in (key.subject, key.metric, quantile_text(key.quantile)) if part)


def is_called(series: Series, pattern: str) -> bool:
    """Tell whether a pattern names a series: by its label, or by the names that stay when others are shown."""
    names = (series.label, short_name(series.key), full_name(series.key))
    return any(matches(name, (pattern,)) for name in names)


def labels(keys: Iterable[SeriesKey]) -> dict[SeriesKey, str]:
    """
    Name series that are shown together.

    Returns:
        The short name where it is unique; with scenario, environment or both where these tell them apart.
    """
    wanted = list(keys)
    short = Counter(short_name(key) for key in wanted)
    by_scenario = Counter((short_name(key), key.scenario) for key in wanted)
    by_environment = Counter((short_name(key), key.environment_key) for key in wanted)
    found = {}
    for key in wanted:
        name = short_name(key)
        if short[name] == 1:
            found[key] = name
        elif by_scenario[name, key.scenario] == 1 and key.scenario:
            found[key] = f"{name} [{key.scenario}]"
        elif by_environment[name, key.environment_key] == 1 and key.environment_key:
            found[key] = f"{name} on {key.environment_key}"
        else:
            found[key] = full_name(key)
    return found


def _renames_in(file: Path) -> dict[str, str]:
    try:
        told = json.loads(file.read_bytes())
    except OSError as fault:
        text = f"can't be read: {fault.strerror or fault}"
        raise UsageError(explain("file", str(file), fault=text)) from fault
    except (ValueError, RecursionError) as fault:
        raise UsageError(explain("file", str(file), fault=f"not JSON: {fault}")) from fault
    if not isinstance(told, dict) or not all(isinstance(new, str) and new and old for old, new in told.items()):
        raise UsageError(explain("file", str(file), fault="not an object of old names and new ones"))
    return dict(told)


def _renamed_once(name: str, renames: Renames) -> str | None:
    if name in renames:
        return renames[name]
    for old, new in renames.items():
        found = _regex(old).fullmatch(name) if "*" in old else None
        if found is not None:
            return new.replace("*", found.group(1), 1)
    return None


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile("(.*)".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
