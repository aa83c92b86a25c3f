"""Figures for charts over many runs: names that stay, finite numbers, one direction a file."""

import json
import math
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.model import Direction, Interval, Status
from harness.report.github_benchmark import render_github_benchmark, render_openmetrics
from harness.report.judged import gate_figures, judged_result
from tests.harness.report.judgements import judged, nasty, nothing, p
from tests.harness.results import finding, fleet, result_of

ROUTE = "/api/deployments/pending/{agent_id}"


def test_a_run_gives_smaller_and_bigger_figures_by_names_that_do_not_depend_on_the_gates() -> None:
    result = judged_result(result_of(fleet()))
    smaller = json.loads(render_github_benchmark(result))
    names = [entry["name"] for entry in smaller]
    assert f"response_time p95 {ROUTE}" in names
    assert f"service_time p99 {ROUTE}" in names
    assert f"error_ratio {ROUTE}" in names
    assert len(names) == len(set(names))
    assert not any("index" in name or "poll_rate" in name for name in names)
    bigger = json.loads(render_github_benchmark(result, bigger_is_better=True))
    assert [f"achieved_rate {ROUTE}"] == [entry["name"] for entry in bigger]
    p95 = next(entry for entry in smaller if entry["name"] == f"response_time p95 {ROUTE}")
    assert "ms" == p95["unit"]
    assert 1 < p95["value"] < 20
    assert p95["extra"].endswith("; n = 300; 20261123T083000Z-3f9a")
    assert "range" in p95


def test_without_gates_the_polls_own_figures_are_still_there() -> None:
    result = result_of(fleet())
    bare = replace(result, verdict=nothing().verdict)
    gated = {entry["name"] for entry in json.loads(render_github_benchmark(judged_result(result)))}
    ungated = {entry["name"] for entry in json.loads(render_github_benchmark(judged_result(bare)))}
    assert f"response_time p99 {ROUTE}" in ungated
    assert ungated < gated


def test_what_was_not_measured_or_is_infinite_is_left_out() -> None:
    all_failed = judged_result(result_of(fleet(failing_ratio=1.0)))
    entries = json.loads(render_github_benchmark(all_failed))
    assert f"response_time p50 {ROUTE}" not in [entry["name"] for entry in entries]
    nobody = judged_result(result_of(fleet(agents=0)))
    assert [] == json.loads(render_github_benchmark(nobody))
    odd = [finding(p("a"), Status.FAIL, math.nan), finding(p("b"), Status.INCONCLUSIVE, None)]
    assert [] == list(gate_figures(judged(*odd).verdict))


def test_a_figure_in_doubt_is_in_no_chart() -> None:
    result = result_of(fleet())
    name = f"response_time p95 {ROUTE}"
    doubted = tuple(
        replace(f, status=Status.INVALID) if f.gate.name == "p95" else f for f in result.verdict.findings
    )
    late = replace(result, verdict=replace(result.verdict, findings=doubted))
    assert name in [entry["name"] for entry in json.loads(render_github_benchmark(judged_result(result)))]
    assert name not in [entry["name"] for entry in json.loads(render_github_benchmark(judged_result(late)))]


def test_a_gate_that_wants_more_is_better_bigger_and_an_open_interval_is_no_range() -> None:
    above = replace(p("rate"), metric="achieved_rate", unit="per_s", quantile=None, direction=Direction.ABOVE)
    open_ended = Interval(low=3.0, high=None)
    (figure,) = gate_figures(judged(finding(above, Status.PASS, 5.0, interval=open_ended)).verdict)
    assert figure.bigger_is_better
    assert None is figure.spread
    assert ("1/s", 5.0) == (figure.unit, figure.value)


def test_openmetrics_ends_with_its_mark_and_leaves_unknown_out() -> None:
    findings = [finding(p("a"), Status.FAIL, math.inf), finding(p("b"), Status.INCONCLUSIVE, None)]
    lines = render_openmetrics(judged(*findings)).decode().splitlines()
    assert "# EOF" == lines[-1]
    labels = f'metric="response_time",subject="{ROUTE}",unit="s"'
    assert f'harness_gate_measured{{gate="a",{labels}}} +Inf' in lines
    assert not any(line.startswith('harness_gate_measured{gate="b"') for line in lines)
    assert f'harness_gate_status{{gate="b",{labels}}} 4.0' in lines


def test_openmetrics_is_what_the_prometheus_client_reads() -> None:
    families = list(text_string_to_metric_families(render_openmetrics(nasty()).decode()))
    assert ["harness_gate_measured", "harness_gate_limit", "harness_gate_status"] == [f.name for f in families]
    assert "x</failure>]]> ::error::owned" in families[0].samples[0].labels["gate"]
