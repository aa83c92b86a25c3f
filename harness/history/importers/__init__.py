"""
Other tools' files as records. A format is recognised by what is in a file, never by its name.

Each importer returns an account: the records, and what it did not understand, counted. Nothing is judged here, and
no value invented: what a file does not tell is None.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.history.importers import (
    asv,
    bencher,
    github_action_benchmark,
    hyperfine,
    k6,
    locust,
    own,
    pytest_benchmark,
)
from harness.history.importers.reading import Account, NotThisFormatError, Source, read_json

SUFFIXES = frozenset({".json", ".js", ".csv"})
"""Files of a folder that are looked into."""

FORMATS = (
    "records, exports and results of this harness, pytest-benchmark, github-action-benchmark (array and data.js), "
    "Locust (_stats.csv, _stats_history.csv, --json), k6 summaries, asv results, hyperfine, Bencher BMF"
)


@dataclass(frozen=True, slots=True)
class _Importer:
    """How one format of JSON is known, and read."""

    looks_like: Callable[[object], bool]
    read: Callable[[Source], Account]


# The stricter first: an object of objects could be many things.
_IMPORTERS = (
    _Importer(own.looks_like, own.read),
    _Importer(pytest_benchmark.looks_like, pytest_benchmark.read),
    _Importer(github_action_benchmark.looks_like, github_action_benchmark.read),
    _Importer(locust.looks_like, locust.read_stats),
    _Importer(k6.looks_like, k6.read),
    _Importer(asv.looks_like, asv.read),
    _Importer(hyperfine.looks_like, hyperfine.read),
    _Importer(bencher.looks_like, bencher.read),
)


def import_source(source: Source) -> Account | None:
    """
    Import one file.

    Returns:
        None for a file that only belongs to others that are imported, such as asv's ``machine.json``.

    Raises:
        NotThisFormatError: the content is of no format that is known, or torn. The text says what it is not.
    """
    if not source.content.strip():
        raise NotThisFormatError("empty")
    if github_action_benchmark.DATA_MARK in source.content[:1000]:
        return github_action_benchmark.read(source)
    if locust.looks_like_csv(source.content):
        return locust.read_csv(source)
    document = read_json(source)
    for importer in _IMPORTERS:
        if importer.looks_like(document):
            return importer.read(source)
    if asv.is_beside(document):
        return None
    raise NotThisFormatError(f"of no known format; known are: {FORMATS}")


def files_in(path: Path) -> Iterator[Path]:
    """Yield the files of a folder, and of those in it, that may be of a known format; a file yields itself."""
    if not path.is_dir():
        yield path
        return
    for found in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
        if found.suffix in SUFFIXES and found.is_file() and not hidden:
            yield found
