"""
Time ``/api/metrics`` over many routes and workers, as it is asked every few seconds.

    python -m benchmarks.monitoring.scrape [--routes 30] [--workers 4]
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from monitoring import Settings
from monitoring.answering import Answering
from monitoring.model import Observation
from monitoring.monitor import Monitor
from monitoring.view import View


def scrape(*, routes: int = 30, workers: int = 4, seconds: int = 60) -> None:
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    monitors = [Monitor(Settings(log_dir=folder), []) for _ in range(workers)]
    for monitor in monitors:
        monitor.store()
    answering = Answering(monitors[0])
    times: list[float] = []
    for second in range(seconds):
        for monitor in monitors:
            for route in range(routes):
                for status in (200, 200, 200, 404):
                    monitor.hub.recorder.request(
                        Observation(
                            time_s=time.time(),
                            request_id="x",
                            method="GET",
                            route=f"/route/{route}",
                            path="/",
                            status=status,
                            duration_s=0.001 * (1 + (second * 37 + route) % 100),
                            database_time_s=0.0005,
                            queries=1,
                            pool_wait_s=0.0,
                            client=None,
                            agent=None,
                            exception=None,
                            bytes_out=0,
                        ),
                        [],
                        [0.0001],
                    )
            monitor.flush()
        start = time.perf_counter()
        answering.metrics(View()).model_dump_json()
        times.append((time.perf_counter() - start) * 1e3)
    print(f"\n== /api/metrics, {routes} routes, {workers} workers, asked every second")
    print(f"   median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
    for monitor in monitors:
        monitor.close()
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", type=int, default=30)
    parser.add_argument("--workers", type=int, default=4)
    asked = parser.parse_args()
    scrape(routes=asked.routes, workers=asked.workers)


if __name__ == "__main__":
    main()
