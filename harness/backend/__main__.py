"""``python -m harness.backend``: serve the reference deployment master."""

import argparse
import sys

from harness.backend.server import add_serve_arguments, run_server
from harness.errors import HarnessError


def main() -> int:
    """Run the server; a mistake ends in one line on stderr and its exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.backend", description="Serve the deployment master.")
    add_serve_arguments(parser)
    options = parser.parse_args()
    try:
        return run_server(options)
    except HarnessError as fault:
        sys.stderr.write(f"harness: {fault}\n")
        return fault.exit_code


# Worker processes import this module again, under another name.
if __name__ == "__main__":
    sys.exit(main())
