"""
Time the audit of fifty different statements: ``python -m benchmarks.indexes.audit [--rows 100000] [--runs 5]``.

The statements are those of a believable service: two thirds are served by an index, one third is not and makes the
audit try indexes. Each line is the median over several runs in one process; start-up is left out.
"""

import argparse
import platform
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness.backend.seed import seed
from harness.errors import HarnessError
from harness.indexes.opening import open_database
from harness.indexes.records import Audit, CapturedStatement, Workload
from harness.indexes.workload_audit import audit_workload
from harness.postgres import ephemeral_postgres

STATEMENTS = 50
COLUMNS = ("id", "agent_id", "artifact", "version", "status", "created_by", "created_at", "updated_at")
UNSERVED = ("artifact", "version", "created_by")


def workload(mark: str) -> Workload:
    """Return fifty different statements with a driver's placeholders."""
    texts = []
    for number in range(STATEMENTS):
        # Another set of columns makes another statement.
        shown = ", ".join(column for place, column in enumerate(COLUMNS) if place == 0 or number >> place & 1)
        if number % 3:
            texts.append(
                f"SELECT {shown} FROM deployments WHERE agent_id = {mark} AND status = {mark} /* {number} */"
            )
        else:
            column = UNSERVED[number // 3 % len(UNSERVED)]
            texts.append(
                f"SELECT {shown} FROM deployments WHERE {column} = {mark} ORDER BY created_at /* {number} */"
            )
    made = tuple(CapturedStatement(text=text, calls=100, total_s=1.0, max_s=0.1) for text in texts)
    return Workload(statements=made, lines=len(made), bad_lines=0, text_lines=0, damaged=())


def audit(url: str) -> Audit:
    """Audit once."""
    with open_database(url) as database:
        return audit_workload(database, workload("?" if database.name == "sqlite" else "%s"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="deployments (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs on each database (default: %(default)s)")
    chosen = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = [f"sqlite:///{Path(folder) / 'master.db'}"]
        try:
            urls.append(stack.enter_context(ephemeral_postgres()).create_database("master"))
        except HarnessError as fault:
            print(f"PostgreSQL NOT measured: {fault}")
        for url in urls:
            seed(url, deployments=chosen.rows)
            measure(url, chosen.runs)


def measure(url: str, runs: int) -> None:
    times_s = []
    for _ in range(runs):
        start_s = time.perf_counter()
        made = audit(url)
        times_s.append(time.perf_counter() - start_s)
    tried = sum(finding.proposal is not None for finding in made.statements)
    print(
        f"{made.database}: {made.coverage.explained} statements explained, {tried} given an index that was tried: "
        f"{statistics.median(times_s):.2f} s ({min(times_s):.2f} to {max(times_s):.2f})"
    )


if __name__ == "__main__":
    main()
