"""
When agents were last seen, without a write for every poll.

Fifty agents at ten seconds would be five small writes a second that nobody reads at once, each taking the one
write lock of a SQLite file; a thousand at the same instant would queue behind each other. So polls only leave a
note in memory, and every few seconds all notes go down in one transaction. A killed process loses the notes of its
last interval; the next poll makes up for them.
"""

import asyncio
import logging
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from harness.backend.database import Database, one_line
from harness.backend.operations import record_sightings

_log = logging.getLogger(__name__)


class Sightings:
    """
    Notes of the latest poll of each agent. Used from the event loop's thread only.

    Args:
        database: where they are written down.
        interval_s: seconds between two writes, > 0.
    """

    def __init__(self, database: Database, *, interval_s: float) -> None:
        self._database = database
        self._interval_s = interval_s
        self._seen: dict[str, datetime] = {}

    def note(self, agent_id: str, now: datetime) -> None:
        """Remember that a registered agent polled just now."""
        self._seen[agent_id] = now

    async def write_for_ever(self) -> None:
        """Write the notes down each interval, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.write()

    async def write(self) -> None:
        """Write the notes down now. They are kept for the next time when the database refuses."""
        if not self._seen:
            return
        taken, self._seen = self._seen, {}

        def record(connection: Connection) -> None:
            record_sightings(connection, taken)

        try:
            await self._database.write(record)
        except SQLAlchemyError as fault:
            _log.warning("last_seen_at of %d agents not written, will try again: %s", len(taken), one_line(fault))
            # What was noted meanwhile is newer.
            self._seen = taken | self._seen
