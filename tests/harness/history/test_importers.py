"""Each format by its content, whole where the format allows, and what was not understood counted."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.history.importers import files_in, import_source
from harness.history.importers.reading import Account, NotThisFormatError, Source
from harness.history.records import encode_record
from harness.history_model import HistoryRecord, Metric
from harness.model import Direction, Interval
from tests.harness.history.support import distribution, record

DATA = Path(__file__).resolve().parents[2] / "data" / "importers"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def source(content: bytes | str | object, path: Path | None = None) -> Source:
    if isinstance(content, str):
        content = content.encode()
    elif not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return Source(path=path or Path("nowhere/else/file"), content=content, at=AT)


def account_of(given: Source) -> Account:
    account = import_source(given)
    assert account is not None
    return account


def from_file(name: str) -> Account:
    return account_of(source((DATA / name).read_bytes(), DATA / name))


def sole(account: Account) -> HistoryRecord:
    (one,) = account.records
    return one


def figure(one: HistoryRecord, subject: str, metric: str, quantile: float | None = None) -> Metric:
    (found,) = (m for m in one.metrics if (m.subject, m.metric, m.quantile) == (subject, metric, quantile))
    return found


def test_pytest_benchmark_as_stored() -> None:
    account = from_file("pytest-benchmark/0003_stored.json")
    one = sole(account)
    assert ("pytest-benchmark", "2015-08-15T00:01:57.053896Z") == (one.source, one.at_utc)
    assert ("5b78858eb718649a31fb93d8dc96ca2cee41a4cd", True) == (one.commit, one.dirty)
    subject = "tests/test_normal.py::test_xfast_parametrized[0]"
    median = figure(one, subject, "time", 0.5)
    assert (2.1855036417643228e-07, "s", 11126) == (median.value, median.unit, median.n)
    assert {"stddev", "q1", "q3", "iterations", "options", "outliers"} <= median.extra.keys()
    assert {"the machine's host name, which no history keeps": 1} == account.not_understood
    assert "minibox" not in encode_record(one).decode()


def test_pytest_benchmark_with_its_raw_data() -> None:
    one = sole(from_file("pytest-benchmark/json_with_data.json"))
    raw = json.loads((DATA / "pytest-benchmark/json_with_data.json").read_bytes())["benchmarks"][0]["stats"]
    (held,) = one.distributions
    assert ("main", False, "2026-11-20T09:00:00Z") == (one.branch, one.dirty, one.commit_utc)
    assert (len(raw["data"]), 0, "ms") == (held.n, held.failures, held.unit)
    assert (min(raw["data"]), max(raw["data"])) == pytest.approx(
        ((held.histogram.min_s or 0) / 1e3, (held.histogram.max_s or 0) / 1e3)
    )
    assert sorted(raw["data"])[37] == figure(one, "test_bench.py::test_sorted", "time", 0.95).value
    assert [] == [m for m in one.metrics if m.quantile == 0.99]  # forty values have no 99th percentile
    assert 12 == len(one.environment_key or "")


def test_raw_data_below_a_microsecond_keep_their_resolution() -> None:
    document = json.loads((DATA / "pytest-benchmark/json_with_data.json").read_bytes())
    document["benchmarks"][0]["stats"]["data"] = [3e-9, 4e-9, 2.0]
    (held,) = sole(account_of(source(document))).distributions
    assert ("ms", 3) == (held.unit, len(held.histogram.packed()[0]))


def test_github_action_benchmark_history() -> None:
    account = from_file("github-action-benchmark/data.js")
    assert (3, Counter()) == (len(account.records), account.not_understood)
    one = account.records[0]
    assert ("94224601e5b46153ef2b6c4d43ac130e6e89a1b2", "2025-10-13T19:24:09Z") == (one.commit, one.commit_utc)
    assert ("2025-10-13T19:31:40.438000Z", "HDF5 Performance Benchmarks") == (one.at_utc, one.scenario)
    assert {"sec"} == {metric.unit for metric in one.metrics}
    assert {Direction.BELOW} == {metric.direction for metric in one.metrics}
    assert 2 == len({one.commit for one in account.records})  # one was measured twice
    assert 3 == len({one.id for one in account.records})


def test_github_action_benchmark_array() -> None:
    bench = [
        {"name": "sort", "unit": "ops/sec", "value": 120.5, "range": "± 3 %", "extra": "3 runs"},
        {"name": "load", "unit": "ms", "value": "12.5"},
        {"name": "broken", "unit": "ms", "value": "n/a"},
    ]
    account = account_of(source(bench))
    one = sole(account)
    sort, load = one.metrics
    assert ("rate", 120.5, Direction.ABOVE, {"range": "± 3 %", "extra": "3 runs"}) == (
        sort.metric,
        sort.value,
        sort.direction,
        sort.extra,
    )
    assert ("time", 12.5, "ms", Direction.BELOW) == (load.metric, load.value, load.unit, load.direction)
    assert {"bench without a name or a number": 1} == account.not_understood
    assert "2026-11-20T12:00:00Z" == one.at_utc
    assert ("The file tells no time: this is when it was last written.",) == one.notes


def test_locust_stats() -> None:
    one = sole(from_file("locust/agg_stats.csv"))
    route = "GET /things/[id]"
    assert [15.0, 43.0, 170.0] == [figure(one, route, "response_time", q).value for q in (0.5, 0.95, 0.99)]
    assert "160" == figure(one, "GET /fails", "response_time", 0.5).extra["p98"]
    assert 8 / 29 == figure(one, "GET /fails", "error_ratio").value
    assert 111 == figure(one, "Aggregated", "request_count").value
    assert "Locust rounds response times: above 100 ms to two digits." in one.notes


def test_locust_history_counts_at_its_end() -> None:
    account = from_file("locust/agg_stats_history.csv")
    one = sole(account)
    assert "2026-11-23T12:03:12Z" == one.at_utc
    assert [14.0, 50.0, 170.0] == [figure(one, "Aggregated", "response_time", q).value for q in (0.5, 0.95, 0.99)]
    assert (111, 5) == (
        figure(one, "Aggregated", "request_count").value,
        figure(one, "Aggregated", "users").value,
    )
    assert {"row of the course within the run": 5} == account.not_understood


def test_locust_full_history_does_not_take_the_last_seconds_for_the_run() -> None:
    account = from_file("locust/full_stats_history.csv")
    assert {0.5, None} == {metric.quantile for metric in sole(account).metrics}
    assert 3 == account.not_understood["percentiles of the last seconds, which are not the run's"]


def test_locust_json() -> None:
    one = sole(from_file("locust/stats.json"))
    route = "GET /things/[id]"
    (held,) = (d for d in one.distributions if d.subject == route)
    assert (89, 0, "response_time") == (held.n, held.failures, held.metric)
    assert "2026-11-23T12:03:12.367361Z" == one.at_utc
    median = figure(one, route, "response_time", 0.5).value
    assert median == pytest.approx(1000 * (held.histogram.quantile(0.5) or 0), rel=0.008)
    assert {"response_time", "response_time_with_failures"} == {d.metric for d in one.distributions}


K6_TREND = {"avg": 43.5, "min": 23.3, "med": 39.7, "max": 1269.0, "p(95)": 59.7, "p(99.9)": 109.8}
K6_EXPORT = {
    "root_group": {
        "name": "",
        "groups": {},
        "checks": {"ok": {"name": "status is 200", "passes": 98, "fails": 2}},
    },
    "metrics": {
        "http_req_duration": {**K6_TREND, "thresholds": {"p(95)<200": False, "avg<150": False}},
        "http_req_duration{expected_response:true}": K6_TREND,
        "http_reqs": {"count": 100, "rate": 10.0},
        "http_req_failed": {"passes": 2, "fails": 98, "value": 0.02},
        "checks": {"passes": 98, "fails": 2, "value": 0.98},
        "data_sent": {"count": 8500, "rate": 848.8},
        "vus": {"value": 1, "min": 1, "max": 5},
        "odd": {"something": 1},
    },
}
K6_KINDS = {
    "http_req_duration": ("trend", "time"),
    "http_req_duration{expected_response:true}": ("trend", "time"),
    "http_reqs": ("counter", "default"),
    "http_req_failed": ("rate", "default"),
    "checks": ("rate", "default"),
    "data_sent": ("counter", "data"),
    "vus": ("gauge", "default"),
    "odd": ("other", "default"),
}


def k6_handled() -> dict[str, Any]:
    """Return what handleSummary gets for the same run."""
    metrics: dict[str, Any] = {}
    for name, told in K6_EXPORT["metrics"].items():
        kind, contains = K6_KINDS[name]
        values = {("rate" if kind == "rate" and key == "value" else key): v for key, v in told.items()}
        thresholds = values.pop("thresholds", {})
        metrics[name] = {"type": kind, "contains": contains, "values": values}
        if thresholds:
            metrics[name]["thresholds"] = {expression: {"ok": True} for expression in thresholds}
    group = {"name": "", "groups": [], "checks": [{"name": "status is 200", "passes": 98, "fails": 2}]}
    return {"root_group": group, "metrics": metrics, "state": {"testRunDurationMs": 10012.5, "isStdOutTTY": True}}


@pytest.mark.parametrize("document", [K6_EXPORT, k6_handled()], ids=["summary-export", "handleSummary"])
def test_k6_in_both_forms(document: dict[str, Any]) -> None:
    account = account_of(source(document))
    one = sole(account)
    p95 = figure(one, "http_req_duration", "time", 0.95)
    assert (59.7, "ms", 200.0, "p(95)<200") == (p95.value, p95.unit, p95.limit, p95.extra["threshold"])
    assert (43.5, 150.0) == (
        figure(one, "http_req_duration", "time_mean").value,
        figure(one, "http_req_duration", "time_mean").limit,
    )
    assert 109.8 == figure(one, "http_req_duration{expected_response:true}", "time", 0.999).value
    failed = figure(one, "http_req_failed", "error_ratio")
    assert (0.02, 100, Direction.BELOW) == (failed.value, failed.n, failed.direction)
    assert (0.98, Direction.ABOVE) == (
        figure(one, "checks", "ratio").value,
        figure(one, "checks", "ratio").direction,
    )
    assert (100.0, 10.0) == (figure(one, "http_reqs", "count").value, figure(one, "http_reqs", "rate").value)
    assert (8500.0, "bytes") == (figure(one, "data_sent", "count").value, figure(one, "data_sent", "count").unit)
    assert 0.02 == figure(one, "check status is 200", "error_ratio").value
    assert {"metric odd": 1} == account.not_understood


def test_asv_results() -> None:
    name = "asv/results/cheetah/fcf8c079-py2.7-Cython-numpy1.8.json"
    account = from_file(name)
    one = sole(account)
    assert ("fcf8c079fae7ebad9f27bd31a819f0e4fdd85b99", "2013-04-28T05:38:39Z") == (one.commit, one.commit_utc)
    assert ("Dated by its commit: the file does not tell when it was measured.",) == one.notes
    assert (0.15283851623535155, "seconds") == (
        figure(one, "time_quantity.time_quantity_array_conversion", "time", 0.5).value,
        figure(one, "time_quantity.time_quantity_array_conversion", "time", 0.5).unit,
    )
    # The list of benchmarks has the last word on units, not the name.
    assert (344.0, "seconds") == (
        figure(one, "time_units.mem_unit", "time", 0.5).value,
        figure(one, "time_units.mem_unit", "time", 0.5).unit,
    )
    assert 4.0 == figure(one, "time_other.time_parameterized(2)", "time", 0.5).value
    assert Interval(low=3.1, high=3.9) == figure(one, "time_ci_small", "time", 0.5).interval
    assert ("failed", None) == (
        figure(one, "time_AAA_failure", "time", 0.5).extra["state"],
        figure(one, "time_AAA_failure", "time", 0.5).value,
    )
    assert "skipped" == figure(one, "time_AAA_skip", "time", 0.5).extra["state"]
    assert {} == account.not_understood


def test_asv_results_of_the_present_form() -> None:
    document = {
        "version": 2,
        "commit_hash": "abc123",
        "env_name": "py3.12",
        "date": 1760000000000,
        "params": {"machine": "m", "cpu": "c", "os": "Linux"},
        "python": "3.12",
        "requirements": {},
        "result_columns": ["result", "params", "version", "started_at", "duration", "stats_ci_99_a",
                           "stats_ci_99_b", "stats_q_25", "stats_q_75", "number", "repeat", "samples"],
        "results": {
            "suite.time_it": [[0.5, None], [["1", "2"]], "v1", 1760000500000, 2.0, [0.4, None], [0.6, None],
                              [0.45, None], [0.55, None], [1, None], [5, None], [[0.5, 0.6], None]],
        },
    }  # fmt: skip
    account = account_of(source(document))
    one = sole(account)
    assert ("2025-10-09T09:01:40Z", "2025-10-09T08:53:20Z") == (one.at_utc, one.commit_utc)
    first = figure(one, "suite.time_it(1)", "time", 0.5)
    assert (0.5, Interval(low=0.4, high=0.6), "0.45") == (first.value, first.interval, first.extra["q_25"])
    assert (2, 0.6) == (one.distributions[0].n, (one.distributions[0].histogram.max_s or 0))
    assert None is figure(one, "suite.time_it(2)", "time", 0.5).value
    told = "unit of the benchmarks: no benchmarks.json in the folder above, told by their names"
    assert {told: 1} == account.not_understood


def test_hyperfine() -> None:
    result = {
        "command": "sleep 0.1",
        "mean": 0.11,
        "stddev": 0.01,
        "median": 0.105,
        "user": 0.001,
        "system": 0.002,
        "min": 0.1,
        "max": 0.13,
        "times": [0.1, 0.105, 0.13],
        "exit_codes": [0, 0, 1],
    }
    one = sole(account_of(source({"results": [result]})))
    assert (0.105, 3, "0.01") == (
        figure(one, "sleep 0.1", "time", 0.5).value,
        figure(one, "sleep 0.1", "time", 0.5).n,
        figure(one, "sleep 0.1", "time", 0.5).extra["stddev"],
    )
    assert 1 / 3 == figure(one, "sleep 0.1", "error_ratio").value
    assert (3, 0.13) == (one.distributions[0].n, one.distributions[0].histogram.max_s)


def test_bencher() -> None:
    account = account_of(
        source(
            {
                "sort": {"latency": {"value": 88.0, "lower_value": 87.4, "upper_value": 88.9}},
                "serve": {"throughput": {"value": 1200.0}, "joy": {"value": 1.0}},
            }
        )
    )
    one = sole(account)
    latency = figure(one, "sort", "latency")
    assert (88.0, "ns", Interval(low=87.4, high=88.9)) == (latency.value, latency.unit, latency.interval)
    assert Direction.ABOVE == figure(one, "serve", "throughput").direction
    assert {"unit of the measure 'joy', which the file does not tell": 1} == account.not_understood


def test_own_records_keep_their_ids() -> None:
    original = record(0, distributions=(distribution(),))
    assert original == sole(account_of(source(encode_record(original))))


@pytest.mark.parametrize(
    "name", [path.relative_to(DATA).as_posix() for path in files_in(DATA) if "aaaa" not in path.name]
)
def test_importing_twice_gives_the_same_ids(name: str) -> None:
    content = (DATA / name).read_bytes()
    try:
        first, second = (import_source(source(content, DATA / name)) for _ in range(2))
    except NotThisFormatError:
        return
    assert first == second


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"not json", "no JSON"),
        (b"[]", "of no known format; known are: records, exports and results of this harness, pytest-benchmark"),
        (b"{}", "of no known format"),
        (b'{"a": 1}', "of no known format"),
        (b"window.BENCHMARK_DATA = {", "its window.BENCHMARK_DATA is no JSON"),
        (b'{"benchmarks": 1, "machine_info": {}}', "its benchmarks are no list"),
        (b"Timestamp,User Count,Type,Name,Requests/s\n", "a head without a row"),
        (b'{"metrics": {}, "root_group": {}}', "no metrics in it"),
        (b'{"commit_hash": "a", "results": {}, "params": {}}', "no results in it"),
        (b'{"results": []}', "no results in it"),
        (b"[" * 100_000, "no JSON"),
        ((DATA / "asv/results/cheetah/aaaaaaaa-py2.7-Cython-numpy1.8.json").read_bytes(), "no JSON"),
        ((DATA / "asv/results/cheetah/bbbbbbbb-py2.7-Cython-numpy1.8.json").read_bytes(), "of no known format"),
        ((DATA / "locust/agg_failures.csv").read_bytes(), "no JSON"),
    ],
    ids=str,
)
def test_what_is_of_no_format_says_why(content: bytes, why: str) -> None:
    with pytest.raises(NotThisFormatError) as fault:
        import_source(source(content))
    assert why in str(fault.value)


def test_files_that_belong_to_others_are_no_fault() -> None:
    for name in ("asv/results/benchmarks.json", "asv/results/cheetah/machine.json"):
        assert None is import_source(source((DATA / name).read_bytes(), DATA / name))


def test_a_torn_row_is_counted() -> None:
    content = (DATA / "locust/agg_stats.csv").read_bytes()
    account = account_of(source(content[: content.rfind(b",50,")]))
    assert {"torn row": 1} == account.not_understood
