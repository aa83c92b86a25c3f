"""The endpoints, asked as a client would."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine

from monitoring import Handle, Settings
from monitoring.histogram import Histogram
from monitoring.schemas import EndpointAnswer, HealthAnswer, MetricsAnswer
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client, FakeClock

PENDING = "/api/deployments/pending/{agent_id}"
Install = Callable[..., tuple[Client, Handle]]


@pytest.fixture
def client_at(engine: Engine, install: Install, clock: FakeClock) -> Client:
    """Return a client of the small master on the clock that is moved by hand."""
    return install(master(engine), engine, clock=clock)[0]


def metrics(client: Client, query: str = "") -> MetricsAnswer:
    return MetricsAnswer.model_validate_json(client.get(f"/api/metrics{query}").body)


def pending(client: Client, query: str = "") -> EndpointAnswer:
    return EndpointAnswer.model_validate_json(client.get(f"/api/metrics/pending-deployments{query}").body)


def test_named_endpoint_before_the_first_request(client: Client) -> None:
    """`pending-deployments` answers with zeros and None before any request, never 404."""
    endpoint = pending(client).endpoint
    assert endpoint.route == PENDING
    assert endpoint.method == "GET"
    assert endpoint.total_requests == 0
    assert endpoint.error_rate == 0.0
    assert endpoint.requests_per_second == 0.0
    assert endpoint.response_time.count == 0
    assert endpoint.response_time.p99_ms is None
    assert endpoint.queries_per_request is None


def test_counts_by_route_template(client: Client) -> None:
    """Requests are counted by template, with their statements and waits; our own endpoints are quiet."""
    for agent in ("a", "b", "c"):
        assert client.get(f"/api/deployments/pending/{agent}").status == 200
    client.get("/boom")
    client.get("/missing")
    client.get("/no/such/path")
    answer = metrics(client)
    assert {("GET", PENDING): 3, ("GET", "/boom"): 1, ("GET", "/missing"): 1, ("GET", "<unmatched>"): 1} == {
        (one.method, one.route): one.total_requests for one in answer.endpoints
    }
    polled = answer.endpoints[0]
    assert polled.queries_per_request == 1.0
    assert polled.query_time.count == 3
    assert polled.pool_wait.count == 3
    assert polled.database_time.count == 3
    assert answer.totals.total_requests == 6
    assert answer.totals.errors.by_status == {"404": 2, "500": 1}
    assert answer.totals.errors.by_exception == {"ValueError": 1}
    assert answer.totals.error_rate == pytest.approx(1 / 6)
    assert answer.totals.client_error_rate == pytest.approx(2 / 6)
    assert answer.monitoring.faults == 0


def test_pool_figures(client: Client) -> None:
    """The pool's size, peak, waits and holds are there."""
    client.get("/api/deployments/pending/a")
    [pool] = metrics(client).database_pools
    assert pool.engine == "sqlite"
    assert pool.pool_class == "QueuePool"
    assert (pool.size, pool.max_overflow, pool.capacity) == (5, 10, 15)
    assert pool.checked_out == 0
    assert pool.peak_checked_out == 1
    assert pool.peak_usage_ratio == pytest.approx(1 / 15)
    assert pool.wait.count == 1
    assert pool.hold.count == 1
    assert pool.timeouts == 0


def test_histograms_on_request(client: Client) -> None:
    """`?histograms=true` puts each histogram's stored form in; without it there is none."""
    client.get("/api/deployments/pending/a")
    assert pending(client).endpoint.response_time.histogram is None
    stored = pending(client, "?histograms=true").endpoint.response_time.histogram
    assert stored is not None
    assert Histogram.from_json(stored).n == 1


