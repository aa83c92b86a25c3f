"""Benchmarks asked for by name are run: what keeps them out of the tests does not hold here."""

import pytest

GROWTHS = pytest.StashKey[list[dict[str, object]]]()
"""How each hot path's time grew with its table; see `benchmarks.indexes.test_hot_paths`."""


def pytest_configure(config: pytest.Config) -> None:
    """
    Switch benchmarking on, which the project's settings switch off for the tests.

    This file is read before the command line is finished only where a folder of benchmarks was named on it.
    """
    asked = set(config.invocation_params.args)
    if not asked & {"--benchmark-disable", "--benchmark-skip"}:
        config.option.benchmark_disable = False
        config.option.benchmark_enable = True


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, object]) -> None:
    """Keep the growths beside the benchmarks: they are verdicts over many sizes, and no benchmark's own figure."""
    if growths := config.stash.get(GROWTHS, None):
        output_json["growths"] = growths
