"""Scenarios: each file can be run by plain Locust, and by the harness."""
