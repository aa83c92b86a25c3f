"""What a run would send where, without sending any of it. Pure: no socket, no Locust."""

import heapq
from collections.abc import Mapping
from itertools import islice

from harness.credentials import Access
from harness.load.command import LoadOptions
from harness.load.endpoint import parse_endpoint
from harness.load.identities import DEFAULT_PREFIX, PAGE_ROWS, made_up_ids, read_ids
from harness.load.wave import ORDER_PATH, PROGRESS_ROUTE
from harness.scenarios import scenario_kind
from harness.schedule import Schedule, count_in_shape
from harness.units import format_count, format_duration

_FIRST_POLLS = 5
_DAY_S = 86_400.0


def dry_run(options: LoadOptions, access: Access, *, attached: bool) -> Mapping[str, tuple[str, ...]]:
    """
    Describe what a run would send.

    Args:
        options: of the load.
        access: what lets us in; its values are not shown.
        attached: whether the target runs already, and is asked before and after the load as well.

    Returns:
        Sections of lines, in order.
    """
    kind = scenario_kind(options.scenario)
    values = ", ".join(
        f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in options.parameters.items()
    )
    sections = {
        "target": (options.host,),
        "scenario": (f"{kind.name}: {kind.summary}", *((values,) if values else ())),
        "before": _before(options, attached=attached),
        "each poll": _request(options, access),
        "schedule": _schedule_lines(options),
        "first polls": _first_polls(options),
    }
    if kind.writes:
        sections["writes"] = _writes(options)
    if attached:
        sections["after"] = tuple(
            f"GET {options.host}{path}"
            for path in (
                "/api/health",
                "/api/metrics/pending-deployments?since=…&until=…",
                "/api/metrics?since=…&until=…",
            )
        )
    sections["limits"] = _limits(options)
    return sections


def as_text(sections: Mapping[str, tuple[str, ...]]) -> str:
    """Return sections as text, their titles in a column of their own."""
    width = max(len(title) for title in sections) + 2
    lines = []
    for title, content in sections.items():
        for number, line in enumerate(content):
            lines.append(f"{title if number == 0 else '':<{width}}{line}".rstrip())
    return "\n".join(lines)


def _before(options: LoadOptions, *, attached: bool) -> tuple[str, ...]:
    lines = []
    if attached:
        lines += [
            f"GET {options.host}{options.agents_path}?limit=1",
            f"GET {options.host}{_path_of_first(options)}",
        ]
        lines += [f"GET {options.host}/api/health"]
    if options.agents_file is None and options.agent_id_prefix is None:
        pages = -(-options.agents // PAGE_ROWS)
        more = f", and up to {pages - 1} further pages" if pages > 1 else ""
        lines.append(f"GET {options.host}{options.agents_path}?limit={PAGE_ROWS}{more}")
        lines.append("the ids that it lists are polled; those below stand in for them")
    return tuple(lines) or ("nothing",)


def _request(options: LoadOptions, access: Access) -> tuple[str, ...]:
    masked = "".join(f"{line}\r\n" for line in access.masked())
    masked += "" if options.keep_alive else "Connection: close\r\n"
    endpoint = parse_endpoint(options.host, headers=masked, pending_route=options.pending_route)
    prefix = endpoint.get_prefix(endpoint.pending_path(_ids(options)[0])).decode("ascii")
    return (*(prefix + "…, another for each poll").split("\r\n"),)


def _schedule_lines(options: LoadOptions) -> tuple[str, ...]:
    schedule = _schedule(options)
    rate = f"{options.agents / options.interval_s:g} polls/s when all are there"
    lines = [
        (
            f"{format_count(options.agents)} agents, one poll each {format_duration(options.interval_s)}, "
            f"phases {options.phase_model}, seed {options.seed}: {rate}"
        )
    ]
    if options.run_time_s is None:
        lines.append("until it is stopped")
    else:
        polls = count_in_shape(schedule, options.shape, 0.0, options.run_time_s)
        lines.append(f"{format_count(polls)} polls in {format_duration(options.run_time_s)}")
    if not options.shape.is_steady:
        lines.append(f"agents come and go: {options.shape.name}")
    return tuple(lines)


def _first_polls(options: LoadOptions) -> tuple[str, ...]:
    schedule, shape, ids = _schedule(options), options.shape, _ids(options)
    end_s = _DAY_S if options.run_time_s is None else options.run_time_s

    def of_agent(index: int) -> "islice[tuple[float, int]]":
        starts = (
            (schedule.intended_start_s(index, k), index)
            for from_s, until_s in shape.windows(index)
            for k in range(schedule.count_before(index, from_s), schedule.count_before(index, min(until_s, end_s)))
        )
        return islice(starts, _FIRST_POLLS)

    firsts = heapq.nsmallest(_FIRST_POLLS, (start for index in range(options.agents) for start in of_agent(index)))
    endpoint = parse_endpoint(options.host, pending_route=options.pending_route)
    return tuple(
        f"{at_s:10.3f} s  GET {endpoint.base_path}{endpoint.pending_path(ids[index])}" for at_s, index in firsts
    ) or ("none",)


def _writes(options: LoadOptions) -> tuple[str, ...]:
    agents = format_count(options.agents)
    return (
        f"POST {options.host}{ORDER_PATH}: one for each of {agents} agents and wave",
        f"POST {options.host}{PROGRESS_ROUTE}: two for each deployment that is fetched",
    )


def _limits(options: LoadOptions) -> tuple[str, ...]:
    abort = (
        "never called off, whatever fails"
        if options.abort_ratio is None
        else f"called off when clearly more than {options.abort_ratio:.0%} of the polls fail"
    )
    writes = "writes allowed" if options.allow_writes else "read-only"
    return (f"at most {options.most_per_s:g} requests/s; {abort}; {writes}",)


def _ids(options: LoadOptions) -> tuple[str, ...]:
    if options.agents_file is not None:
        found = read_ids(options.agents_file)
        return tuple(found[index % len(found)] for index in range(options.agents))
    # Those that the target will list are not known: the reference master's look like these.
    return made_up_ids(options.agent_id_prefix or DEFAULT_PREFIX, options.agents)


def _path_of_first(options: LoadOptions) -> str:
    return parse_endpoint(options.host, pending_route=options.pending_route).pending_path(_ids(options)[0])


def _schedule(options: LoadOptions) -> Schedule:
    return Schedule(
        seed=options.seed,
        agents=options.agents,
        interval_s=options.interval_s,
        phase_model=options.phase_model,
        jitter_ratio=options.jitter_ratio,
    )
