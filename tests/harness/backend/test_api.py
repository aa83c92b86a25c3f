"""The endpoints, on both databases: what they answer, what they refuse, and what they tell about themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, insert, select

from harness.backend.app import create_app
from harness.backend.config import BackendConfig
from harness.backend.database import make_sole_engine
from harness.backend.models import Deployment, DeploymentEvent
from harness.backend.queries import pending_statement
from harness.backend.seed import seed
from harness.backend.states import DeploymentStatus
from tests.harness.backend.conftest import NOW, Master

ORDER = {"agent_id": "agent-1", "artifact": "billing-api", "version": "1.0", "created_by": "ci"}
NOW_TEXT = "2026-03-01T12:00:0{}.000250Z"


@pytest.fixture
def fleet(master: Master) -> Master:
    """A master with two agents."""
    for number in (2, 1):
        assert 201 == master.post("/api/agents", {"id": f"agent-{number}", "name": f"edge {number}"}).status_code
    return master


def test_an_agent_registers_with_an_id_of_its_own_or_gets_one(master: Master) -> None:
    own = master.post("/api/agents", {"id": "agent-1", "name": "edge 1"})
    given = master.post("/api/agents", {"name": "edge 2"})
    assert (201, 201) == (own.status_code, given.status_code)
    assert {
        "id": "agent-1",
        "name": "edge 1",
        "registered_by": "agent",
        "registered_at": NOW_TEXT.format(0),
        "last_seen_at": None,
    } == own.json()
    assert 32 == len(given.json()["id"])
    assert [own.json(), given.json()] == sorted(
        master.get("/api/agents").json()["agents"], key=lambda agent: agent["registered_at"]
    )


@pytest.mark.parametrize("body", [{"id": "agent-1", "name": "other"}, {"id": "other", "name": "edge 1"}])
def test_an_id_or_a_name_is_taken_once(fleet: Master, body: dict[str, str]) -> None:
    answer = fleet.post("/api/agents", body)
    text = f"an agent with the id '{body['id']}' or the name '{body['name']}' is registered already"
    assert (409, {"detail": text}) == (answer.status_code, answer.json())


def test_agents_come_in_pages_ordered_by_id(fleet: Master) -> None:
    def ids(**page: int) -> tuple[list[str], int]:
        answer = fleet.get("/api/agents", **page).json()
        return [agent["id"] for agent in answer["agents"]], answer["total"]

    assert (["agent-1", "agent-2"], 2) == ids(limit=1000)
    assert (["agent-1"], 2) == ids(limit=1)
    assert (["agent-2"], 2) == ids(limit=1, offset=1)
    assert ([], 2) == ids(offset=2)


def test_no_agents_is_an_empty_page(master: Master) -> None:
    assert {"agents": [], "total": 0} == master.get("/api/agents").json()
    assert {"deployments": [], "more": False} == master.get("/api/deployments").json()


def test_a_deployment_starts_pending_and_can_be_read_back(fleet: Master) -> None:
    created = fleet.post("/api/deployments", ORDER)
    expected = {
        **ORDER,
        "id": 1,
        "status": "pending",
        "created_at": NOW_TEXT.format(2),
        "updated_at": NOW_TEXT.format(2),
    }
    assert (201, expected) == (created.status_code, created.json())
    assert "/api/deployments/1" == created.headers["location"]
    assert {"deployment": expected, "events": []} == fleet.get("/api/deployments/1").json()


def test_a_deployment_for_nobody_is_refused(fleet: Master) -> None:
    answer = fleet.post("/api/deployments", {**ORDER, "agent_id": "agent-9"})
    assert (404, {"detail": "there is no agent with the id 'agent-9'"}) == (answer.status_code, answer.json())


def test_pending_answers_what_an_agent_has_to_do_oldest_first(fleet: Master) -> None:
    """Rows are put in newest first, so that the order of the answer can't be the order of the table."""
    for version in ("1.0", "1.1", "1.2"):
        fleet.post("/api/deployments", {**ORDER, "version": version})
    fleet.post("/api/deployments", {**ORDER, "agent_id": "agent-2"})
    fleet.post("/api/deployments/2/progress", {"status": "in_progress", "reported_by": "agent-1"})
    answer = fleet.get("/api/deployments/pending/agent-1")
    assert 200 == answer.status_code
    assert "agent-1" == answer.json()["agent_id"]
    assert [1, 3] == [deployment["id"] for deployment in answer.json()["deployments"]]
    assert {**ORDER, "status": "pending"} == {
        name: answer.json()["deployments"][0][name] for name in (*ORDER, "status")
    }


