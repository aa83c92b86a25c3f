"""`harness capacity` as a user calls it: what it refuses, and one search on a real target."""

import json
from pathlib import Path

import pytest

from harness.cli import main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--run-time", "60s"],
            "option '--run-time': not for a search of many runs; try --step-time for their length",
        ),
        (["--dry-run"], "option '--dry-run': not for a search of many runs; try --step-time for their length"),
        (["--scenario", "spike"], "option '--scenario': capacity is that of steady polling, got spike"),
        (["-u", "0"], "option '--agents': out of range, got 0, need 1 to 20000"),
        (["-u", "500", "--most", "400"], "option '--agents': out of range, got 500, need 1 to 400"),
        (["--most", "1000000"], "option '--most': out of range, got 1000000, need 1 to 100000"),
        (["--max-runs", "0"], "option '--max-runs': out of range, got 0, need 1 to 1000"),
        (["--at-least", "0"], "option '--at-least': out of range, got 0, need 1 to 100000"),
        (["--interval", "0s"], "option '--interval': not a time to wait, got 0 s, need 1 ms or more"),
        (["--step-time", "5s"], "option '--step-time': too short, got 5s, need 10 s or more, one interval"),
        (["--precision", "0%"], "option '--precision': out of range, got 0%, need 1% to 100%"),
    ],
)
def test_usage(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 2 == main(["capacity", *arguments])
    assert f"harness: {expected}\n" == capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_help_offers_nothing_that_a_search_has_no_use_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["capacity", "--help"])
    shown = capsys.readouterr().out
    assert "first fleet (default: 100)" in shown
    for option in ("--run-time", "--dry-run", "--scenario", "--stop-when-settled", "--ramp-for", "--junit"):
        assert option not in shown.partition("options:")[0], option


@pytest.mark.slow
def test_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A target whose polls take 100 ms serves nobody within 50 ms, and any few agents within 5 s.

    So the limit that breaks is known on any machine, however busy.
    """
    monkeypatch.chdir(tmp_path)
    common = ["capacity", "--interval", "200ms", "--step-time", "4s", "-u", "1", "--deployments", "100", "--json"]
    common += ["--target-delay", "100ms", "--no-default-gates", "--history", "kept"]
    assert 3 == main([*common, "--gate", "p(50) < 50ms", "--max-runs", "4"])
    broke = json.loads(capsys.readouterr().out)
    assert (None, 1, "FAIL", "p50") == (broke["agents"], broke["fails_at"], broke["status"], broke["first_limit"])
    assert not Path("kept").exists()
    assert 0 == main([*common, "--gate", "p(50) < 5s", "--most", "2", "--at-least", "2"])
    held = json.loads(capsys.readouterr().out)
    assert (2, None, "PASS") == (held["agents"], held["fails_at"], held["status"])
    assert [1, 2] == [step["agents"] for step in held["steps"]]
    folder = next(path for path in Path("runs").iterdir() if path.name == held["id"])
    assert (folder / "capacity.json").exists()
    assert (folder / "capacity.png").exists()
    assert 1 == len(list(Path("kept").rglob("*.json")))
