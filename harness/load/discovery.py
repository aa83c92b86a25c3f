"""Finding out who the agents are, by asking the target where nothing else was said."""

import secrets
import ssl
from dataclasses import dataclass

from harness.errors import HarnessError, explain
from harness.load import identities
from harness.load.command import LoadOptions
from harness.load.connection import Connection
from harness.load.endpoint import Endpoint

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """
    Who the agents are.

    Args:
        ids: one for each agent.
        warnings: what a person should know of them, a sentence each.
    """

    ids: tuple[str, ...]
    warnings: tuple[str, ...]


def identify_agents(options: LoadOptions, endpoint: Endpoint) -> Identities:
    """
    Find out who the agents are: from a file, by a prefix, or by asking the target.

    Args:
        options: what was asked for.
        endpoint: the target.

    Returns:
        An id for each agent. A target without a list of agents gets made-up ids, with a warning.

    Raises:
        HarnessError: the target does not answer at all; the file can't be read.
    """
    if options.agent_id_prefix is not None:
        return Identities(ids=identities.made_up_ids(options.agent_id_prefix, options.agents), warnings=())
    if options.agents_file is not None:
        found = identities.read_ids(options.agents_file)
        source = str(options.agents_file)
    else:
        source = f"{options.host}{identities.DISCOVERY_PATH.partition('?')[0]}"
        found, fault = _discover(options, endpoint)
        if not found:
            made_up = identities.made_up_ids(identities.DEFAULT_PREFIX, options.agents)
            warning = (
                f"{source} {fault}: polling with made-up ids {made_up[0]} to {made_up[-1]}; "
                "name the real ones with --agents-file"
            )
            return Identities(ids=made_up, warnings=(warning,))
    shared = (
        f"{source} has {len(found)} agent{'s' if len(found) > 1 else ''} for {options.agents} users: "
        "several users poll with the same id"
    )
    return Identities(
        ids=identities.deal_out(found, options.agents),
        warnings=(shared,) if len(found) < options.agents else (),
    )


def _discover(options: LoadOptions, endpoint: Endpoint) -> tuple[tuple[str, ...], str]:
    """Return the target's own list, and what is wrong with an empty one in words that follow its address."""
    connection = Connection(endpoint, ssl.create_default_context() if endpoint.tls else None)
    request = endpoint.get_request(identities.DISCOVERY_PATH, f"discovery-{secrets.token_hex(4)}")
    answer = connection.exchange(request, timeout_s=_TIMEOUT_S)
    connection.close()
    if answer.error is not None:
        raise HarnessError(
            explain(
                "target",
                options.host,
                fault=f"no answer: {answer.error}",
                remedy="starting it, or another --host",
            )
        )
    if answer.status != 200:
        return (), f"answered {answer.status}"
    ids = identities.listed_ids(answer.body)
    return ids or (), "lists no agent" if ids is not None else "answered something other than a list of agents"
