"""The gallery's made-up runs show what their names say; the command that draws them is too slow for a test."""

from benchmarks.gallery.runs import drifts, joining, restarted, rolled_out, searched


def test_a_soak_whose_memory_grows_and_whose_response_time_does_not() -> None:
    assert {"p95": False, "memory": True} == {series.name: series.grows for series in drifts()}


def test_every_made_up_run_can_be_made() -> None:
    for make in (joining, restarted, rolled_out):
        assert make().shown
    assert searched().knee_agents == 1600
