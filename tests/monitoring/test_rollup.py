"""Rollups merge, are stored exactly and stay bounded."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.capture.context import Statement
from monitoring.metrics import Recorder
from monitoring.model import Observation
from monitoring.rollup import OVERFLOW, Limits, PoolRollup
from monitoring.slot import Slot, merged
from tests.monitoring.driver import FakeClock

LIMITS = Limits(routes=4, agents=4, statements=4)


def observation(**chosen: Any) -> Observation:
    values = {
        "time_s": 1000.0,
        "request_id": "r",
        "method": "GET",
        "route": "/a",
        "path": "/a",
        "status": 200,
        "duration_s": 0.01,
        "database_time_s": 0.0,
        "queries": 0,
        "pool_wait_s": 0.0,
        "client": None,
        "agent": None,
        "exception": None,
        "bytes_out": 0,
    }
    return Observation(**{**values, **chosen})


durations = st.floats(0, 100)
observations = st.builds(
    observation,
    method=st.sampled_from(["GET", "POST", "BREW"]),
    route=st.sampled_from([f"/r{n}" for n in range(8)]),
    status=st.sampled_from([200, 404, 499, 500, 503]),
    duration_s=durations,
    queries=st.integers(0, 3),
    database_time_s=durations,
    agent=st.none() | st.sampled_from([f"agent-{n}" for n in range(8)]),
    exception=st.none() | st.sampled_from(["ValueError", "KeyError"]),
)
statements = st.builds(
    Statement,
    start_s=st.just(0.0),
    duration_s=durations,
    engine=st.just("sqlite"),
    text=st.sampled_from([f"SELECT {n}" for n in range(8)]),
    rows=st.none() | st.integers(0, 5),
    many=st.booleans(),
    error=st.none() | st.just("OperationalError"),
    parameters=st.none(),
    site=st.just("app.py:1 in f"),
    blocking=st.booleans(),
)


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=2)
    for one in draw(st.lists(observations, max_size=6)):
        recorder.request(one, draw(st.lists(statements, max_size=4)), draw(st.lists(durations, max_size=2)))
    pool = PoolRollup()
    pool.peak = draw(st.integers(0, 9))
    pool.timeouts = draw(st.integers(0, 3))
    for wait_s in draw(st.lists(durations, max_size=3)):
        pool.wait.record(wait_s)
    recorder.pool("sqlite", 1000, pool)
    return merged([slot for _, slot in recorder.take()], LIMITS)


def view(slot: Slot) -> Any:
    """Everything in a slot, in a form that compares; sums are rounded as floats don't add associatively."""
    decoded = msgspec.msgpack.decode(slot.pack())

    def simple(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.9g}")
        if isinstance(value, dict):
            return sorted((str(key), simple(inner)) for key, inner in value.items())
        if isinstance(value, list):
            if len(value) == 5 and isinstance(value[3], list):  # a histogram: buckets in any order
                return [simple(value[0]), *value[1:3], sorted(zip(value[3], value[4], strict=True))]
            return [simple(inner) for inner in value]
        return value

    return [sorted((simple(one) for one in part), key=repr) for part in decoded]


def total(slot: Slot) -> tuple[int, ...]:
    return (
        sum(one.n for one in slot.routes.values()),
        sum(one.server_errors for one in slot.routes.values()),
        sum(one.response.n for one in slot.routes.values()),
        sum(one.n for one in slot.statements.values()),
        sum(one.n for one in slot.agents.values()),
        sum(one.timeouts for one in slot.pools.values()),
    )


@given(slots())
def test_the_stored_form_is_exact(slot: Slot) -> None:
    """Packing and reading back loses nothing."""
    copy = Slot(LIMITS)
    copy.merge_packed(slot.pack())
    assert view(slot) == view(copy)


@settings(max_examples=50)
@given(st.lists(slots(), min_size=3, max_size=3))
def test_merging_is_associative_and_commutative(parts: list[Slot]) -> None:
    """Whatever the order, the same: unless the bound on keys is reached, then still the same totals."""
    roomy = Limits(routes=1000, agents=1000, statements=1000)
    a, b, c = parts
    left = merged([merged([a, b], roomy), c], roomy)
    right = merged([a, merged([c, b], roomy)], roomy)
    assert view(left) == view(right)
    assert total(merged(parts, LIMITS)) == total(left)


@given(slots(), slots())
def test_merging_packed_equals_merging(a: Slot, b: Slot) -> None:
    """The store's way of merging gives what merging the live rollups gives."""
    live, stored = merged([a, b], LIMITS), Slot(LIMITS)
    stored.merge_packed(a.pack())
    stored.merge_packed(b.pack())
    assert view(live) == view(stored)


def test_an_empty_slot() -> None:
    slot = Slot(LIMITS)
    assert slot.empty
    copy = Slot(LIMITS)
    copy.merge_packed(slot.pack())
    assert copy.empty


