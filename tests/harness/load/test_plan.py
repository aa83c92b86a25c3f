"""What stands in a fleet's way is said before it begins."""

import resource
from pathlib import Path

import pytest

from harness.load import plan


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """A machine with limits of the test's own; nothing is set for real."""
    limits: dict[str, object] = {"soft": 1024, "hard": 4096, "set": None}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limits["soft"], limits["hard"]))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limits.update(set=values))
    ports = tmp_path / "ports"
    ports.write_text("10000\t10999\n")
    monkeypatch.setattr(plan, "_PORTS", ports)
    return limits


def test_the_limit_is_raised_as_far_as_needed(machine: dict[str, object]) -> None:
    assert plan.raise_file_limit(1000) == ()
    assert machine["set"] == (1064, 4096)


def test_a_limit_that_will_do_is_left_alone(machine: dict[str, object]) -> None:
    assert plan.raise_file_limit(50) == ()
    assert machine["set"] is None


@pytest.mark.parametrize("hard", [resource.RLIM_INFINITY])
def test_a_machine_without_a_hard_limit(machine: dict[str, object], hard: int) -> None:
    machine["hard"] = hard
    assert plan.raise_file_limit(900) == ()
    assert machine["set"] is None
    machine["soft"] = 100
    assert plan.raise_file_limit(900) == ()
    assert machine["set"] == (964, hard)


def test_too_few_files_and_too_few_ports_are_told_with_their_cure(machine: dict[str, object]) -> None:
    files, ports = plan.raise_file_limit(5000)
    assert machine["set"] == (4096, 4096)
    assert files == (
        "This machine allows a process 4096 open files, and 5000 agents may hold a connection each: polls beyond "
        "that fail as generator-limit; raise the hard limit (ulimit -Hn 5064), share the agents among "
        "--processes, or let each poll have a connection of its own with --keep-alive off."
    )
    assert ports == (
        "This machine has 1000 ports for connections to one address, and 5000 agents may hold one each: polls "
        "beyond that fail as generator-limit; widen net.ipv4.ip_local_port_range, use several machines, or let "
        "each poll have a connection of its own with --keep-alive off."
    )


def test_ports_that_the_system_does_not_tell_of_are_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_PORTS", Path("/nonexistent"))
    assert plan.raise_file_limit(1500) == ()
