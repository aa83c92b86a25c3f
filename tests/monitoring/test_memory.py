"""What is never the same twice is not kept: paths, ids of agents, statements with their values in the text."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_memory_is_flat_over_requests_that_are_all_different() -> None:
    """
    After the bounded tables are full, 80,000 more requests leave nothing behind.

    Python's own count of blocks in use is compared, in a process of its own: one object kept for each request of
    a single kind would be 20,000 of them. A million requests are driven by `benchmarks.monitoring.memory`.
    """
    command = [sys.executable, "-m", "benchmarks.monitoring.memory", "--requests", "100000", "--steps", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    rows = [line.replace(",", "").split() for line in done.stdout.splitlines()[2:]]
    blocks = {int(requests): int(blocks) for requests, _, blocks, *_ in rows}
    assert [0, 20_000, 40_000, 60_000, 80_000, 100_000] == list(blocks)
    # At a constant level the count itself varies by up to ten thousand, with what waits in queues just then.
    assert blocks[100_000] - blocks[20_000] < 15_000
