"""Artificial delay and errors: only on the polled route, as many as asked for, the same ones for the same seed."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import HTTPException

from harness.backend import faults as module
from harness.backend.faults import Faults
from tests.harness.backend.conftest import Master


def outcomes(faults: Faults, polls: int) -> list[bool]:
    """Tell for each poll whether it was made to fail."""

    async def one() -> bool:
        try:
            await faults.strike()
        except HTTPException as fault:
            return (500, "artificial error, asked for by the error ratio") == (fault.status_code, fault.detail)
        return False

    async def all_of_them() -> list[bool]:
        return [await one() for _ in range(polls)]

    return asyncio.run(all_of_them())


def test_the_seed_decides_which_polls_fail() -> None:
    first, again, other = (outcomes(Faults(delay_s=0, error_ratio=0.05, seed=seed), 2000) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    # Binomial with n = 2000 and p = 0.05: outside of 60..140 for less than one seed in 10,000.
    assert 60 < sum(first) < 140


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0), (1.0, 50)])
def test_none_and_all(ratio: float, expected: int) -> None:
    assert expected == sum(outcomes(Faults(delay_s=0, error_ratio=ratio, seed=1), 50))


def test_the_delay_is_slept_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(duration_s: float) -> None:
        slept.append(duration_s)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    asyncio.run(Faults(delay_s=0.6, error_ratio=0, seed=1).strike())
    assert [0.6] == slept


def test_only_polls_are_struck(make_master: Callable[..., Master]) -> None:
    master = make_master(error_ratio=1.0)
    assert 201 == master.post("/api/agents", {"id": "a", "name": "a"}).status_code
    assert 500 == master.get("/api/deployments/pending/a").status_code
    assert 200 == master.get("/api/agents").status_code
    assert 200 == master.get("/api/health").status_code


def test_a_held_connection_keeps_its_thread_too(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    Faults(delay_s=0, error_ratio=0, seed=1, hold_s=0.03).hold()
    Faults(delay_s=0, error_ratio=0, seed=1).hold()
    assert [0.03] == slept


def test_only_polls_hold_their_connection(make_master: Callable[..., Master]) -> None:
    master = make_master(hold_s=0.05, pool_size=1, max_overflow=0)
    assert 201 == master.post("/api/agents", {"id": "a", "name": "a"}).status_code
    held = master.get("/api/deployments/pending/a")
    assert 200 == held.status_code
    told = dict(part.strip().split(";dur=") for part in held.headers["server-timing"].split(","))
    assert float(next(iter(told.values()))) >= 50
