"""Artificial faults of the polled route, so that a run can be made to fail on purpose."""

import asyncio
import random
import time

from fastapi import HTTPException

ERROR_TEXT = "artificial error, asked for by the error ratio"


class Faults:
    """
    A delay of every poll, and errors in place of some.

    Args:
        delay_s: seconds that each poll waits before its query, without keeping a thread or a connection, ≥ 0.
        error_ratio: share of polls that end in a 500, 0..1.
        seed: which polls those are, counted in order of arrival in this process.
        hold_s: seconds that each poll keeps its connection and its thread after its query, ≥ 0.
    """

    def __init__(self, *, delay_s: float, error_ratio: float, seed: int, hold_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self._error_ratio = error_ratio
        self._hold_s = hold_s
        self._random = random.Random(seed)  # noqa: S311  # repeatable, not secret

    async def strike(self) -> None:
        """
        Let one poll have its share.

        Raises:
            HTTPException: 500, for a poll that was chosen to fail.
        """
        # Drawn before the delay: the order of arrival decides, not the order in which sleepers wake.
        fails = self._error_ratio > 0 and self._random.random() < self._error_ratio
        if self._delay_s > 0:
            await asyncio.sleep(self._delay_s)
        if fails:
            raise HTTPException(500, ERROR_TEXT)

    def hold(self) -> None:
        """Keep a worker thread, and the connection that it works on, for one poll's share."""
        if self._hold_s > 0:
            time.sleep(self._hold_s)
