"""What the reference master can be told. Light to import, and small enough to be handed to a worker process."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_DATABASE_URL = "sqlite:///master.db"
"""A file in the working directory."""

DESIGNS = ("reference", "common")
"""Ways to build the polled endpoint: as it should be, and as most tutorials have it."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

DATABASE_URL_VARIABLE = "HARNESS_DATABASE_URL"
"""Read when no ``--database-url`` is given: command lines are public, and a URL may hold a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """
    Settings of one master process. The defaults were measured: see docs/reference-master.md.

    Args:
        database_url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        log_dir: folder of the monitoring layer's log files.
        delay_s: artificial delay of every poll, before its query [s], ≥ 0.
        error_ratio: share of polls answered with an artificial 500, 0..1.
        fault_seed: which polls those are follows from it.
        threads: database calls under way at once, ≥ 1; fewer than connections, so that none waits for one.
        pool_size: connections that the pool keeps, ≥ 1.
        max_overflow: connections that it may open beyond these, ≥ 0.
        hold_s: how long each poll keeps its connection and its thread after its query [s], ≥ 0; artificial.
        drop_index: name of an index of the master's own to drop before serving; None for none. It stays dropped.
        design: one of `DESIGNS`. ``common`` is an example of what not to do, see `harness.backend.common`: it
            has a pool of SQLAlchemy's defaults, and knows no `hold_s`.
        sighting_interval_s: how often the instants at which agents were last seen are written down [s], > 0.
    """

    database_url: str = field(default=DEFAULT_DATABASE_URL, repr=False)
    log_dir: Path = Path("logs")
    delay_s: float = 0.0
    error_ratio: float = 0.0
    fault_seed: int = 1
    threads: int = 8
    pool_size: int = 8
    max_overflow: int = 4
    hold_s: float = 0.0
    drop_index: str | None = None
    design: str = DESIGNS[0]
    sighting_interval_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """
    Where and how a server listens.

    Args:
        host: address or name to bind.
        port: TCP port; 0 for any free one.
        workers: processes that share the port, ≥ 1.
        ready_file: gets ``{"url": …, "pid": …}`` once the server answers, until it ends; None for none.
        parent_pid: process with which the server ends; None for none.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    ready_file: Path | None = None
    parent_pid: int | None = None


def database_url_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--database-url``, which every command about the master's database has."""
    parser.add_argument(
        "--database-url",
        default=os.environ.get(DATABASE_URL_VARIABLE) or DEFAULT_DATABASE_URL,
        metavar="URL",
        help="sqlite:///FILE or postgresql+psycopg://user:password@host/name "
        f"(default: ${DATABASE_URL_VARIABLE}, else {DEFAULT_DATABASE_URL})",
    )
