"""From Locust's options to a run that is ready to begin: alone, as a master, or as a worker's part."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from locust.runners import MasterRunner

from harness.credentials import read_access
from harness.errors import HarnessError
from harness.load.agents import RunnerPost
from harness.load.behaviours import behaviour_for
from harness.load.command import LoadOptions
from harness.load.credentials import destination_of
from harness.load.distribution import MasterRun
from harness.load.distribution_worker import WorkerPart
from harness.load.dry_run import as_text, dry_run
from harness.load.fleet import Report
from harness.load.options import read_options
from harness.load.plan import Plan, make_plan, make_schedule, prepare_directory, raise_file_limit
from harness.load.run import LocalRun

_PATHS = ("agents_file", "ca_file", "samples_dir")
_log = logging.getLogger("pollgauge")


def make_run(
    environment: Any,
    scenario: str,
    *,
    agents: int,
    run_time_s: float | None,
    report: Report,
    on_fault: Callable[[HarnessError], None],
) -> LocalRun | MasterRun:
    """
    Make the run of a process that has files: the only one, or the master of several.

    Args:
        environment: Locust's.
        scenario: name of what the agents do.
        agents: fleet size.
        run_time_s: length of the run [s]; None for one without an end.
        report: see `harness.load.fleet.Fleet`.
        on_fault: see `harness.load.fleet.Fleet`.

    Raises:
        UsageError: options that can't work.
        HarnessError: the target or the folder would not do.
    """
    options = _read(environment, scenario, agents=agents, run_time_s=run_time_s)
    make_schedule(options)
    destination = destination_of(options)
    plan = make_plan(options, destination)
    if isinstance(environment.runner, MasterRunner):
        directory = prepare_directory(options)
        return MasterRun(plan, directory, post=RunnerPost(environment.runner), on_fault=on_fault)
    plan = replace(plan, warnings=plan.warnings + _allow_files(options, options.agents))
    return LocalRun(
        plan,
        prepare_directory(options),
        destination=destination,
        behaviour=behaviour_for(options, destination),
        report=report,
        on_fault=on_fault,
    )


def make_part(environment: Any, scenario: str, data: dict[str, Any], *, report: Report) -> WorkerPart:
    """
    Make a worker's part of a run, as the master has planned it.

    Args:
        environment: Locust's.
        scenario: name of what the agents do.
        data: what the master sent.
        report: see `harness.load.fleet.Fleet`.

    Raises:
        HarnessError: what the master has planned can't be done here.
    """
    ids = tuple(data["agent_ids"])
    options = _read(environment, scenario, agents=len(ids), run_time_s=data["run_time_s"])
    for warning in _allow_files(options, len(ids) // data["of"] + 1):
        _log.warning("%s", warning)
    destination = destination_of(options)
    return WorkerPart(
        data,
        Plan(options=options, schedule=make_schedule(options), shape=options.shape, agent_ids=ids),
        destination=destination,
        behaviour=behaviour_for(options, destination),
        post=RunnerPost(environment.runner),
        report=report,
    )


def would_be_sent(environment: Any, scenario: str) -> str:
    """
    Return what a dry run says, for a terminal.

    Raises:
        HarnessError: options that can't work, or credentials that can't be read.
    """
    parsed = environment.parsed_options
    options = read_options(
        parsed,
        host=environment.host,
        agents=1 if parsed.num_users is None else parsed.num_users,
        run_time_s=float(parsed.run_time) if parsed.run_time else None,
        scenario=scenario,
    )
    access = read_access(
        host=options.host,
        header_env=options.header_env,
        ca_file=options.ca_file,
        insecure_token=options.insecure_token,
    )
    return f"{as_text(dry_run(options, access, attached=False))}\n\nnothing was sent\n"


def _read(environment: Any, scenario: str, *, agents: int, run_time_s: float | None) -> LoadOptions:
    parsed = environment.parsed_options
    # Locust carries them as text, see `spell_paths`.
    paths = {name: Path(value) for name in _PATHS if (value := getattr(parsed, name)) is not None}
    return read_options(
        type(parsed)(**{**vars(parsed), **paths}),
        host=environment.host,
        agents=agents,
        run_time_s=run_time_s,
        scenario=scenario,
    )


def _allow_files(options: LoadOptions, agents: int) -> tuple[str, ...]:
    return raise_file_limit(agents) if options.keep_alive else ()