def test_pending_is_ordered_by_creation_not_by_number(fleet: Master, engine: Engine) -> None:
    later, earlier = NOW.replace(hour=13), NOW.replace(hour=11)
    with engine.begin() as connection:
        rows = [
            {**ORDER, "status": DeploymentStatus.PENDING, "created_at": at, "updated_at": at}
            for at in (later, earlier)
        ]
        connection.execute(insert(Deployment), rows)
    found = fleet.get("/api/deployments/pending/agent-1").json()["deployments"]
    assert [2, 1] == [deployment["id"] for deployment in found]


def test_an_agent_with_nothing_to_do_is_told_from_an_unknown_one(fleet: Master) -> None:
    nothing = fleet.get("/api/deployments/pending/agent-1")
    assert (200, {"agent_id": "agent-1", "deployments": []}) == (nothing.status_code, nothing.json())
    unknown = fleet.get("/api/deployments/pending/agent-9")
    assert (404, {"detail": "there is no agent with the id 'agent-9'"}) == (unknown.status_code, unknown.json())


def test_deployments_are_listed_newest_first_by_agent_and_state(fleet: Master) -> None:
    for agent in ("agent-1", "agent-2", "agent-1"):
        fleet.post("/api/deployments", {**ORDER, "agent_id": agent})
    fleet.post("/api/deployments/1/progress", {"status": "cancelled", "reported_by": "operator"})

    def listed(**query: object) -> tuple[list[int], bool]:
        answer = fleet.get("/api/deployments", **query).json()
        return [deployment["id"] for deployment in answer["deployments"]], answer["more"]

    assert ([3, 2, 1], False) == listed()
    assert ([3, 2], True) == listed(limit=2)
    assert ([1], False) == listed(limit=2, offset=2)
    assert ([3, 1], False) == listed(agent_id="agent-1")
    assert ([1], False) == listed(status="cancelled")
    assert ([3], False) == listed(status="pending", agent_id="agent-1")


def test_deployments_are_listed_by_their_time_of_creation(fleet: Master) -> None:
    """`since` belongs to the window and `until` does not, in whatever zone they are given."""
    for _ in range(3):
        fleet.post("/api/deployments", ORDER)
    times = [one["created_at"] for one in fleet.get("/api/deployments").json()["deployments"]]

    def listed(**query: str) -> list[str]:
        return [one["created_at"] for one in fleet.get("/api/deployments", **query).json()["deployments"]]

    assert times[:2] == listed(since=times[1])
    assert times[2:] == listed(until=times[1])
    assert times[1:2] == listed(since=times[1], until=times[0])
    assert times == listed(since=times[2].replace("T12:", "T14:").replace("Z", "+02:00"))


def test_deployments_of_a_state_are_counted(fleet: Master) -> None:
    for _ in range(3):
        fleet.post("/api/deployments", ORDER)
    fleet.post("/api/deployments/2/progress", {"status": "cancelled", "reported_by": "operator"})
    counts = {
        status.value: fleet.get("/api/deployments/count", status=status.value).json()["count"]
        for status in DeploymentStatus
    }
    assert {"pending": 2, "in_progress": 0, "succeeded": 0, "failed": 0, "cancelled": 1} == counts
    assert 422 == fleet.get("/api/deployments/count").status_code


def test_an_agent_is_found_by_its_name(fleet: Master) -> None:
    found = fleet.get("/api/agents", name="edge 2").json()
    assert (["agent-2"], 1) == ([agent["id"] for agent in found["agents"]], found["total"])
    assert {"agents": [], "total": 0} == fleet.get("/api/agents", name="edge 9").json()


