"""The options of `harness run`, read into a record and refused where they can't work. Light to import."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backend.config import DESIGNS
from harness.credentials import NO_ACCESS, Access, read_access
from harness.errors import UsageError, explain
from harness.model import PENDING_ROUTE
from harness.project import history_place
from harness.scenarios import DEFAULT_SCENARIO, Values, read_values, scenario_kind, typed_values
from harness.staging import (
    DEFAULT_AGENTS_PATH,
    LOOPBACK_MOST_PER_S,
    check_agents_path,
    check_pending_route,
    check_rate,
    check_writes,
    most_per_s,
    read_abort_ratio,
    with_base_path,
)
from harness.units import parse_duration_s, parse_ratio

if TYPE_CHECKING:
    from harness.load.command import LoadOptions
    from harness.model import Scenario

_MOST_AGENTS = 100_000
_MOST_ROWS = 100_000_000
_LONGEST_S = 1e9
"""31 years [s]: `harness.rundir` takes a stored run beyond for a damaged one, and no schedule could count it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """
    What `harness run` was asked for.

    Args:
        host: base URL of a running target; None starts the embedded one.
        agents: fleet size.
        interval_s: polling interval of an agent [s].
        run_time_s: length of the load, the warm-up included [s].
        warmup_s: first part that is not judged [s]; None is one interval.
        phase_model: how the agents' phases lie in the interval.
        seed: of the schedule and of the embedded target's rows.
        out: folder that gets the run's folder.
        database_url: of the embedded target's database, or of an attached target's to be asked for its plans.
        deployments: rows that an embedded target's database is filled with.
        request_timeout_s: for one poll [s].
        target_delay_s: artificial delay in the embedded target [s].
        target_error_ratio: artificial share of errors in the embedded target, 0..1.
        target_pool_size: connections that the embedded target's pool may open; None for its default.
        target_hold_s: how long each poll keeps its connection in the embedded target [s].
        target_drop_index: index that the embedded target is left without; None for none.
        target_design: how the embedded target's polled endpoint is built.
        scenario: name of one of `harness.scenarios`.
        parameters: the scenario's own, every one of them.
        access: token, headers and authorities, for an attached target.
        header_env: the headers as they were named, to be read anew from the environment by the load.
        insecure_token: whether secrets may go over plain http to another machine.
        agents_path: where an attached target lists its agents.
        pending_route: path that is polled.
        agents_file: file with one agent id a line; None asks the target.
        agent_id_prefix: makes ids up; None asks the target.
        allow_writes: whether the scenario may change an attached target's data.
        most_per_s: ceiling on the requests a second.
        abort_ratio: share of failed polls from which on the target counts as going down; None for never.
        history: folder or URL of the history that the run is recorded in; None for none.
        gates_file: gate file; None looks for one.
        gate_texts: gates of the command line.
        default_gates: whether gates that nobody named count too.
        processes: how many processes share the agents; 1 drives them all.
        keep_alive: whether a connection is kept between polls for as long as the target keeps it.
        stop_when_settled: whether the run may end as soon as every gate on its samples is settled.
    """

    host: str | None
    agents: int
    interval_s: float
    run_time_s: float
    warmup_s: float | None
    phase_model: str
    seed: int
    out: Path
    database_url: str | None
    deployments: int
    request_timeout_s: float
    target_delay_s: float
    target_error_ratio: float
    target_pool_size: int | None = None
    target_hold_s: float = 0.0
    target_drop_index: str | None = None
    target_design: str = "reference"
    scenario: str = DEFAULT_SCENARIO
    parameters: Values = field(default_factory=dict)
    access: Access = NO_ACCESS
    header_env: tuple[str, ...] = ()
    insecure_token: bool = False
    agents_path: str = DEFAULT_AGENTS_PATH
    pending_route: str = PENDING_ROUTE
    agents_file: Path | None = None
    agent_id_prefix: str | None = None
    processes: int = 1
    keep_alive: bool = True
    allow_writes: bool = False
    most_per_s: float = LOOPBACK_MOST_PER_S
    abort_ratio: float | None = 0.5
    history: str | None = None
    gates_file: Path | None = None
    gate_texts: tuple[str, ...] = ()
    default_gates: bool = True
    stop_when_settled: bool = False