def test_windows_are_exact_to_a_second(engine: Engine, install: Install, clock: FakeClock) -> None:
    """`since` and `until` cut out just their seconds; the answer says what was covered."""
    client, _ = install(master(engine), engine, clock=clock)
    start_s = clock.now_s
    for _ in range(60):
        client.get("/api/deployments/pending/a")
        clock.advance(1.0)
    answer = pending(client, f"?since={start_s + 10}&until={start_s + 25}")
    assert answer.endpoint.total_requests == 15
    assert answer.endpoint.requests_per_second == 1.0
    assert answer.window.length_s == 15.0
    assert answer.window.resolution_s == 1.0
    assert answer.window.since.timestamp() == start_s + 10
    assert pending(client, "?window=20s").endpoint.total_requests == 20
    assert pending(client, "?window=5m").window.length_s == 60.0, "no longer than the service runs"
    assert pending(client).endpoint.total_requests == 60


def test_iso_instants(engine: Engine, install: Install, clock: FakeClock) -> None:
    """Instants are taken as ISO 8601 too, with a decoded plus sign forgiven."""
    clock.now_s = 1_800_000_000.0
    client, _ = install(master(engine), engine, clock=clock)
    client.get("/api/deployments/pending/a")
    clock.advance(5)
    for since in ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00", "2027-01-15T09:00:00+01:00"):
        assert pending(client, f"?since={since.replace('+', '%2B')}").endpoint.total_requests == 1
    assert pending(client, "?since=2027-01-15T09:00:00+01:00").endpoint.total_requests == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("window=6q", "duration 'window': not understood, got '6q', need 100ms, 60s, 5m or 7d"),
        ("window=-5s", "duration 'window': not understood, got '-5s', need 100ms, 60s, 5m or 7d"),
        ("window=0s", "parameter 'window': empty, got '0s', need more than 0s"),
        ("window=5s&since=3", "parameter 'window': given together with since, need one of them"),
        ("window=1e-9", "duration 'window': not understood, got '1e-9', need 100ms, 60s, 5m or 7d"),
        ("window=0.000000001s", "parameter 'window': empty, got '0.000000001s', need more than 0s"),
        ("histograms=maybe", "parameter 'histograms': not understood, got 'maybe', need true or false"),
        (
            "since=yesterday",
            (
                "instant 'since': not understood, got 'yesterday', "
                "need ISO 8601 such as 2026-05-01T12:00:00Z, or seconds since the epoch"
            ),
        ),
        ("since=200&until=100", "parameter 'since': not before the end of the window, got '200'"),
        ("since=99999999999", "parameter 'since': not before the end of the window, got '99999999999'"),
        (
            "since=9000000000&until=9900000000",
            "parameter 'since': not before the end of the window, got '9000000000'",
        ),
        ("since=0001-01-01", "instant 'since': out of range, got '0001-01-01', need the years 1970 to 9999"),
        (
            "since=999999999999999&until=9999999999999999",
            "instant 'until': out of range, got '9999999999999999', need the years 1970 to 9999",
        ),
        (
            "until=2001-09-09T01:46:40",
            (
                "parameter 'until': not after the start of the service, got 2001-09-09T01:46:40+00:00; "
                "try since as well: what was before is kept"
            ),
        ),
    ],
)
def test_bad_parameters(client: Client, query: str, detail: str) -> None:
    """A parameter that can't be used gives a 400 that names it."""
    answer = client.get(f"/api/metrics?{query}")
    assert answer.status == 400
    assert answer.json() == {"detail": detail}


@pytest.mark.parametrize("query", ["window=99999999999d", f"window={'9' * 400}d", "since=0", "until=9999-12-31"])
def test_a_window_longer_than_what_is_held(client: Client, query: str) -> None:
    """Asking for more than there is gives what there is, and says what that was."""
    client.get("/api/deployments/pending/a")
    answer = client.get(f"/api/metrics?{query}")
    assert answer.status == 200
    assert answer.json()["totals"]["total_requests"] == 1
    assert answer.json()["window"]["length_s"] < 60


def test_health(client: Client) -> None:
    """Health says pass, with basic stats and the pools."""
    client.get("/api/deployments/pending/a")
    answer = client.get("/api/health")
    assert answer.headers["content-type"] == "application/health+json"
    health = HealthAnswer.model_validate_json(answer.body)
    assert health.status == "pass"
    assert health.total_requests == 1
    assert health.error_rate == 0.0
    assert [pool.engine for pool in health.database_pools] == ["sqlite"]