def test_keys_are_bounded() -> None:
    """Beyond the bound everything goes to one key, and no count is lost; unknown methods too."""
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=10)
    for n in range(100):
        recorder.request(observation(route=f"/r{n}", agent=f"a{n}", exception=f"E{n}"), [], [])
        recorder.request(observation(method=f"M{n}"), [], [])
    [(_, slot)] = recorder.take()
    assert len(slot.routes) <= LIMITS.routes + 2
    assert sum(one.n for one in slot.routes.values()) == 200
    assert slot.routes[OVERFLOW, OVERFLOW].n > 0
    assert len(slot.agents) == LIMITS.agents + 1
    assert sum(one.n for one in slot.agents.values()) == 100
    assert all(len(one.by_exception) <= 51 for one in slot.routes.values())


def test_texts_that_utf_8_cannot_hold_are_kept_escaped() -> None:
    r"""A lone surrogate, which JSON brings in as ``"\ud800"``, is one key like any other, below the bound too."""
    slot = Slot(LIMITS)
    for _ in range(LIMITS.statements + 1):
        slot.route("GET", "/\ud800").count_exception("E\ud800")
        slot.statement("\ud800").add(1, 0, 0, None)
        slot.agent("\ud800").add(1, 0, None, None)
        slot.pool("\ud800").timeouts += 1
        slot.spot(("n+1", "/\ud800", "\udc80.py:1", "\ud800")).record(count=1, duration_s=0.1)
    for n in range(LIMITS.statements - 1):
        slot.statement(f"SELECT {n}")
    slot.statement("\ud800").add(1, 0, 0, None)
    back = Slot(LIMITS)
    back.merge_packed(slot.pack())
    assert {"E\\ud800": 5} == back.routes["GET", "/\\ud800"].by_exception
    assert back.statements["\\ud800"].n == 6
    assert OVERFLOW not in back.statements
    assert back.agents["\\ud800"].n == back.pools["\\ud800"].timeouts == 5
    assert back.spots["n+1", "/\\ud800", "\\udc80.py:1", "\\ud800"].n == 5


def test_what_is_no_slot_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        Slot(LIMITS).merge_packed(b"\x00nonsense")


def test_seconds_are_those_of_the_end() -> None:
    """A request is counted in the second in which it ended."""
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=10)
    recorder.request(observation(time_s=1000.9, duration_s=0.2), [], [])
    assert [1001] == [second for second, _ in recorder.take()]
    assert recorder.take() == []


def test_what_could_not_be_stored_comes_back_bounded() -> None:
    """Slots put back are merged with newer ones; beyond the bound the oldest are dropped, and counted."""
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=10)
    for second in range(5):
        recorder.request(observation(time_s=float(second)), [], [])
    taken = recorder.take()
    recorder.request(observation(time_s=4.0), [], [])
    assert recorder.put_back(taken, keep=2) == 3
    assert [(3, 1), (4, 2)] == [(second, slot.routes["GET", "/a"].n) for second, slot in recorder.take()]


def test_unknown_methods_do_not_pass_the_limit_of_routes() -> None:
    slot = Slot(LIMITS)
    for n in range(20):
        slot.route("BREW", f"/r{n}")
    assert len(slot.routes) == LIMITS.routes + 1
    assert slot.route("BREW", "/r0") is slot.routes[OVERFLOW, "/r0"]
    assert slot.route("BREW", "/new") is slot.routes[OVERFLOW, OVERFLOW]


def test_one_that_cannot_be_counted_costs_no_other() -> None:
    """Whatever an application answers with, its neighbours of the same second and route are counted, once each."""
    recorder = Recorder(clock=FakeClock(), limits=LIMITS, slow_query_s=0.1, n_plus_one_queries=10)
    faults: list[Exception] = []
    several = [
        observation(),
        observation(status="200"),
        observation(duration_s=float("nan")),
        observation(time_s=float("inf")),
        observation(status=500, agent="a"),
        observation(route="/b"),
    ]
    recorder.requests(several, faults.append)
    [(_, slot)] = recorder.take()
    assert {("GET", "/a"): 2, ("GET", "/b"): 1} == {key: one.n for key, one in slot.routes.items()}
    assert slot.routes["GET", "/a"].response.n == 2
    assert (slot.routes["GET", "/a"].server_errors, slot.agents["a"].n) == (1, 1)
    assert len(faults) == 3


@given(st.lists(observations, max_size=30))
def test_counting_many_is_counting_each(several: list[Observation]) -> None:
    """Requests counted in one go give the figures that one after the other would."""
    together, apart = (
        Recorder(clock=FakeClock(), limits=Limits(), slow_query_s=0.1, n_plus_one_queries=2) for _ in range(2)
    )
    together.requests(several, pytest.fail)
    for one in several:
        apart.request(one, [], [])
    assert [(second, view(slot)) for second, slot in together.take()] == [
        (second, view(slot)) for second, slot in apart.take()
    ]