def read_run_options(parsed: argparse.Namespace) -> RunOptions:
    """
    Turn what argparse read into a record.

    Raises:
        UsageError: a duration, a ratio or a URL is none.
    """
    from harness.http import check_base_url

    host = None
    if parsed.host is not None:
        host = with_base_path(check_base_url(parsed.host, option="--host"), parsed.base_path)
    run_time = scenario_kind(parsed.scenario).run_time if parsed.run_time is None else parsed.run_time
    return RunOptions(
        host=host,
        agents=parsed.agents,
        interval_s=parse_duration_s(parsed.interval, name="--interval"),
        run_time_s=parse_duration_s(run_time, name="--run-time"),
        warmup_s=None if parsed.warmup is None else parse_duration_s(parsed.warmup, name="--warmup"),
        phase_model=parsed.phase_model,
        seed=parsed.seed,
        processes=parsed.processes,
        keep_alive=parsed.keep_alive != "off",
        out=parsed.out,
        database_url=parsed.database_url,
        deployments=parsed.deployments,
        request_timeout_s=parse_duration_s(parsed.request_timeout, name="--request-timeout"),
        target_delay_s=parse_duration_s(parsed.target_delay, name="--target-delay"),
        target_error_ratio=parse_ratio(parsed.target_error_ratio, name="--target-error-ratio"),
        target_pool_size=parsed.target_pool_size,
        target_hold_s=parse_duration_s(parsed.target_hold, name="--target-hold"),
        target_drop_index=parsed.target_drop_index,
        target_design=parsed.target_design,
        scenario=parsed.scenario,
        parameters=read_values(parsed.scenario, typed_values(parsed)),
        access=read_access(
            host=host,
            header_env=parsed.header_env,
            ca_file=parsed.ca_file,
            insecure_token=parsed.insecure_token,
        ),
        header_env=tuple(parsed.header_env),
        insecure_token=parsed.insecure_token,
        agents_path=check_agents_path(parsed.agents_path),
        pending_route=check_pending_route(parsed.pending_route),
        agents_file=parsed.agents_file,
        agent_id_prefix=parsed.agent_id_prefix,
        allow_writes=parsed.allow_writes,
        most_per_s=most_per_s(parsed.max_rate, host),
        abort_ratio=read_abort_ratio(parsed.abort_errors),
        history=None if parsed.no_history else history_place(parsed.history, out=parsed.out),
        gates_file=parsed.gates_file,
        gate_texts=tuple(parsed.gate_texts),
        default_gates=not parsed.no_default_gates,
        stop_when_settled=parsed.stop_when_settled,
    )


def check_options(options: RunOptions) -> "Scenario":
    """
    Refuse what can't work before anything is started.

    Returns:
        The scenario that the options describe.

    Raises:
        UsageError: the first value that can't work, by the name of its option.
        HarnessError: the file of agent ids can't be read.
    """
    from harness.load.identities import read_ids
    from harness.scenario import make_scenario

    _check_ranges(options)
    if options.agents_file is not None:
        # Before a target is started and filled.
        read_ids(options.agents_file)
    scenario = make_scenario(
        name=options.scenario,
        agents=options.agents,
        interval_s=options.interval_s,
        run_time_s=options.run_time_s,
        warmup_s=options.interval_s if options.warmup_s is None else options.warmup_s,
        phase_model=options.phase_model,
        seed=options.seed,
        parameters=options.parameters,
    )
    check_rate(agents=options.agents, interval_s=options.interval_s, most=options.most_per_s)
    check_writes(
        scenario=options.scenario,
        writes=scenario_kind(options.scenario).writes,
        host=options.host,
        allowed=options.allow_writes,
    )
    if scenario.measured_s < scenario.interval_s:
        least_s = scenario.warmup_s + scenario.interval_s
        raise UsageError(
            explain(
                "option",
                "--run-time",
                fault="after the warm-up there is less than one polling interval left to measure",
                got=f"{options.run_time_s:g} s with {scenario.warmup_s:g} s of warm-up",
                need=f"{least_s:g} s or more",
                remedy=f"--run-time {least_s + 5 * scenario.interval_s:g}s",
            )
        )
    return scenario


