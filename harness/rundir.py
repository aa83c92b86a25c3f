"""
The run directory: which files a run leaves, and how they are written and read.

::

    runs/20261123T083000Z-3f9a/
        run.json         the Run record
        samples.jsonl    a SampleHeader, then one Sample a line, streamed while the agents poll
        generator.jsonl  one GeneratorTick a line
        notes.jsonl      one LoadNote a line, where something happened to the load itself
        pickups.jsonl    one Pickup a line, where deployments were ordered during the run
        target.jsonl     one TargetTick a line, where the target is our own
        drift.json       the watched series of a soak
        server.json      the target's own figures for the measured window, as it answered them
        evidence.json    the Reading: those figures, query plans, how the target ended
        result.json      the Result: summary, verdict, server's figures
        report.html      everything, for people
        plots/*.png      the report's plots
        target.log       what an embedded target said
        locust.log       what Locust said

While a run goes on, its folder has the suffix ``.partial``; it is renamed when everything in it is whole. A killed
run keeps its ``.partial`` folder with every line that had been written, and `harness report` reads it.
"""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

from harness.errors import HarnessError, explain
from harness.model import (
    SCHEMA_VERSION,
    GeneratorTick,
    Pickup,
    Reading,
    Result,
    Run,
    Sample,
    SampleHeader,
    TargetTick,
)
from monitoring.histogram import Histogram

PARTIAL_SUFFIX = ".partial"

_LONGEST_S = 1e9
_MOST_AGENTS = 10_000_000

_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)
"""What a line that is no record raises; the second where its text is not UTF-8."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The paths in one run's folder."""

    path: Path

    @property
    def run(self) -> Path:
        """The Run record."""
        return self.path / "run.json"

    @property
    def samples(self) -> Path:
        """The samples, one a line after a header."""
        return self.path / "samples.jsonl"

    @property
    def generator(self) -> Path:
        """The generator's health, one tick a line."""
        return self.path / "generator.jsonl"

    @property
    def pickups(self) -> Path:
        """How deployments came to their agents, one a line; only in runs that order some."""
        return self.path / "pickups.jsonl"

    @property
    def notes(self) -> Path:
        """What happened to the load itself, one a line; only where something did."""
        return self.path / "notes.jsonl"

    @property
    def target_ticks(self) -> Path:
        """How an embedded target fared, one tick a line."""
        return self.path / "target.jsonl"

    @property
    def drift(self) -> Path:
        """The series that a soak watches, and what became of each."""
        return self.path / "drift.json"

    @property
    def server(self) -> Path:
        """The target's figures as it answered them."""
        return self.path / "server.json"

    @property
    def evidence(self) -> Path:
        """What was asked of the target and its database."""
        return self.path / "evidence.json"

    @property
    def result(self) -> Path:
        """Summary and verdict."""
        return self.path / "result.json"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """Folder of the report's plots as PNG."""
        return self.path / "plots"

    @property
    def target_log(self) -> Path:
        """Output of an embedded target."""
        return self.path / "target.log"

    @property
    def locust_log(self) -> Path:
        """Output of Locust."""
        return self.path / "locust.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSamples:
    """
    What a samples file held.

    Args:
        header: its first line.
        samples: every whole sample, in file order.
        torn_lines: lines that were no sample, or one of impossible times; a killed writer leaves at most one.
    """

    header: SampleHeader
    samples: tuple[Sample, ...]
    torn_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLines(Generic[T]):
    """
    What a file of one record a line held.

    Args:
        records: every whole one, in file order.
        torn_lines: lines that were none; a killed writer leaves at most one.
    """

    records: tuple[T, ...]
    torn_lines: int


def encode(record: object) -> bytes:
    """
    Return a record of `harness.model` as one line of JSON, without the newline.

    JSON has no infinity, and null is "unknown": a quantile that failures reach is written as the text ``"inf"``.
    """
    if isinstance(record, Result):
        record = _spell_infinity(msgspec.to_builtins(record, enc_hook=_encode_histogram))
    return msgspec.json.encode(record, enc_hook=_encode_histogram)


