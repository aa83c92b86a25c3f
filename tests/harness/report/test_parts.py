"""Where a poll's time went: each quantile's split adds up to it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.columns import Columns
from harness.model import Quantiles
from harness.report.parts import (
    CONNECT,
    REST,
    SERVICE,
    START_LAG,
    connect_times,
    route_parts,
    splits_of,
    time_parts,
)
from tests.harness.results import fleet, quantiles_of, result_of


def connecting(columns: Columns, connect_s: float = 0.001) -> Columns:
    return replace(columns, connect_s=np.where(columns.new_connection == 1, connect_s, np.nan))


@pytest.mark.parametrize("shape", [{}, {"failing_ratio": 0.02}, {"server_timing": False}, {"stall": (25.0, 65.0)}])
def test_the_parts_of_each_quantile_add_up_to_it_and_none_is_negative(shape: dict[str, object]) -> None:
    seen = connecting(fleet(**shape))  # type: ignore[arg-type]
    splits = splits_of(seen, quantiles_of(seen.response_time_s))
    assert splits
    for split in splits:
        assert math.isclose(split.value_s, sum(part_s for _, part_s in split.parts))
        assert all(part_s >= 0 for _, part_s in split.parts)


def test_a_quantile_among_the_failed_polls_has_no_split() -> None:
    seen = fleet(failing_ratio=0.04)
    assert ["p50", "p95"] == [split.name for split in splits_of(seen, quantiles_of(seen.response_time_s))]
    everything = fleet(failing_ratio=1.0)
    assert () == splits_of(everything, quantiles_of(everything.response_time_s))
    nothing = fleet(agents=0)
    assert () == splits_of(nothing, quantiles_of(nothing.response_time_s))


def test_a_planted_wait_is_found_at_the_quantile_that_it_made() -> None:
    """One poll in twenty had to wait 0.2 s to be sent: p50 knows nothing of it, p99 is made of it."""
    made = fleet()
    late = np.arange(len(made)) % 20 == 0
    seen = replace(made, start_s=made.start_s + 0.2 * late, end_s=made.end_s + 0.2 * late)
    splits = {split.name: split for split in splits_of(seen, quantiles_of(seen.response_time_s))}
    assert dict(splits["p99"].parts)[START_LAG] / splits["p99"].value_s > 0.9
    assert dict(splits["p50"].parts)[START_LAG] / splits["p50"].value_s < 0.3


def test_opening_a_connection_is_a_part_of_its_own_and_not_of_the_rest() -> None:
    made = fleet(agents=1, run_time_s=10.0)
    opened = replace(made, end_s=made.end_s + 0.5, connect_s=np.array([0.5]))
    (split, *_) = splits_of(opened, quantiles_of(opened.response_time_s))
    parts = dict(split.parts)
    assert math.isclose(0.5, parts[CONNECT])
    assert parts[REST] < 0.01


def test_without_the_targets_word_the_split_is_the_clients_side() -> None:
    seen = fleet(server_timing=False)
    (split, *_) = splits_of(seen, quantiles_of(seen.response_time_s))
    assert [START_LAG, CONNECT, SERVICE] == [name for name, _ in split.parts]


def test_a_missed_poll_waited_to_be_sent() -> None:
    """Its time is known: until the answer to the poll that was sent in its stead."""
    made = fleet(agents=1, run_time_s=10.0)
    seen = made.missing(np.array([0]), made.intended_start_s - 3.0)
    times = quantiles_of(seen.with_missed().response_time_s)
    p99 = splits_of(seen, times)[-1]
    assert dict(p99.parts)[START_LAG] > 2.9


def test_opening_a_connection_has_a_row_only_where_it_was_timed() -> None:
    service = result_of(fleet()).summary.service_time
    names = [part.name for part in time_parts(connecting(fleet()), None, service)[0]]
    assert "connect, where opened" == names[1]
    assert "connect, where opened" not in [part.name for part in time_parts(fleet(), None, service)[0]]
    assert 0 == len(connect_times(fleet()))
    assert 50 == len(connect_times(connecting(fleet())))


def test_a_route_without_a_poll_has_no_row() -> None:
    none = Quantiles(n=0, mean=None, p50=None, p95=None, p99=None, max=None)
    some = quantiles_of(np.array([0.1, 0.2]))
    assert ["GET /b"] == [part.name for part in route_parts([("GET /a", none), ("GET /b", some)])]
