"""What a search for one of the known problems comes to."""

from dataclasses import dataclass
from typing import Literal

Found = Literal["found", "not found", "unknown"]

MOST = 5
"""Agents, statements, places that are named each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One known problem.

    Args:
        name: short and stable, for scripts.
        title: as the troubleshooting list calls it.
        status: whether it is there.
        looked_at: what was looked at, or why nothing could be.
        evidence: what shows it, in sentences; empty unless found.
        remedies: what to do, in sentences; empty unless found.
    """

    name: str
    title: str
    status: Found
    looked_at: str
    evidence: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    A known problem before it was looked for.

    Args:
        name: short and stable.
        title: as the troubleshooting list calls it.
    """

    name: str
    title: str

    def unknown(self, why: str) -> Problem:
        """Return that it could not be looked for."""
        return Problem(name=self.name, title=self.title, status="unknown", looked_at=why)

    def absent(self, looked_at: str, *, n: int, needed: int) -> Problem:
        """Return that it is not there, or unknown when fewer than `needed` of `n` requests were seen."""
        if n < needed:
            return self.unknown(f"{looked_at}; it takes {needed} requests to tell")
        return Problem(name=self.name, title=self.title, status="not found", looked_at=looked_at)

    def found(self, looked_at: str, evidence: list[str], remedies: list[str]) -> Problem:
        """Return that it is there."""
        return Problem(
            name=self.name,
            title=self.title,
            status="found",
            looked_at=looked_at,
            evidence=tuple(evidence),
            remedies=tuple(remedies),
        )


POLLING = Kind(name="polling", title="High RPS on the pending deployment endpoint")
RESPONSE_TIME = Kind(name="response-time", title="High response times")
ERRORS = Kind(name="errors", title="High error rate")
POOL = Kind(name="pool", title="Database pool exhaustion")
