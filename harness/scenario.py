"""Scenarios as records: named, seeded descriptions of the work with a digest that tells equal ones."""

import hashlib
import json
from collections.abc import Mapping

from harness.model import Scenario


def make_scenario(
    *,
    name: str,
    agents: int,
    interval_s: float,
    run_time_s: float,
    warmup_s: float,
    phase_model: str,
    seed: int,
    parameters: Mapping[str, float | str] | None = None,
) -> Scenario:
    """
    Build a scenario and its digest.

    The digest leaves the seed out: two seeds are two draws of the same work, and their runs compare.

    Returns:
        The scenario; equal arguments (but for the seed) give an equal digest on every machine and version.
    """
    described: list[object]
    described = [name, agents, float(interval_s), float(run_time_s), float(warmup_s), phase_model]
    if parameters:
        described.append({key: parameters[key] for key in sorted(parameters)})
    return Scenario(
        name=name,
        agents=agents,
        interval_s=interval_s,
        run_time_s=run_time_s,
        warmup_s=warmup_s,
        phase_model=phase_model,
        seed=seed,
        digest=hashlib.sha256(json.dumps(described).encode()).hexdigest()[:12],
        parameters=dict(parameters or {}),
    )