def test_health_warns_while_figures_are_in_memory_only(
    install: Install, settings: Settings, clock: FakeClock
) -> None:
    """The service is well, yet a restart would lose its figures: a warning, and the metrics say why."""
    client, _ = install(FastAPI(), None, settings, clock=clock)
    settings.log_dir.write_text("in the way")
    client.get("/nowhere")
    answer = client.get("/api/health")
    assert (answer.status, answer.json()["status"]) == (200, "warn")
    assert answer.json()["checks"]["store"] == {
        "status": "warn",
        "observed": None,
        "unit": None,
        "output": "figures are kept in memory only",
    }
    own = metrics(client).monitoring
    assert own.store is None
    assert own.store_trouble is not None
    assert own.store_trouble.startswith(f"{settings.store_path}: ")
    assert metrics(client).totals.total_requests == 1


def test_a_clock_that_steps_back(client_at: Client, clock: FakeClock) -> None:
    """An hour back under a running service: every answer is one, no length is negative, nothing is lost."""
    client_at.get("/api/deployments/pending/a")
    clock.advance(10)
    clock.now_s -= 3600
    client_at.get("/api/deployments/pending/a")
    for query in ("", "?window=5m", "?since=0", f"?until={clock.now_s}"):
        answer = metrics(client_at, query)
        assert answer.window.length_s >= 0
        assert answer.window.since <= answer.window.until
    assert metrics(client_at).totals.total_requests == 2
    health = client_at.get("/api/health").json()
    assert (health["status"], health["total_requests"], health["uptime_s"]) == ("pass", 2, 10.0)
    clock.advance(3600)
    assert metrics(client_at, "?window=2h").totals.total_requests == 2


def test_openapi_documents_them(engine: Engine, install: Install, settings: Settings) -> None:
    """The endpoints stand in the OpenAPI document, unless settings hide them; the rest of it is as before."""
    bare = master(engine).openapi()
    app = master(engine)
    install(app, engine)
    shown = app.openapi()
    assert set(shown["paths"]) - set(bare["paths"]) >= {"/api/health", "/api/metrics"}
    parameters = [one["name"] for one in shown["paths"]["/api/metrics"]["get"]["parameters"]]
    assert parameters == ["window", "since", "until", "histograms"]
    hidden = FastAPI()
    install(hidden, None, settings.model_copy(update={"openapi": False}))
    assert hidden.openapi()["paths"] == {}


def test_server_timing(engine: Engine, install: Install, settings: Settings) -> None:
    """The header tells handler, database and pool in milliseconds, when it is switched on."""
    client, _ = install(master(engine), engine, settings.model_copy(update={"server_timing": True}))
    parts = client.get("/api/deployments/pending/a").headers["server-timing"].split(", ")
    assert [part.split(";dur=")[0] for part in parts] == ["handler", "db", "pool"]
    handler_ms, database_ms, pool_ms = (float(part.split("=")[1]) for part in parts)
    assert handler_ms > database_ms > 0
    assert pool_ms > 0


def test_openapi_tells_of_every_status(install: Install, settings: Settings) -> None:
    """What is answered beside 200 is documented; 401 only where a token is asked for."""
    app, locked = FastAPI(), FastAPI()
    install(app, None, settings)
    install(locked, None, settings.model_copy(update={"token": SecretStr("x"), "service": "other"}))

    def statuses(one: FastAPI) -> dict[str, list[str]]:
        return {path: sorted(item["get"]["responses"]) for path, item in one.openapi()["paths"].items()}

    open_ones = {
        "/api/health": ["200", "503"],
        "/api/health/ready": ["200", "503"],
        "/api/health/live": ["200"],
        "/api/metrics": ["200", "400", "503"],
        "/api/metrics/pending-deployments": ["200", "400", "503"],
        "/api/metrics/prometheus": ["200", "501", "503"],
    }
    assert open_ones == statuses(app)
    assert {
        path: found if path.endswith("live") else sorted([*found, "401"]) for path, found in open_ones.items()
    } == statuses(locked)
