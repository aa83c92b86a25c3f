"""``python -m harness.backend``: serve the reference deployment master."""

import argparse
import sys
from pathlib import Path

from harness.backend.server import add_serve_arguments, run_server
from harness.errors import ExitCode, HarnessError, explain


def main() -> int:
    """Run the server; a mistake ends in one line on stderr and its exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.backend", description="Serve the deployment master.")
    add_serve_arguments(parser)
    options = parser.parse_args()
    try:
        Path.cwd()
    except OSError as fault:
        # Relative paths and most libraries need one; `harness serve` says the same.
        text = explain("working directory", fault=f"can't be used: {fault.strerror}")
        sys.stderr.write(f"harness: {text}\n")
        return ExitCode.OWN_ERROR
    try:
        return run_server(options)
    except HarnessError as fault:
        sys.stderr.write(f"harness: {fault}\n")
        return fault.exit_code


# Worker processes import this module again, under another name.
if __name__ == "__main__":
    sys.exit(main())
