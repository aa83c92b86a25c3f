"""What a run leaves: its files, and the summary that is told at its end."""

from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError, explain
from harness.load.recorder import LineWriter
from harness.load.tally import Tally
from harness.model import LoadNote, Sample
from harness.rundir import RunDirectory

_COUNTED_AT_ONCE = 32
"""Enough for all of them together to cost a third of what each by itself would."""


class Sink(Protocol):
    """Where a fleet's records go: to files here, or to the process that has them."""

    @property
    def fault(self) -> HarnessError | None:
        """Why nothing more can be kept; None while all is well."""

    def append(self, file: str, record: object) -> None:
        """
        Keep a record.

        Args:
            file: name in the run's folder.
            record: of `harness.model`.
        """

    def flush(self) -> None:
        """Pass on what is waiting."""

    def close(self) -> None:
        """Pass on what is waiting, and end it."""


class Recording:
    """
    The files of a run, in its folder, and the tally of its samples.

    Args:
        directory: the folder; the samples' file is made at once.
        warmup_s: see `Tally`.

    Raises:
        HarnessError: the folder can't be written.
    """

    def __init__(self, directory: RunDirectory, *, warmup_s: float) -> None:
        self.directory = directory
        self._tally = Tally(warmup_s=warmup_s)
        self._uncounted: list[Sample] = []
        self._writers: dict[str, LineWriter] = {}
        self._unmade: HarnessError | None = None
        for path in (directory.samples, directory.generator):
            self._writers[path.name] = LineWriter(path)

    @property
    def tally(self) -> Tally:
        """The tally of every sample so far."""
        self._count()
        return self._tally

    @property
    def fault(self) -> HarnessError | None:
        """See `Sink`."""
        faults = (writer.fault for writer in self._writers.values())
        return next((fault for fault in faults if fault is not None), self._unmade)

    def append(self, file: str, record: object) -> None:
        """See `Sink`; samples are counted."""
        writer = self._writer(file)
        if writer is not None:
            writer.append(record)
        if isinstance(record, Sample):
            self._uncounted.append(record)
            if len(self._uncounted) >= _COUNTED_AT_ONCE:
                self._count()

    def append_lines(self, file: str, lines: bytes) -> None:
        """
        Keep whole lines that another process has encoded.

        Args:
            file: name in the run's folder.
            lines: each with its end.
        """
        writer = self._writer(file)
        if writer is not None:
            writer.append_lines(lines)

    def note(self, t_s: float, text: str) -> None:
        """Keep what happened to the load itself, for the report's warnings; `t_s` [s since the run's origin]."""
        self.append(self.directory.notes.name, LoadNote(t_s=round(t_s, 3), text=text))

    def flush(self) -> None:
        """See `Sink`."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """See `Sink`; empty files are removed."""
        for writer in self._writers.values():
            writer.close()

    def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, []
        self._tally.add_many(uncounted)

    def _writer(self, file: str) -> LineWriter | None:
        """Return the writer of a file, made when it is first used; None when it can't be, which is a fault."""
        known = self._writers.get(file)
        if known is not None:
            return known
        # From another process as well: a name, not a path.
        name = Path(file).name
        writer = self._writers.get(name)
        if writer is None and self._unmade is None:
            try:
                writer = self._writers[name] = LineWriter(self.directory.path / name)
            except HarnessError as fault:
                self._unmade = fault
        return writer


def check_unused(directory: RunDirectory) -> None:
    """
    Refuse a folder that holds a run already.

    Raises:
        HarnessError: it does.
    """
    if directory.samples.exists() or directory.generator.exists():
        raise HarnessError(
            explain(
                "folder",
                str(directory.path),
                fault="holds the samples of another run",
                remedy="another --samples-dir",
            )
        )
