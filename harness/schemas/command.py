"""`harness schema`: print the JSON schema of what a command writes. Light to import."""

import argparse
from pathlib import Path

from harness.errors import ExitCode

EPILOG = """\
examples:
  harness schema result > result.schema.json
  harness schema benchmarks

result      result.json, and what harness run, report and gate print with --json
benchmarks  what harness gate --benchmark-json prints with --json
selftest    what harness selftest prints with --json
compare     what harness compare prints with --json
ab          ab.json, and what harness ab prints with --json
history-record
            each file below runs/ of a history, and what harness history show prints with --json
"""

_KINDS = ("result", "benchmarks", "selftest", "compare", "ab", "history-record")


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness schema`, which `run_schema` reads."""
    parser.add_argument("kind", choices=_KINDS, help="which of them")


def run_schema(parsed: argparse.Namespace) -> int:
    """Print the schema, JSON Schema draft 2020-12."""
    from harness.ci.command import print_safely

    text = Path(__file__).with_name(f"{parsed.kind}.schema.json").read_text(encoding="utf-8")
    print_safely(lambda: print(text, end=""))
    return ExitCode.PASS