def test_progress_is_kept_with_who_said_so_and_when(fleet: Master) -> None:
    fleet.post("/api/deployments", ORDER)
    first = fleet.post("/api/deployments/1/progress", {"status": "in_progress", "reported_by": "agent-1"})
    report = {"status": "failed", "reported_by": "agent-1", "message": "disk full\nsecond line"}
    second = fleet.post("/api/deployments/1/progress", report)
    assert (200, "in_progress") == (first.status_code, first.json()["status"])
    assert (200, "failed", NOW_TEXT.format(4)) == (
        second.status_code,
        second.json()["status"],
        second.json()["updated_at"],
    )
    history = fleet.get("/api/deployments/1").json()
    assert second.json() == history["deployment"]
    assert [
        {
            "status": "in_progress",
            "reported_by": "agent-1",
            "reported_at": NOW_TEXT.format(3),
            "message": None,
        },
        {**report, "reported_at": NOW_TEXT.format(4)},
    ] == history["events"]


def test_an_illegal_change_is_refused_and_leaves_no_trace(fleet: Master) -> None:
    fleet.post("/api/deployments", ORDER)
    answer = fleet.post("/api/deployments/1/progress", {"status": "succeeded", "reported_by": "agent-1"})
    assert (409, {"detail": "deployment 1 can't change from pending to succeeded"}) == (
        answer.status_code,
        answer.json(),
    )
    history = fleet.get("/api/deployments/1").json()
    assert ("pending", []) == (history["deployment"]["status"], history["events"])


def test_nothing_goes_back_to_pending(fleet: Master) -> None:
    fleet.post("/api/deployments", ORDER)
    answer = fleet.post("/api/deployments/1/progress", {"status": "pending", "reported_by": "agent-1"})
    assert 409 == answer.status_code


@pytest.mark.parametrize("path", ["/api/deployments/7", "/api/deployments/7/progress"])
def test_an_unknown_deployment_is_not_found(fleet: Master, path: str) -> None:
    report = {"status": "in_progress", "reported_by": "agent-1"}
    answer = fleet.post(path, report) if path.endswith("progress") else fleet.get(path)
    assert (404, {"detail": "there is no deployment 7"}) == (answer.status_code, answer.json())


@pytest.mark.parametrize("rivals", [2, 8])
def test_of_concurrent_reports_exactly_one_wins(fleet: Master, engine: Engine, rivals: int) -> None:
    """Each of twenty deployments is started by several at once: one 200, the others 409, one event."""
    for _ in range(20):
        fleet.post("/api/deployments", ORDER)

    def report(number: int, rival: int) -> int:
        body = {"status": "in_progress", "reported_by": f"rival-{rival}"}
        return fleet.post(f"/api/deployments/{number}/progress", body).status_code

    with ThreadPoolExecutor(rivals) as pool:
        for number in range(1, 21):
            statuses = list(pool.map(report, [number] * rivals, range(rivals)))
            assert sorted([200] + [409] * (rivals - 1)) == sorted(statuses)
    with engine.connect() as connection:
        per_deployment = select(func.count()).select_from(DeploymentEvent).group_by(DeploymentEvent.deployment_id)
        assert [1] * 20 == list(connection.execute(per_deployment).scalars())


def test_a_hundred_agents_at_the_same_instant_are_all_answered(fleet: Master) -> None:
    """The number at which the design of most tutorials hangs for half a minute (docs/reference-master.md)."""

    async def burst() -> list[int]:
        get = fleet._client.get  # the client that lives on the master's loop
        answers = await asyncio.gather(*(get("/api/deployments/pending/agent-1") for _ in range(100)))
        return [answer.status_code for answer in answers]

    assert [200] * 100 == fleet.do(burst)
    pool = fleet.get("/api/health").json()["database_pools"][0]
    assert pool["peak_checked_out"] <= 8 < 0.8 * pool["capacity"]


