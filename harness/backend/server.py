"""`harness serve` and ``python -m harness.backend``: their options, read into a configuration. Light to import."""

import argparse
from pathlib import Path

from harness.backend.config import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DESIGNS,
    BackendConfig,
    Listening,
    database_url_argument,
)
from harness.errors import UsageError, explain
from harness.units import parse_duration_s, parse_ratio

_MAX_WORKERS = 64
_MAX_POOL = 1000


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness serve`, which `run_server` reads."""
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"address to listen on (default: {DEFAULT_HOST})")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="N", help=f"0 for a free one (default: {DEFAULT_PORT})"
    )
    database_url_argument(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="server processes (default: 1)")
    parser.add_argument(
        "--delay",
        default="0s",
        metavar="DURATION",
        help="artificial delay of every poll, such as 600ms (default: none)",
    )
    parser.add_argument(
        "--error-ratio",
        default="0%",
        metavar="RATIO",
        help="polls to answer with a 500, such as 5%% (default: none)",
    )
    parser.add_argument(
        "--pool-size",
        type=int,
        metavar="N",
        help="connections that the pool may open, none beyond; below 8 polls wait (default: 8, and 4 beyond)",
    )
    parser.add_argument(
        "--hold",
        default="0s",
        metavar="DURATION",
        help="how long each poll keeps its connection after its query, such as 30ms (default: not at all)",
    )
    parser.add_argument(
        "--drop-index",
        metavar="NAME",
        help="drop this index of the master's before serving; for a database to throw away, it stays dropped",
    )
    parser.add_argument(
        "--design",
        choices=DESIGNS,
        default=DESIGNS[0],
        help="how the polled endpoint is built; common is an example that hangs when sixty agents come at once "
        "(default: reference)",
    )
    parser.add_argument(
        "--fault-seed", type=int, default=1, metavar="N", help="which polls --error-ratio takes (default: 1)"
    )
    parser.add_argument(
        "--log-dir", type=Path, default=Path("logs"), metavar="DIR", help="folder of the log files (default: logs)"
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help='written once the server answers: {"url": …, "pid": …}'
    )
    parser.add_argument("--parent-pid", type=int, metavar="PID", help="stop when this process is gone")


def run_server(options: argparse.Namespace) -> int:
    """
    Serve the master until SIGTERM or SIGINT.

    Args:
        options: as parsed by `add_serve_arguments`.

    Returns:
        0 after a clean stop.

    Raises:
        UsageError: an option has a value that can't work.
        HarnessError: the port is taken, or the database can't be used.
    """
    config, listening = read_options(options)
    # FastAPI, SQLAlchemy and uvicorn: too heavy for `harness --help`.
    from harness.backend.serving import serve

    return serve(config, listening)


def read_options(options: argparse.Namespace) -> tuple[BackendConfig, Listening]:
    """
    Check the options.

    Raises:
        UsageError: one of them is out of its range.
    """
    _check_range(options.port, "--port", 0, 65535)
    _check_range(options.workers, "--workers", 1, _MAX_WORKERS)
    pool = {}
    if options.pool_size is not None:
        _check_range(options.pool_size, "--pool-size", 1, _MAX_POOL)
        pool = {"pool_size": options.pool_size, "max_overflow": 0}
    config = BackendConfig(
        database_url=options.database_url,
        log_dir=options.log_dir,
        delay_s=parse_duration_s(options.delay, name="--delay"),
        error_ratio=parse_ratio(options.error_ratio, name="--error-ratio"),
        fault_seed=options.fault_seed,
        design=options.design,
        hold_s=parse_duration_s(options.hold, name="--hold"),
        drop_index=options.drop_index,
        **pool,
    )
    listening = Listening(
        host=options.host,
        port=options.port,
        workers=options.workers,
        ready_file=options.ready_file,
        parent_pid=options.parent_pid,
    )
    return config, listening


def _check_range(value: int, option: str, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(explain("option", option, fault="out of range", got=value, need=f"{least}..{most}"))
