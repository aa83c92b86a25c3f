"""Finding out who the agents are, by asking the target where nothing else was said."""

import secrets
import ssl
from dataclasses import dataclass

from harness.errors import HarnessError, explain
from harness.http import redirect_text, refusal_text
from harness.load import answers, identities
from harness.load.caller import Caller
from harness.load.command import LoadOptions
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


def identify_agents(options: LoadOptions, endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> Identities:
    """
    Find out who the agents are: from a file, by a prefix, or by asking the target.

    Args:
        options: what was asked for.
        endpoint: the target.
        tls: context for https; None makes one that trusts the system's authorities.

    Returns:
        An id for each agent. A target without a list of agents gets made-up ids, with a warning.

    Raises:
        HarnessError: the target does not answer at all, or sends elsewhere; the file can't be read.
    """
    if options.agent_id_prefix is not None:
        return Identities(ids=identities.made_up_ids(options.agent_id_prefix, options.agents), warnings=())
    if options.agents_file is not None:
        found = identities.read_ids(options.agents_file)
        source = str(options.agents_file)
    else:
        source = f"{options.host}{options.agents_path}"
        found, fault = _discover(options, endpoint, tls)
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


def _discover(options: LoadOptions, endpoint: Endpoint, tls: ssl.SSLContext | None) -> tuple[tuple[str, ...], str]:
    """Return the target's own list, and what is wrong with an empty one in words that follow its address."""
    if endpoint.tls and tls is None:
        tls = ssl.create_default_context()
    caller = Caller(endpoint, tls, timeout_s=_TIMEOUT_S)
    # Ordered and without doubles, in case the target knows nothing of pages and answers each with the same list.
    found: dict[str, None] = {}
    try:
        while len(found) < options.agents:
            known = len(found)
            page, fault = _page(options, caller, known, shown=bool(endpoint.headers))
            found.update(dict.fromkeys(page))
            if len(page) < identities.PAGE_ROWS or len(found) == known:
                return tuple(found), fault
    finally:
        caller.close()
    return tuple(found), ""


def _page(options: LoadOptions, caller: Caller, offset: int, *, shown: bool) -> tuple[tuple[str, ...], str]:
    query = f"?limit={identities.PAGE_ROWS}" + (f"&offset={offset}" if offset else "")
    reply = caller.call("GET", options.agents_path + query, request_id=f"discovery-{secrets.token_hex(4)}")
    if reply.error is not None:
        remedy = "starting it, or another --host"
        if reply.error == answers.TLS:
            remedy = "--ca-file with the authority's certificate, or the name that the certificate is for"
        raise HarnessError(explain("target", options.host, fault=f"no answer: {reply.error}", remedy=remedy))
    if reply.status is not None and 300 <= reply.status <= 399:
        raise HarnessError(redirect_text(options.host, options.agents_path, reply.location))
    if reply.status in {401, 403}:
        raise HarnessError(refusal_text(options.host, reply.status, shown=shown))
    if reply.status != 200:
        return (), f"answered {reply.status}"
    ids = identities.listed_ids(reply.body)
    return ids or (), "lists no agent" if ids is not None else "answered something other than a list of agents"
