"""Agents that ask again when a poll failed, with and without back-off."""

import random

from harness.load import answers
from harness.load.behaviour import Behaviour
from harness.model import Sample

_HOPELESS = frozenset({answers.GENERATOR_LIMIT, answers.INTERRUPTED})
_MOST_DOUBLINGS = 32


class Retries(Behaviour):
    """
    Retry each failed poll until one succeeds.

    With back-off, the n-th retry in a row waits a time drawn evenly from 0 to ``retry_s × 2ⁿ``, at most
    ``retry_most_s``: agents that failed together come back one by one. Without, each waits ``retry_s`` and they
    come back together. A 4xx is not retried, but for 408 and 429: asking again would get the same answer.

    Source: "full jitter", Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Args:
        back_off: whether to back off.
        retry_s: first, or fixed, step [s], > 0.
        retry_most_s: longest step [s].
        seed: of the times drawn.
    """

    def __init__(self, *, back_off: bool, retry_s: float, retry_most_s: float, seed: int) -> None:
        self._back_off = back_off
        self._retry_s = retry_s
        self._retry_most_s = max(retry_s, retry_most_s)
        self._dice = random.Random(f"retries/{seed}")  # noqa: S311  # repeatable on purpose, nothing secret
        self._failures: dict[int, int] = {}

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:  # noqa: ARG002  # the base class's signature
        """Ask for a retry of a failed poll."""
        if sample.error is None or not is_worth_a_retry(sample.error):
            self._failures.pop(agent_index, None)
            return None
        failures = self._failures.get(agent_index, 0)
        self._failures[agent_index] = failures + 1
        if not self._back_off:
            return sample.end_s + self._retry_s
        step_s = min(self._retry_most_s, self._retry_s * 2.0 ** min(failures, _MOST_DOUBLINGS))
        return sample.end_s + self._dice.random() * step_s


def is_worth_a_retry(error: str) -> bool:
    """Return whether asking again may help against an error of this kind."""
    if error.startswith("http-4"):
        return error in {"http-408", "http-429"}
    return error not in _HOPELESS
