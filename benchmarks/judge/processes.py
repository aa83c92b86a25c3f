"""Response times with a known truth: independent, autoregressive, and out of a queue. All times in seconds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.columns import Floats

Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """
    A stationary source of response times.

    Args:
        name: for tables.
        draw: returns n successive response times [s].
        quantile: the true q-quantile [s].
    """

    name: str
    draw: Draw
    quantile: Callable[[float], float]


def independent() -> Process:
    """Exponential, each by itself, mean 1 s."""
    return Process(
        name="independent", draw=lambda dice, n: dice.exponential(size=n), quantile=lambda q: -math.log(1 - q)
    )


def autoregressive(memory: float, *, spread: float = 0.5) -> Process:
    """
    Lognormal with an AR(1) logarithm.

    Args:
        memory: lag-1 autocorrelation of the logarithm, 0..1.
        spread: standard deviation of the logarithm.
    """

    def draw(dice: np.random.Generator, n: int) -> Floats:
        steps = dice.normal(size=n) * math.sqrt(1 - memory**2)
        log = np.empty(n)
        state = dice.normal()
        for i, step in enumerate(steps):
            state = memory * state + step
            log[i] = state
        return np.exp(spread * log)

    return Process(
        name=f"AR(1) {memory:g}, spread {spread:g}",
        draw=draw,
        quantile=lambda q: math.exp(spread * NormalDist().inv_cdf(q)),
    )


def queue(load: float) -> Process:
    """
    Sojourn times of the M/M/1 queue with mean service time 1 s, started in its steady state.

    Waiting times follow D. V. Lindley's recursion (1952), here in closed form: the random walk less its running
    minimum. A sojourn time is exponential with rate 1 − load.
    """

    def draw(dice: np.random.Generator, n: int) -> Floats:
        service = dice.exponential(size=n)
        gaps = dice.exponential(1 / load, size=n)
        first = dice.exponential(1 / (1 - load)) if dice.random() < load else 0.0
        walk = np.concatenate([[0.0], np.cumsum(service[:-1] - gaps[1:])])
        wait = np.maximum(first + walk, walk - np.minimum.accumulate(walk))
        return np.asarray(wait + service, dtype=np.float64)

    return Process(name=f"M/M/1 at {load:.0%}", draw=draw, quantile=lambda q: -math.log(1 - q) / (1 - load))
