"""The options that report, check and diagnose share. Nothing heavy is imported here: ``--help`` stays instant."""

import argparse
from pathlib import Path


def add_window(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a window."""
    group = parser.add_argument_group("window")
    group.add_argument("--hours", metavar="N", help="the last N hours, 0.5 too (default: 24)")
    group.add_argument(
        "--since", metavar="TIME", help="from this instant on: ISO 8601, UTC where it names no zone"
    )
    group.add_argument("--until", metavar="TIME", help="up to this instant (default: now)")


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that tell where to look."""
    group = parser.add_argument_group("where to look")
    group.add_argument("--logs", metavar="DIR", type=Path, help="folder of the log files (default: logs)")
    group.add_argument(
        "--store",
        metavar="FILE",
        type=Path,
        help="file of the stored figures (default: in the folder of the logs)",
    )
    group.add_argument(
        "--url", metavar="URL", help="ask this running service instead of a store, such as http://127.0.0.1:8000"
    )
    group.add_argument(
        "--service", metavar="NAME", help="name of the service, which names its files (default: master-backend)"
    )
    group.add_argument("--token-env", metavar="VAR", help="environment variable that holds the bearer token")
    group.add_argument("--prefix", metavar="PATH", help="path before /metrics (default: /api)")
    group.add_argument(
        "--timeout",
        default="30s",
        metavar="DURATION",
        help="how long to wait for the service (default: %(default)s)",
    )
