"""Simulations and timings behind docs/verdicts.md: ``python -m benchmarks.judge``."""
