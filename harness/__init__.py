"""Load tests, gates and reports for a deployment master that a fleet of agents polls."""

__version__ = "0.1.0"
