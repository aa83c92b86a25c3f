"""`harness ab`: order, looks and ends with a leg that measures nothing real, and one real job on loopback."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from harness.ab.job import differences_of
from harness.ab.rounds import Measured, Plan, Round, Which, orders, run_rounds
from harness.ab.sides import words_of_settings
from harness.cli import main
from harness.errors import HarnessError, UsageError
from harness.model import RunState, Status
from harness.run import Outcome
from harness.rundir import RunDirectory
from tests.harness.comparison.test_compare import metric, record
from tests.harness.results import fleet, result_of, run_of
from tests.harness.servers import http_server

PAIR = ("--a", "", "--b", "")
PLAN = Plan(least_rounds=6, most_rounds=20, limit_ratio=0.1, confidence=0.95, metrics=("response_time",), seed=1)


def leg(ratio=1.0, *, spread=0.02, seed=1):
    """Return a leg whose B is `ratio` times as slow, on a machine whose rounds differ by half."""
    rng = np.random.default_rng(seed)
    machine = {}

    def measure(which, number):
        shared = machine.setdefault(number, rng.normal(0, 0.5))
        value = 0.1 * np.exp(shared + rng.normal(0, spread)) * (ratio if which is Which.B else 1.0)
        return record(number, metrics=(metric(float(value)),))

    return measure


def quiet(_sentence):
    return None


@pytest.mark.parametrize(("ratio", "status"), [(1.0, Status.PASS), (1.3, Status.FAIL), (0.5, Status.PASS)])
def test_a_clear_outcome_ends_the_job_at_the_first_look(ratio, status):
    measured = run_rounds(PLAN, leg(ratio), quiet)
    assert (status, 6) == (measured.status, len(measured.rounds))
    assert "every figure was clear after 6 rounds" == measured.stopped


def test_an_open_outcome_uses_all_rounds():
    measured = run_rounds(PLAN, leg(1.1), quiet)
    assert (Status.INCONCLUSIVE, 20) == (measured.status, len(measured.rounds))
    assert "all 20 rounds were used" == measured.stopped


def test_the_order_is_by_chance_and_balanced():
    found = orders(1, 101)
    assert found == orders(1, 101)
    assert found != orders(2, 101)
    assert all({Which.A, Which.B} == set(found[i : i + 2]) for i in range(0, 100, 2))


def test_legs_are_measured_in_the_order_that_is_told():
    told, legs = [], []
    plain = leg()

    def noted(which, number):
        legs.append((number, which))
        return plain(which, number)

    run_rounds(replace(PLAN, most_rounds=6), noted, told.append)
    first = orders(1, 6)[0]
    assert f"round 1 of 6 to 6: {first.upper()}, then {'B' if first is Which.A else 'A'}" == told[0]
    assert (1, first) == legs[0]
    assert 12 == len(legs)


def test_an_interrupt_judges_the_whole_rounds():
    plain = leg(1.5)

    def interrupted(which, number):
        if number == 5:
            raise KeyboardInterrupt
        return plain(which, number)

    measured = run_rounds(PLAN, interrupted, quiet)
    assert ("interrupted in round 5", 4, Status.FAIL) == (measured.stopped, len(measured.rounds), measured.status)


def test_an_interrupt_at_once_is_no_verdict():
    def interrupted(which, number):
        raise KeyboardInterrupt

    measured = run_rounds(PLAN, interrupted, quiet)
    assert (Status.INCONCLUSIVE, (), ()) == (measured.status, measured.rounds, measured.comparisons)


def test_a_round_that_fails_is_left_out_and_three_in_a_row_end_the_job():
    plain = leg()

    def once(which, number):
        if number == 2:
            raise HarnessError("target: gone")
        return plain(which, number)

    measured = run_rounds(PLAN, once, quiet)
    assert "target: gone" == measured.rounds[1].fault
    assert Status.PASS is measured.status

    legs = []

    def from_the_third(which, number):
        legs.append(number)
        if number >= 3:
            raise HarnessError("target: gone")
        return plain(which, number)

    with pytest.raises(HarnessError, match="target: gone"):
        run_rounds(PLAN, from_the_third, quiet)
    assert [1, 1, 2, 2, 3, 4, 5] == legs


def test_a_first_round_that_fails_ends_the_job_at_once():
    legs = []

    def always(which, number):
        legs.append(number)
        raise HarnessError("target: gone")

    with pytest.raises(HarnessError, match="target: gone"):
        run_rounds(PLAN, always, quiet)
    assert [1] == legs


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("respons_time", "metric 'respons_time': fits no figure that was measured; did you mean 'response_time'"),
        ("zzz", "metric 'zzz': fits no figure that was measured"),
    ],
)
def test_a_metric_that_nothing_measures_is_named_after_the_first_round(pattern, said):
    legs, plain = [], leg()

    def counted(which, number):
        legs.append(number)
        return plain(which, number)

    with pytest.raises(UsageError) as caught:
        run_rounds(replace(PLAN, metrics=("response_time", pattern)), counted, quiet)
    assert (said, [1, 1]) == (str(caught.value), legs)


def test_a_round_with_a_busy_generator_does_not_count():
    plain = leg()

    def spoilt(which, number):
        status = Status.INVALID if number == 1 and which is Which.B else Status.PASS
        return replace(plain(which, number), status=status)

    measured = run_rounds(PLAN, spoilt, quiet)
    assert "the load generator was at fault in B's leg" == measured.rounds[0].fault
    assert 5 == measured.comparisons[0].baseline_n


@pytest.mark.slow
def test_the_same_thing_twice_fails_in_at_most_five_per_cent():
    """With a limit of 0, the hardest one, and a machine whose rounds differ by half."""
    plan = replace(PLAN, limit_ratio=0.0, most_rounds=14)
    failed = sum(
        run_rounds(replace(plan, seed=seed), leg(spread=0.1, seed=seed), quiet).status is Status.FAIL
        for seed in range(300)
    )
    assert failed / 300 <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_settings_become_words():
    assert ("--target-delay=5ms", "--target-pool-size=5") == words_of_settings(
        "target-delay=5ms, target-pool-size=5"
    )
    assert ("--target-delay=5ms",) == words_of_settings("--target-delay=5ms")
    assert () == words_of_settings("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "setting 'fast': no name with a value, need options of harness run as name=value, such as"),
        ("frobnicate=1", "setting 'frobnicate': no option of harness run; try harness run --help"),
        ("target-dely=5ms", "setting 'target-dely': no option of harness run; try 'target-delay'"),
        ("users=3", "setting 'users': one for both sides, or they do different work; try --users"),
        ("run-time=9s", "setting 'run-time': one for both sides, or they do different work; try --round-time"),
        (
            "out=x",
            "setting 'out': about judging or output, and a leg is only measured, need an option of the load",
        ),
        ("target-delay='5ms", "settings 'target-delay='5ms': can't be read: No closing quotation"),
    ],
)
def test_settings_that_a_side_can_t_have_are_named(text, said):
    with pytest.raises(UsageError) as caught:
        words_of_settings(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "what is to be compared?, got none of them"),
        (["--a", "", "--host-a", "http://127.0.0.1:1"], "what is to be compared?, got several of them"),
        (["--host-a", "http://127.0.0.1:1"], "one side is missing, need --host-a and --host-b"),
        (["--rev-b", "HEAD"], "one side is missing, need --rev-a and --rev-b"),
        (["--a", ""], "one side is missing, need --a and --b; try '' for the options as they are"),
        ([*PAIR, "--rounds", "3"], "option '--rounds': out of range, got 3, need 4 to 1000"),
        ([*PAIR, "--max-rounds", "3"], "option '--max-rounds': out of range, got 3, need 4 to 1000"),
        (
            [*PAIR, "--rounds", "10", "--max-rounds", "5"],
            "option '--rounds': more than --max-rounds, got 10, need 5 or fewer",
        ),
        (["--a", "agents-file=", "--b", "deployments=x"], "settings: argument --deployments: invalid int value"),
        ([*PAIR, "-u", "0"], "option '--agents': no agents"),
        (["--rev-a", "nix-nix", "--rev-b", "HEAD"], "revision 'nix-nix': no revision of the repository"),
        ([*PAIR, "--limit", "-5%"], "not a ratio"),
    ],
)
def test_what_can_t_work_is_named_before_anything_starts(capsys, tmp_path, words, said):
    assert 2 == main(["ab", "--out", str(tmp_path / "runs"), *words])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_host_that_does_not_answer_costs_no_round(capsys, tmp_path):
    """The second side too is asked before anything is measured."""
    with http_server(lambda _path: (200, "application/json", b"[]")) as there:
        words = ["--host-a", there, "--host-b", "http://127.0.0.1:1", "--out", str(tmp_path / "runs")]
        assert 1 == main(["ab", *words])
    told = capsys.readouterr().err
    assert "target 'http://127.0.0.1:1/api/agents?limit=1': no answer" in told
    assert "round 1" not in told
    assert not (tmp_path / "runs").exists()


def test_a_leg_that_was_called_off_is_no_interrupt(capsys, tmp_path, monkeypatch):
    """It says which side's target was going down; an interrupt would judge what there is and say nothing of it."""
    why = "the run was called off after 3 s: more than half of the polls fail"
    result = result_of(fleet(), run=run_of(state=RunState.INTERRUPTED, called_off=why))
    outcome = Outcome(result=result, directory=RunDirectory(tmp_path), drawing_fault=None)
    monkeypatch.setattr("harness.ab.job.execute", lambda *_, **__: outcome)
    assert 1 == main(["ab", *PAIR, "--out", str(tmp_path / "runs")])
    told = capsys.readouterr().err
    assert "harness: A and B are the same: what is found is the machine's own spread\n" in told
    assert f"leg '{orders(1, 1)[0].upper()}': not whole: {why}\n" in told
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("text", ["[gates]\nquick = 'pool_use < 1%, abort_on_fail'\n", "no TOML"])
def test_a_gate_file_of_the_folder_has_no_part_in_it(capsys, monkeypatch, tmp_path, text):
    """It would cut legs short, or hide that the generator was at fault, and nothing would name it."""
    (tmp_path / "gates.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    judged = []

    def execute(_options, _interrupt, *, drawn, gates):
        judged.append(gates.source)
        raise HarnessError("target: gone")

    monkeypatch.setattr("harness.ab.job.execute", execute)
    assert 1 == main(["ab", *PAIR])
    assert ["the targets of the specification (8 gates)"] == judged
    assert "harness: target: gone\n" in capsys.readouterr().err


def test_what_was_asked_to_differ_and_the_working_directory_are_no_differences():
    a = [record(i, target="embedded at 1", scenario_digest="aaa", dirty=True, branch="main") for i in range(4)]
    b = [record(i, target="embedded at 2", scenario_digest="bbb", dirty=True, branch="topic") for i in range(4)]
    rounds = [Round(number=i, first=Which.A, a=a[i], b=b[i], fault=None) for i in range(4)]
    measured = Measured(rounds=tuple(rounds), comparisons=(), status=Status.INCONCLUSIVE, stopped="")
    assert ("branch: main in A, topic in B.",) == differences_of(measured)


@pytest.mark.slow
def test_a_real_job_sees_a_delay(capsys, tmp_path):
    """Two embedded targets on loopback, one of them 300 ms slower, which no busy machine can hide."""
    words = ["ab", "--a", "", "--b", "target-delay=300ms", "-u", "5", "--interval", "400ms", "--round-time", "3s"]
    words += ["--warmup", "1s", "--deployments", "100", "--rounds", "4", "--max-rounds", "4", "--json"]
    code = main([*words, "--metric", "response_time", "--out", str(tmp_path / "runs")])
    told = json.loads(capsys.readouterr().out)
    p50 = next(c for c in told["comparisons"] if c["quantile"] == 0.5)
    assert "FAIL" == p50["status"]
    assert p50["change_ratio"] > 1
    assert 3 == code
    (folder,) = (tmp_path / "runs").iterdir()
    assert told["id"] == folder.name
    assert told == json.loads((folder / "ab.json").read_text())
    assert random.Random(told["seed"]).random() == random.Random(1).random()
