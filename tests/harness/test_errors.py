"""Error texts: what, which value, which range, what to do, on one line."""

from harness.errors import ExitCode, HarnessError, UsageError, explain


def test_every_part_has_its_place() -> None:
    text = explain("option", "--agents", fault="no agents", got=0, need="1 or more", remedy="--agents 50")
    assert "option '--agents': no agents, got 0, need 1 or more; try --agents 50" == text


def test_parts_that_are_unknown_are_left_out() -> None:
    assert "load generator: did not start" == explain("load generator", fault="did not start")


def test_a_text_is_one_line_whatever_a_driver_said() -> None:
    assert "database 'x': refused: line one line two" == explain(
        "database", "x", fault="refused: line one\n\tline two"
    )


def test_exit_codes_are_the_documented_ones() -> None:
    assert {"PASS": 0, "OWN_ERROR": 1, "USAGE": 2, "FAIL": 3, "INCONCLUSIVE": 4, "INVALID": 5} == {
        code.name: code.value for code in ExitCode
    }
    assert (ExitCode.OWN_ERROR, ExitCode.USAGE) == (HarnessError("x").exit_code, UsageError("x").exit_code)
