"""The page's tables of splits, routes, connections and waves."""

from dataclasses import replace

import numpy as np

from harness.report.html import render_html
from harness.report.tables import connection_rows, route_rows, split_rows, wave_rows
from harness.report.traces import Traces
from tests.harness.report.test_captions_scene import pickups_of
from tests.harness.report.test_charts_scene import connecting
from tests.harness.report.test_html import HOSTILE, Page
from tests.harness.results import fleet, result_of


def test_everything_stands_in_the_page() -> None:
    columns = connecting(fleet(failing_ratio=0.04))
    result = result_of(columns)
    routed = replace(result, routes={"POST /api/deployments": result.summary}, gates_from="gates.toml (3 gates)")
    traces = Traces(pickups=pickups_of(1.0, None), keep_alive="The server closes them.")
    words = Page(render_html(routed, (), columns=columns, traces=traces)).words
    for told in (
        "Where the gates came from: gates.toml (3 gates).",
        "Quantile response time start lag connect handler database pool wait unexplained rest p50 4.38 ms",
        "Polls that opened one 300 of 300 New TCP connections per poll 1.00 Opening one took p50",
        "Keep-alive The server closes them.",
        "POST /api/deployments 300 6 (2.00 %) 4.38 ms 7.98 ms ∞ ∞ http-500 6",
        "Wave 1 15.0 s 2 1 0 1.00 s ∞ ∞",
    ):
        assert told in words, told


def test_what_there_is_nothing_of_has_no_table() -> None:
    words = Page(render_html(result_of(fleet()), (), columns=fleet(agents=0), traces=Traces())).words
    for heading in ("What each quantile is made of", "Connections", "Other routes", "Time to pickup", "Where the"):
        assert heading not in words
    assert [] == split_rows(fleet(agents=0), result_of(fleet(agents=0)).summary)
    assert [] == route_rows(result_of(fleet()))
    assert [] == wave_rows(result_of(fleet()), None)
    assert [] == connection_rows(result_of(fleet()), None, None)


def test_a_tls_target_is_told_as_one() -> None:
    columns = connecting(fleet())
    result = result_of(columns)
    secured = replace(result, run=replace(result.run, target=replace(result.run.target, url="https://staging")))
    rows = dict(connection_rows(secured, columns, None))
    assert "1.00" == rows["New TCP and TLS connections per poll"]
    assert rows["Opening one took"].endswith(", TLS included")


def test_unknown_connections_are_a_question_and_no_opened_one_a_dash() -> None:
    columns = replace(fleet(), new_connection=np.full(350, -1))
    rows = dict(connection_rows(result_of(columns), columns, None))
    assert ("?", "?", "–") == (
        rows["Polls that opened one"],
        rows["New TCP connections per poll"],
        rows["Opening one took"],
    )
    untimed = dict(connection_rows(result_of(fleet()), fleet(), None))
    assert "? (not measured)" == untimed["Opening one took"]
    assert "most polls found their connection still open" == untimed["Keep-alive"]


def test_routes_from_outside_are_only_text() -> None:
    result = result_of(fleet())
    hostile = replace(result, routes={HOSTILE: replace(result.summary, errors_by_kind={HOSTILE: 1})})
    page = Page(render_html(hostile, (), traces=Traces(keep_alive=HOSTILE), columns=fleet()))
    assert 0 == page.count("script") == page.count("img")