def load_options(options: RunOptions, scenario: "Scenario", *, host: str, folder: Path | None) -> "LoadOptions":
    """
    Return what the load is told of a run.

    Args:
        options: of the run.
        scenario: that they describe.
        host: base URL of the target, whoever started it.
        folder: gets the samples; None where nothing is going to be sent.
    """
    from harness.load.command import LoadOptions

    return LoadOptions(
        host=host,
        agents=options.agents,
        interval_s=options.interval_s,
        run_time_s=options.run_time_s,
        seed=options.seed,
        samples_dir=folder,
        phase_model=options.phase_model,
        request_timeout_s=options.request_timeout_s,
        warmup_s=scenario.warmup_s,
        agents_file=options.agents_file,
        agent_id_prefix=options.agent_id_prefix,
        processes=options.processes,
        keep_alive=options.keep_alive,
        scenario=options.scenario,
        parameters=options.parameters,
        agents_path=options.agents_path,
        pending_route=options.pending_route,
        header_env=options.header_env,
        ca_file=options.access.ca_file,
        insecure_token=options.insecure_token,
        # The embedded target is ours, and free for everything.
        allow_writes=options.allow_writes or options.host is None,
        most_per_s=options.most_per_s,
        abort_ratio=options.abort_ratio,
    )


def _check_ranges(options: RunOptions) -> None:
    whole_seconds = options.run_time_s == int(options.run_time_s)
    pool_size, dropped = options.target_pool_size, options.target_drop_index
    artificial = options.target_delay_s > 0 or options.target_error_ratio > 0 or options.target_hold_s > 0
    artificial = artificial or pool_size is not None or dropped is not None or options.target_design != DESIGNS[0]
    interval = f"{options.interval_s:g} s"
    longest = f"{_LONGEST_S:.0f} s or less"
    wrong = (
        (options.agents < 1, "--agents", "no agents", options.agents, "1 or more"),
        (options.agents > _MOST_AGENTS, "--agents", "too many", options.agents, f"{_MOST_AGENTS} or fewer"),
        (options.interval_s < 0.001, "--interval", "not a time to wait", interval, "1 ms or more"),
        (not 1 <= options.processes <= 256, "--processes", "out of range", options.processes, "1..256"),
        (options.seed < 0, "--seed", "below zero", options.seed, "0 or more"),
        (options.deployments < 0, "--deployments", "less than none", options.deployments, "0 or more"),
        (
            options.deployments > _MOST_ROWS,
            "--deployments",
            "too many",
            options.deployments,
            f"{_MOST_ROWS} or fewer",
        ),
        (options.request_timeout_s <= 0, "--request-timeout", "no time at all", "0 s", "more than 0 s"),
        (
            pool_size is not None and not 1 <= pool_size <= 1000,
            "--target-pool-size",
            "out of range",
            pool_size,
            "1..1000",
        ),
        (options.interval_s > _LONGEST_S, "--interval", "too long", interval, longest),
        (options.run_time_s > _LONGEST_S, "--run-time", "too long", f"{options.run_time_s:g} s", longest),
        (not whole_seconds, "--run-time", "no whole seconds", f"{options.run_time_s:g} s", "a form such as 70s"),
    )
    for is_wrong, option, fault, got, need in wrong:
        if is_wrong:
            raise UsageError(explain("option", option, fault=fault, got=got, need=need))
    if options.host is not None and artificial:
        fault = "options that begin with --target are for the embedded target only"
        raise UsageError(explain("option", "--host", fault=fault, remedy="leaving one of them out"))
    if options.database_url is not None and dropped is not None:
        fault = "the index would stay dropped in a database that is somebody's"
        raise UsageError(
            explain("option", "--target-drop-index", fault=fault, remedy="leaving --database-url out")
        )
