"""Benchmarks asked for by name are run: what keeps them out of the tests does not hold here."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """
    Switch benchmarking on, which the project's settings switch off for the tests.

    This file is read before the command line is finished only where a folder of benchmarks was named on it.
    """
    asked = set(config.invocation_params.args)
    if not asked & {"--benchmark-disable", "--benchmark-skip"}:
        config.option.benchmark_disable = False
        config.option.benchmark_enable = True