def decode(stored: bytes, kind: type[T], *, path: Path) -> T:
    """
    Read a record of `harness.model` back.

    Args:
        stored: JSON.
        kind: class of the record.
        path: where it was read, for the error text.

    Raises:
        HarnessError: not JSON, not of this shape, or of a newer schema.
    """
    try:
        version = msgspec.json.decode(stored, type=_Versioned).schema_version
        if version is not None and version > SCHEMA_VERSION:
            raise HarnessError(
                explain(
                    "file",
                    str(path),
                    fault="written by a newer version of the harness",
                    got=f"schema {version}",
                    need=f"{SCHEMA_VERSION} or less",
                    remedy="a newer harness",
                )
            )
        # Not strict only where "inf" may stand for a number.
        return msgspec.json.decode(stored, type=kind, dec_hook=_decode_histogram, strict=kind is not Result)
    except (msgspec.DecodeError, ValueError) as fault:
        raise HarnessError(explain("file", str(path), fault=f"not a {kind.__name__} record: {fault}")) from fault


def write_atomically(path: Path, content: bytes) -> None:
    """
    Write a whole file or nothing: under a temporary name in the same folder, synced, then renamed.

    Raises:
        HarnessError: the folder can't be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path beside `path`, renamed onto it when the block ends well, removed when not.

    A link is followed, and stays. What is no regular file is refused: a rename would take its place, and as root
    even that of a device such as ``/dev/null``, for everybody on the machine.

    Raises:
        HarnessError: no regular file, the folder can't be written, or the disk is full.
    """
    temporary: Path | None = None
    try:
        place = Path(os.path.realpath(path))
        if place.exists() and not place.is_file():
            fault = "is a folder" if place.is_dir() else "is no regular file"
            need = "a path that is free, or a file"
            raise HarnessError(explain("file", str(path), fault=fault, need=need))
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=place.suffix)
        temporary = Path(name)
        os.close(handle)
        temporary.chmod(0o644)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(place)
        temporary = None
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, fault: OSError) -> HarnessError:
    """Return the error for a file or folder that can't be written."""
    return HarnessError(
        explain(
            "file",
            str(path),
            fault=f"can't be written: {fault.strerror or fault}",
            remedy="another folder with --out, or free space",
        )
    )


def require_run(directory: RunDirectory) -> None:
    """
    Refuse a path that is no run's folder.

    Raises:
        HarnessError: no such folder, a file, or a folder without a run in it; a run in reach is named.
    """
    path = directory.path
    if any(file.exists() for file in (directory.run, directory.result, directory.samples)):
        return
    fault, need = "no run's folder", "a folder that holds run.json"
    remedy = None
    if not path.exists():
        fault = "no such folder"
        partial = path.with_name(path.name + PARTIAL_SUFFIX) if path.name else path
        remedy = str(partial) if partial.is_dir() and path.name else None
    elif not path.is_dir():
        fault = "a file"
        remedy = str(path.parent) if RunDirectory(path.parent).run.exists() else None
    else:
        inside = sorted(child.name for child in path.iterdir() if RunDirectory(child).run.exists())
        remedy = f"one of the {len(inside)} in it, such as {path / inside[-1]}" if inside else None
    raise HarnessError(explain("run", str(path), fault=fault, need=need, remedy=remedy))


def read_run(directory: RunDirectory) -> Run:
    """Read ``run.json``; see `decode` for errors, and a missing file is one."""
    run = decode(_read(directory.run), Run, path=directory.run)
    plan = run.scenario
    fleet_fits = 1 <= plan.agents <= _MOST_AGENTS and 0.001 <= plan.interval_s <= _LONGEST_S
    if not (fleet_fits and 0 <= plan.warmup_s <= _LONGEST_S and 0 <= plan.run_time_s <= _LONGEST_S):
        got = f"{plan.agents} agents every {plan.interval_s:g} s for {plan.run_time_s:g} s"
        raise HarnessError(explain("file", str(directory.run), fault="its scenario makes no sense", got=got))
    return run