INVALID = [
    ("/api/agents", {"name": ""}),
    ("/api/agents", {"name": "x" * 65}),
    ("/api/agents", {"name": "line\nbreak"}),
    *(("/api/agents", {"name": name}) for name in ("  ", "\u00a0", "\u3000 ", "\u3164", "\u200b")),
    *(
        ("/api/agents", {"name": f"edge{unseen}1"})
        for unseen in "\x00\x1f\x7f\x85\u200b\u200f\u202e\u2028\u2066\ufeff"
    ),
    ("/api/agents", {"name": "ok", "id": "with space"}),
    ("/api/agents", {"name": "ok", "colour": "red"}),
    ("/api/agents", {}),
    ("/api/agents", []),
    ("/api/deployments", {**ORDER, "artifact": "nul\x00"}),
    ("/api/deployments", {**ORDER, "version": None}),
    ("/api/deployments/1/progress", {"status": "exploded", "reported_by": "x"}),
    ("/api/deployments/1/progress", {"status": "failed", "reported_by": "x", "message": "nul\x00"}),
    ("/api/deployments/0/progress", {"status": "failed", "reported_by": "x"}),
    (f"/api/deployments/{2**63}/progress", {"status": "failed", "reported_by": "x"}),
]


def test_an_invalid_body_is_refused_with_the_place_that_is_wrong(master: Master) -> None:
    for path, body in INVALID:
        answer = master.post(path, body)
        assert 422 == answer.status_code, body
        assert answer.json()["detail"][0]["loc"][0] in {"body", "path"}


def test_names_in_any_script_are_fine(master: Master) -> None:
    for name in ("edge 1", "Zürich-七", "e\u0301", "محطة"):
        answer = master.post("/api/agents", {"name": name})
        assert (201, name) == (answer.status_code, answer.json()["name"])


def test_what_was_sent_is_not_sent_back(master: Master) -> None:
    for path, body in (("/api/agents", {"name": "geheim" * 100}), ("/api/agents", ["geheim"])):
        answer = master.post(path, body)
        assert 422 == answer.status_code
        assert {"loc", "msg", "type"} <= set(answer.json()["detail"][0])
        assert "geheim" not in answer.text


TOO_LARGE = (413, {"detail": "the body is larger than 1000000 bytes"})


def test_a_body_above_the_limit_is_refused_and_one_at_it_is_read(master: Master) -> None:
    for length, expected in ((1_000_000, 201), (1_000_001, 413)):
        content = b'{"name": "edge 1"}'.ljust(length)
        answer = master.send("POST", "/api/agents", content=content, headers={"Content-Type": "application/json"})
        assert expected == answer.status_code
    assert TOO_LARGE == (answer.status_code, answer.json())


def test_a_body_of_undeclared_length_is_read_up_to_the_limit(master: Master) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b" " * 10_000

    sent: list[int] = []
    answer = master.send("POST", "/api/agents", content=parts(), headers={"Content-Type": "application/json"})
    assert TOO_LARGE == (answer.status_code, answer.json())
    assert 101 == len(sent)


def test_a_declared_length_above_the_limit_is_refused_unread(master: Master) -> None:
    for length in ("1000001", "9" * 5000):
        headers = {"Content-Type": "application/json", "Content-Length": length}
        answer = master.send("POST", "/api/agents", content=b"{}", headers=headers)
        assert TOO_LARGE == (answer.status_code, answer.json())


