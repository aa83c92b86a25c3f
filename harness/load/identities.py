"""Who the agents are: ids from the target's list, from a file, or made up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from harness.errors import HarnessError, UsageError, explain

PAGE_ROWS = 1000
"""Agents asked for at a time: the most that the reference master answers."""

DEFAULT_PREFIX = "agent-"


class _Agent(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)] | int


class _AgentList(msgspec.Struct):
    agents: list[_Agent]


def listed_ids(body: bytes) -> tuple[str, ...] | None:
    """
    Read the target's answer when asked for its agents: ``{"agents": [{"id": …}, …], …}``.

    Returns:
        The ids in their order; None when the body has another form.
    """
    try:
        return ids_in(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def ids_in(answer: object) -> tuple[str, ...] | None:
    """Do what `listed_ids` does with an answer that was decoded already."""
    try:
        listed = msgspec.convert(answer, type=_AgentList)
    except msgspec.ValidationError:
        return None
    return tuple(str(agent.id) for agent in listed.agents)


def read_ids(path: Path) -> tuple[str, ...]:
    """
    Read a file of ids, one a line; empty lines and lines that start with ``#`` are left out.

    Raises:
        HarnessError: the file can't be read.
        UsageError: it holds no id.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "not UTF-8 text"
        raise HarnessError(explain("file", str(path), fault=f"can't be read: {reason}")) from fault
    lines = (line.strip() for line in text.splitlines())
    ids = tuple(line for line in lines if line and not line.startswith("#"))
    if not ids:
        raise UsageError(explain("file", str(path), fault="holds no agent id", need="one id a line"))
    return ids


def made_up_ids(prefix: str, count: int) -> tuple[str, ...]:
    """Return ``prefix0001``, ``prefix0002`` … as many as asked for."""
    return tuple(f"{prefix}{number:04d}" for number in range(1, count + 1))


def deal_out(ids: Sequence[str], agents: int) -> tuple[str, ...]:
    """
    Give each agent an id; ids are shared in turn when there are fewer.

    Args:
        ids: at least one.
        agents: fleet size.

    Returns:
        One id for each agent.
    """
    return tuple(ids[i % len(ids)] for i in range(agents))