def read_reading(directory: RunDirectory) -> Reading | None:
    """Read ``evidence.json``; None when the run ended before anything was asked."""
    return (
        decode(_read(directory.evidence), Reading, path=directory.evidence)
        if directory.evidence.exists()
        else None
    )


def read_result(directory: RunDirectory) -> Result:
    """Read ``result.json``; see `decode` for errors, and a missing file is one."""
    return decode(_read(directory.result), Result, path=directory.result)


def read_header(path: Path) -> SampleHeader:
    """Read a samples file's first line; see `read_samples` for errors."""
    with _open(path) as file:
        return _header(file.readline(), path)


def read_samples(path: Path) -> StoredSamples:
    """
    Read a samples file, whole or cut off in the middle of a line.

    Raises:
        HarnessError: no file, or no header in it that makes sense.
    """
    samples: list[Sample] = []
    torn = 0
    decoder = msgspec.json.Decoder(Sample)
    with _open(path) as file:
        header = _header(file.readline(), path)
        for line in file:
            try:
                sample = decoder.decode(line)
            except _DAMAGED:
                torn += 1
                continue
            if 0 <= sample.intended_start_s <= _LONGEST_S and 0 <= sample.start_s <= sample.end_s <= _LONGEST_S:
                samples.append(sample)
            else:
                torn += 1
    return StoredSamples(header=header, samples=tuple(samples), torn_lines=torn)


def read_ticks(path: Path) -> tuple[GeneratorTick, ...]:
    """Read the generator's ticks, leaving out what is torn; empty for no file."""
    return read_lines(path, GeneratorTick).records


def read_pickups(path: Path) -> tuple[Pickup, ...]:
    """Read the pickups, leaving out what is torn; empty for no file."""
    return read_lines(path, Pickup).records


def read_target_ticks(path: Path) -> tuple[TargetTick, ...]:
    """Read the target's ticks, leaving out what is torn; empty for no file."""
    return read_lines(path, TargetTick).records


def read_lines(path: Path, kind: type[T]) -> StoredLines[T]:
    """
    Read a file of one record a line, whole or damaged.

    Args:
        path: the file; none is as good as an empty one.
        kind: class of its records.

    Raises:
        HarnessError: the file can't be read.
    """
    if not path.exists():
        return StoredLines(records=(), torn_lines=0)
    records: list[T] = []
    torn = 0
    decoder = msgspec.json.Decoder(kind)
    with _open(path) as file:
        for line in file:
            try:
                records.append(decoder.decode(line))
            except _DAMAGED:
                torn += 1
    return StoredLines(records=tuple(records), torn_lines=torn)


def _header(line: bytes, path: Path) -> SampleHeader:
    header = decode(line, SampleHeader, path=path)
    if not (1 <= header.agents <= _MOST_AGENTS and 0.001 <= header.interval_s <= _LONGEST_S):
        got = f"{header.agents} agents every {header.interval_s:g} s"
        raise HarnessError(explain("file", str(path), fault="its header makes no sense", got=got))
    return header


class _Versioned(msgspec.Struct):
    schema_version: int | None = None


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as fault:
        raise HarnessError(
            explain("file", str(path), fault=f"can't be read: {fault.strerror or fault}")
        ) from fault


def _read(path: Path) -> bytes:
    with _open(path) as file:
        return file.read()


def _spell_infinity(value: Any) -> Any:
    """Replace each infinite number in plain data by the text that reads back as one."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _spell_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spell_infinity(item) for item in value]
    return value


def _encode_histogram(value: object) -> Any:
    if isinstance(value, Histogram):
        return value.to_json()
    raise NotImplementedError(f"no stored form for {type(value).__name__}")


def _decode_histogram(kind: type, stored: Any) -> Any:
    if kind is Histogram:
        return Histogram.from_json(stored)
    raise NotImplementedError(f"no stored form for {kind.__name__}")
