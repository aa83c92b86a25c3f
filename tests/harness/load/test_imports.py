"""Which parts of the load may be used without Locust."""

import subprocess
import sys

import pytest

LIGHT = [
    *(
        "answers",
        "command",
        "endpoint",
        "engine_answer",
        "generator",
        "identities",
        "options",
        "pacing",
        "recorder",
        "tally",
    ),
]


@pytest.mark.parametrize("name", LIGHT)
def test_the_pure_parts_do_not_load_locust(name: str) -> None:
    """Importing Locust patches the whole process; the harness must never catch that by accident."""
    code = (
        f"import sys, harness.load.{name};"
        "print(sorted({'locust', 'gevent', 'geventhttpclient', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