def test_bytes_that_are_no_text_or_json_are_refused_too(master: Master) -> None:
    """FastAPI's own handler answers 500 to half a surrogate pair."""
    for content in (b'{"name": "half \\ud800 a pair"}', b'{"name": ', b"\xff", b""):
        answer = master.send("POST", "/api/agents", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, content
        assert "detail" in answer.json()


def test_an_invalid_path_or_query_is_refused(master: Master) -> None:
    for path in (
        "/api/agents?limit=0",
        "/api/agents?limit=1001",
        "/api/agents?offset=-1",
        "/api/deployments?status=done",
        "/api/deployments?since=yesterday",
        "/api/deployments?since=2026-03-01T12:00:00",
        "/api/deployments?since=0001-01-01T00:00:00%2B14:00",
        "/api/deployments/count?status=done",
        "/api/deployments/pending/with%20space",
        "/api/deployments/pending/nul%00",
        "/api/deployments/pending/" + "x" * 65,
        "/api/deployments/none",
    ):
        assert 422 == master.get(path).status_code, path


def test_a_database_that_is_gone_is_503_without_its_text(master: Master, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE agents RENAME TO elsewhere")
    answer = master.get("/api/agents")
    # SQLite calls a missing table an operational error, and PostgreSQL a programming error: the service's fault.
    assert (503 if engine.dialect.name == "sqlite" else 500) == answer.status_code
    assert "agents" not in answer.text


def test_it_recovers_when_the_server_closes_every_connection(
    postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One poll finds out and gets 503; the next ones have new connections."""
    seed(postgres_url, agents=1, deployments=10)
    config = BackendConfig(database_url=postgres_url, log_dir=tmp_path / "logs")
    with Master(create_app(config)) as master:
        polls = [master.get("/api/deployments/pending/agent-0001").status_code]
        other = make_sole_engine(postgres_url)
        with other.begin() as connection:
            mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            connection.exec_driver_sql(f"{mine} WHERE datname = current_database() AND pid <> pg_backend_pid()")
        other.dispose()
        polls += [master.get("/api/deployments/pending/agent-0001").status_code for _ in range(3)]
    assert [200, 503, 200, 200] == polls
    said = [record.getMessage() for record in caplog.records if record.name == "harness.backend.app"]
    assert 1 == len(said)
    assert said[0].startswith("database unavailable: terminating connection")
    assert "\n" not in said[0]
    assert "SELECT" not in said[0]


def test_the_service_sends_the_very_statement_that_the_audit_explains(
    fleet: Master, engine: Engine, make_master: Callable[..., Master]
) -> None:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(type(engine), "before_cursor_execute", note)
    try:
        fleet.get("/api/deployments/pending/agent-1")
    finally:
        event.remove(type(engine), "before_cursor_execute", note)
    explained = str(pending_statement("anybody").compile(dialect=engine.dialect))
    assert [explained] == [statement for statement in sent if "deployments" in statement]


def test_the_explained_statement_can_be_executed_as_it_is(fleet: Master, engine: Engine) -> None:
    fleet.post("/api/deployments", ORDER)
    with engine.connect() as connection:
        assert 1 == len(connection.execute(pending_statement("agent-1")).all())
        assert [] == connection.execute(pending_statement("nobody")).all()


def test_the_openapi_document_tells_every_answer(master: Master) -> None:
    document = master.get("/openapi.json").json()
    told = {
        f"{method.upper()} {path}": set(operation["responses"])
        for path, operations in document["paths"].items()
        if not path.startswith(("/api/health", "/api/metrics"))
        for method, operation in operations.items()
    }
    assert {
        "POST /api/agents": {"201", "409", "413", "422", "503"},
        "GET /api/agents": {"200", "422", "503"},
        "POST /api/deployments": {"201", "404", "413", "422", "503"},
        "GET /api/deployments": {"200", "422", "503"},
        "GET /api/deployments/count": {"200", "422", "503"},
        "GET /api/deployments/{deployment_id}": {"200", "404", "422", "503"},
        "POST /api/deployments/{deployment_id}/progress": {"200", "404", "409", "413", "422", "503"},
        "GET /api/deployments/pending/{agent_id}": {"200", "404", "422", "503"},
    } == told
    assert {"/api/health", "/api/metrics", "/api/metrics/pending-deployments"} <= set(document["paths"])
    assert len(
        {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    ) == sum(len(path) for path in document["paths"].values())


def test_the_monitoring_layer_counts_polls_and_times_them(fleet: Master) -> None:
    for _ in range(3):
        answer = fleet.get("/api/deployments/pending/agent-1")
    parts = [part.split(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert ["handler", "db", "pool"] == parts
    endpoint = fleet.get("/api/metrics/pending-deployments").json()["endpoint"]
    assert (3, 2.0) == (endpoint["total_requests"], endpoint["queries_per_request"])
