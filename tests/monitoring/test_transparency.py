"""An instrumented application behaves as before: the cases that are easy to get wrong."""

import asyncio
import contextlib
import contextvars
import gc
import re
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from sqlalchemy import Engine, create_engine, text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from monitoring import Handle, Settings, instrument, uninstrument
from monitoring.errors import MonitoringError
from monitoring.model import Observation
from tests.monitoring.conftest import master
from tests.monitoring.driver import Answer, Client, Message

Install = Callable[..., tuple[Client, Handle]]


def seen(handle: Handle) -> list[Observation]:
    """Have the hub collect what it records."""
    assert handle.monitor is not None
    found: list[Observation] = []
    handle.monitor.hub.log_requests = found.extend
    return found


def settle(handle: Handle) -> None:
    assert handle.monitor is not None
    handle.monitor.hub.empty()


def same(bare: Answer, instrumented: Answer) -> None:
    """Compare two answers: the request id is all that may be added."""
    headers = dict(instrumented.headers)
    assert headers.pop("x-request-id")
    assert headers == bare.headers
    assert instrumented.status == bare.status
    assert instrumented.body == bare.body
    assert type(instrumented.error) is type(bare.error)
    assert [one["type"] for one in instrumented.messages] == [one["type"] for one in bare.messages]


def zoo() -> FastAPI:
    app = FastAPI()
    app.state.background = []

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d" % number

        return StreamingResponse(chunks())

    @app.get("/broken-stream")
    async def broken_stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("in mid-stream")

        return StreamingResponse(chunks())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(app.state.background.append, 1)
        return "accepted"

    @app.get("/background-fails")
    async def background_fails(tasks: BackgroundTasks) -> str:
        def fail() -> None:
            raise KeyError("later")

        tasks.add_task(fail)
        return "accepted"

    @app.get("/boom")
    def boom() -> None:
        raise ValueError("planned")

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, headers={"X-Kind": "brown"})

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body(), headers={"X-Request-ID": "the application's own"})

    @app.get("/typed/{number}")
    def typed(number: int) -> int:
        return number

    return app


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/stream"),
        ("GET", "/broken-stream"),
        ("GET", "/background"),
        ("GET", "/background-fails"),
        ("GET", "/boom"),
        ("GET", "/teapot"),
        ("GET", "/typed/7"),
        ("GET", "/typed/seven"),
        ("PUT", "/typed/7"),
        ("GET", "/nowhere"),
        ("GET", "/stream/"),
    ],
)
def test_answers_are_the_same(install: Install, method: str, url: str) -> None:
    """Status, headers, body, messages and exceptions are those of the bare application."""
    bare = Client(zoo()).request(method, url)
    client, _ = install(zoo())
    same(bare, client.request(method, url))


def test_the_application_may_set_the_header_itself(install: Install) -> None:
    client, _ = install(zoo())
    answer = client.request("POST", "/echo", body=b"hello")
    assert answer.body == b"hello"
    assert answer.headers["x-request-id"] == "the application's own"


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("abc-123", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("two words", False),
        ('quote"', False),
        ("line\nbreak", False),
        ("", False),
    ],
)
def test_request_ids(install: Install, offered: str, *, taken: bool) -> None:
    """A well-formed id is taken, anything else replaced; unique otherwise."""
    client, handle = install(zoo())
    found = seen(handle)
    answer = client.get("/typed/1", headers=[("X-Request-ID", offered)])
    settle(handle)
    assert (answer.headers["x-request-id"] == offered) is taken
    assert found[-1].request_id == answer.headers["x-request-id"]
    assert client.get("/typed/1").headers["x-request-id"] != client.get("/typed/1").headers["x-request-id"]


def test_an_unhandled_exception_is_a_500_with_its_class(install: Install) -> None:
    client, handle = install(zoo())
    found = seen(handle)
    answer = client.get("/boom")
    settle(handle)
    assert isinstance(answer.error, ValueError)
    assert [(500, "ValueError", "/boom")] == [(one.status, one.exception, one.route) for one in found]


def test_an_exception_in_mid_stream_is_a_500(install: Install) -> None:
    """The status line said 200, yet the answer is broken: it counts as an error, with all bytes sent."""
    client, handle = install(zoo())
    found = seen(handle)
    client.get("/broken-stream")
    settle(handle)
    [one] = found
    assert (one.status, one.bytes_out) == (500, 5)
    assert one.exception is not None


def test_a_stream_lasts_to_its_last_byte(install: Install, clock: Any) -> None:
    """The duration of a stream is that of the stream, not of its first byte."""
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(3):
                clock.advance(1.0)
                yield b"x"

        return StreamingResponse(chunks())

    client, handle = install(app, clock=clock)
    found = seen(handle)
    client.get("/slow")
    settle(handle)
    assert found[0].duration_s == pytest.approx(3.0)


def test_background_tasks_are_not_request_time(install: Install, clock: Any) -> None:
    """The request ends with its last byte; what fails later is counted by its class and is no failed request."""
    app = FastAPI()

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        def work() -> None:
            clock.advance(60.0)
            raise KeyError("later")

        tasks.add_task(work)
        return "accepted"

    client, handle = install(app, clock=clock)
    found = seen(handle)
    client.get("/later")
    settle(handle)
    assert [(200, 0.0, None)] == [(one.status, one.duration_s, one.exception) for one in found]
    errors = client.get("/api/metrics").json()["totals"]["errors"]
    assert errors == {"by_status": {}, "by_exception": {"KeyError": 1}}


class Cycle:
    """What uvicorn's request cycle looks like from outside."""

    def __init__(self, *, leaves_after: int) -> None:
        self.disconnected = False
        self._left = leaves_after

    async def send(self, _: Message) -> None:
        self._left -= 1
        if self._left == 0:
            self.disconnected = True


def test_a_client_that_leaves_under_uvicorn_is_a_499(install: Install) -> None:
    client, handle = install(zoo())
    found = seen(handle)
    asyncio.run(client.request_async("GET", "/stream", send=Cycle(leaves_after=2).send))
    settle(handle)
    assert [(499, None)] == [(one.status, one.exception) for one in found]


def test_a_client_that_leaves_under_another_server_is_a_499(install: Install) -> None:
    """Without uvicorn's hint the disconnect message tells."""
    app = FastAPI()

    @app.post("/upload")
    async def upload(request: Request) -> str:
        await request.body()
        return "never"

    client, handle = install(app)
    found = seen(handle)

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    answer = asyncio.run(client.request_async("POST", "/upload", receive=gone))
    settle(handle)
    assert isinstance(answer.error, ClientDisconnect) or answer.status is not None
    assert found[0].status == 499


def test_a_cancelled_request_is_counted(install: Install) -> None:
    """A cancellation passes on, and the request counts as unanswered."""
    app = FastAPI()

    @app.get("/forever")
    async def forever() -> None:
        await asyncio.Event().wait()

    client, handle = install(app)
    found = seen(handle)

    async def run() -> None:
        task = asyncio.create_task(client.request_async("GET", "/forever"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    settle(handle)
    assert [(500, "CancelledError")] == [(one.status, one.exception) for one in found]


def test_websockets_pass(install: Install) -> None:
    """A websocket works and is counted as one; its life is no response time."""
    app = FastAPI()

    @app.websocket("/ws/{room}")
    async def socket(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text() + room)
        await websocket.close()

    client, handle = install(app)
    found = seen(handle)
    inbox = iter(
        [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello "}],
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(inbox)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/ws/red",
        "headers": [],
        "query_string": b"",
        "root_path": "",
        "subprotocols": [],
        "client": ("10.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    settle(handle)
    assert ["websocket.accept", "websocket.send", "websocket.close"] == [one["type"] for one in sent]
    assert sent[0]["headers"][-1][0] == b"x-request-id"
    assert sent[1]["text"] == "hello red"
    assert [("WEBSOCKET", "/ws/{room}", 101)] == [(one.method, one.route, one.status) for one in found]
    assert client.get("/api/metrics").json()["totals"]["response_time"]["count"] == 0


@pytest.mark.parametrize(("accepts", "status"), [(True, 101), (False, 499)])
def test_a_websocket_that_its_client_ends_is_no_error(install: Install, *, accepts: bool, status: int) -> None:
    """An endpoint that receives for ever, as tutorials have it, lets the exception of the client's end pass."""
    app = FastAPI()

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        if accepts:
            await websocket.accept()
            await websocket.receive_text()
        raise WebSocketDisconnect(1006)

    _, handle = install(app)
    found = seen(handle)
    inbox = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive() -> Message:
        return next(inbox)

    async def send(_: Message) -> None:
        pass

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "subprotocols": []}
    with pytest.raises(WebSocketDisconnect):
        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    settle(handle)
    assert [(status, None)] == [(one.status, one.exception) for one in found]


def test_lifespan_passes_and_figures_are_written(install: Install, settings: Settings) -> None:
    """Startup and shutdown reach the application; at the shutdown everything is on disk."""
    events: list[str] = []

    async def lifespan(_: Any) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    app = FastAPI(lifespan=contextlib.asynccontextmanager(lifespan))

    @app.get("/x")
    async def x() -> str:
        return "x"

    client, handle = install(app)

    async def inside() -> None:
        await client.request_async("GET", "/x")

    types = client.lifespan(inside)
    assert types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert events == ["up", "down"]
    lines = (settings.log_dir / "master-backend.log").read_text().splitlines()
    assert len(lines) == 1
    assert '"route":"/x"' in lines[0]
    assert handle.monitor is not None
    assert not handle.monitor.hub.started


def test_closing_the_handle_writes_all_where_no_lifespan_reaches(install: Install, settings: Settings) -> None:
    """A mounted application hears of no shutdown: the outer one closes the handle, and requests start it anew."""
    inner = zoo()
    _, handle = install(inner)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        handle.close()

    outer = Client(Starlette(routes=[Mount("/inner", inner)], lifespan=lifespan))

    async def inside() -> None:
        await outer.request_async("GET", "/inner/typed/1")

    for lines in (1, 2):
        assert outer.lifespan(inside)[-1] == "lifespan.shutdown.complete"
        assert len((settings.log_dir / "master-backend.log").read_text().splitlines()) == lines


def test_mounted_applications(install: Install) -> None:
    """Templates carry their mounts, parameters of mounts by name; what the mounted application can't route too."""

    def page(request: Request) -> Response:
        return PlainTextResponse("page")

    inner = FastAPI()

    @inner.get("/items/{item_id}")
    def item(item_id: int) -> int:
        return item_id

    async def raw(scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"raw"})

    app = Starlette(
        routes=[
            Route("/plain/{name}", page),
            Mount("/sub", inner),
            Mount("/users/{user}", routes=[Route("/profile", page)]),
            Mount("/raw", raw),
        ]
    )
    client, handle = install(app)
    found = seen(handle)
    for url in ("/plain/x", "/sub/items/3", "/sub/none", "/users/joe/profile", "/raw/deep/er"):
        client.get(url)
    settle(handle)
    assert ["/plain/{name}", "/sub/items/{item_id}", "/sub/*", "/users/{user}/profile", "/raw/*"] == [
        one.route for one in found
    ]


def test_a_root_path_is_no_mount(install: Install) -> None:
    """What a proxy or the server put into `root_path` is not part of the template."""
    client, handle = install(zoo())
    found = seen(handle)
    asyncio.run(client.request_async("GET", "/prefix/typed/1", root_path="/prefix"))
    settle(handle)
    assert ["/typed/{number}"] == [one.route for one in found]


def test_an_instrumented_application_mounted_in_another(install: Install, settings: Settings) -> None:
    """The outer one measures; nothing is counted twice."""
    inner = zoo()
    outer = FastAPI()
    outer.mount("/inner", inner)
    _, inner_handle = install(inner, None, settings.model_copy(update={"service": "inner"}))
    client, outer_handle = install(outer)
    inner_found, outer_found = seen(inner_handle), seen(outer_handle)
    client.get("/inner/typed/1")
    settle(inner_handle)
    settle(outer_handle)
    assert ["/inner/typed/{number}"] == [one.route for one in outer_found]
    assert inner_found == []


def test_a_catch_all_does_not_hide_the_endpoints(install: Install) -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    def everything(path: str) -> str:
        return path

    client, _ = install(app)
    assert client.get("/api/health").json()["status"] == "pass"
    assert client.get("/other").json() == "other"


def test_the_applications_own_route_stays(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.get("/api/health")
    def health() -> str:
        return "mine"

    client, _ = install(app)
    assert client.get("/api/health").json() == "mine"
    assert client.get("/api/metrics").status == 200
    assert "the application has a route '/api/health' of its own" in caplog.text


def test_dependencies_of_the_application_guard_the_endpoints_but_liveness(install: Install) -> None:
    """A login for the whole application holds for the figures; liveness asks nobody."""

    def login() -> None:
        raise HTTPException(403)

    client, _ = install(FastAPI(dependencies=[Depends(login)]))
    assert client.get("/api/metrics").status == 403
    assert client.get("/api/health").status == 403
    assert client.get("/api/health/live").status == 200


def test_other_middleware_is_inside(install: Install) -> None:
    """Answers made by middleware are measured and carry the id; a BaseHTTPMiddleware doesn't lose the context."""

    class Gate(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            if request.url.path == "/shut":
                return PlainTextResponse("shut", 403)
            answer: Response = await call_next(request)
            return answer

    engine = create_engine("sqlite://")

    def query(request: Request) -> Response:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/query", query)], middleware=[Middleware(Gate)])
    client, handle = install(app, engine)
    found = seen(handle)
    assert client.get("/shut").headers["x-request-id"]
    client.get("/query")
    settle(handle)
    assert [(403, 0), (200, 1)] == [(one.status, one.queries) for one in found]
    engine.dispose()


def test_a_fault_of_ours_never_breaks_a_request(engine: Engine, install: Install) -> None:
    """Every hook fails, and the service doesn't notice; the faults show in the metrics."""
    client, handle = install(master(engine), engine)
    assert handle.monitor is not None
    hub = handle.monitor.hub

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("ours")

    client.get("/boom")
    hub.log_requests = broken
    assert client.get("/api/deployments/pending/a").json() == [1]
    settle(handle)
    monotonic_s, new_id = hub.monotonic_s, hub.new_id
    hub.new_id = broken  # type: ignore[method-assign]
    assert client.get("/api/deployments/pending/a").json() == [1]
    hub.new_id = new_id  # type: ignore[method-assign]
    hub.monotonic_s = broken
    assert client.get("/boom").status == 500
    hub.monotonic_s = monotonic_s
    own = client.get("/api/metrics").json()["monitoring"]
    assert own["faults"] >= 3
    assert own["last_fault"] == "ZeroDivisionError: ours"


def test_a_statement_that_utf_8_cannot_hold_costs_no_figures(engine: Engine, install: Install) -> None:
    r"""A client's ``"\ud800"``, written into a statement, had cost every figure that waited with it."""
    app = master(engine)

    @app.post("/search")
    async def search(request: Request) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT '{await request.json()}'")

    client, _ = install(app, engine)
    client.get("/api/deployments/pending/a")
    client.request("POST", "/search", body=rb'"\ud800"')
    answer = client.get("/api/metrics").json()
    assert answer["totals"]["total_requests"] == 2
    assert answer["monitoring"]["faults"] == answer["monitoring"]["dropped"] == 0
    assert r"SELECT '\ud800'" in {one["statement"] for one in answer["statements"]["by_count"]}


def test_a_second_that_cannot_be_stored_costs_no_other(engine: Engine, install: Install, clock: Any) -> None:
    """It is counted as dropped and as a fault, whose text may be the application's and is shown escaped."""
    client, handle = install(master(engine), engine, clock=clock)
    client.get("/api/deployments/pending/a")
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    clock.advance(1.0)
    client.get("/api/deployments/pending/a")
    handle.monitor.hub.empty()
    recorder = handle.monitor.hub.recorder
    [_, (_, slot)] = taken = recorder.take()
    slot.routes["GET", "/api/deployments/pending/{agent_id}"].by_exception["\ud800"] = 1
    recorder.put_back(taken)
    own = client.get("/api/metrics").json()
    assert own["totals"]["total_requests"] == 1
    assert (own["monitoring"]["faults"], own["monitoring"]["dropped"]) == (1, 1)
    handle.monitor.hub.fault(ValueError("\ud800"))
    assert client.get("/api/metrics").json()["monitoring"]["last_fault"] == r"ValueError: \ud800"


def test_uninstrument_gives_everything_back(engine: Engine, settings: Settings) -> None:
    """Routes, middleware, engine and document are as they were, before or after the first request."""
    for requests in (0, 1):
        app = master(engine)
        document, routes = app.openapi(), list(app.router.routes)
        pool_class = type(engine.pool)
        instrument(app, engine, settings)
        client = Client(app)
        for _ in range(requests):
            client.get("/api/deployments/pending/a")
        engine.dispose()
        uninstrument(app)
        answer = client.get("/api/deployments/pending/a")
        assert "x-request-id" not in answer.headers
        assert client.get("/api/metrics").status == 404
        assert app.router.routes == routes
        assert app.openapi() == document
        assert type(engine.pool) is pool_class
        assert not [name for name in engine.dialect.__dict__ if name.startswith("do_")]
        assert engine.dialect.do_execute.__func__ is type(engine.dialect).do_execute  # type: ignore[attr-defined]
        uninstrument(app)


def test_a_request_on_its_way_does_not_start_a_removed_monitor(
    engine: Engine, install: Install, settings: Settings
) -> None:
    """Removed under load, the layer still meets requests: they pass, and no thread or file comes back."""
    app = master(engine)
    client, handle = install(app, engine)
    client.get("/api/deployments/pending/a")
    layer = app.middleware_stack
    socket = {"type": "websocket", "path": "/none", "headers": [], "query_string": b"", "subprotocols": []}
    inbox = iter([{"type": "websocket.connect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(inbox)

    async def send(message: Message) -> None:
        sent.append(message)

    uninstrument(app)
    written = sorted((path.name, path.stat().st_size) for path in settings.log_dir.iterdir())
    late = Client(layer).get("/api/deployments/pending/late")  # type: ignore[arg-type]
    asyncio.run(layer(socket, receive, send))  # type: ignore[arg-type, misc]
    assert (late.status, late.json(), "x-request-id" in late.headers) == (200, [1], False)
    assert ["websocket.close"] == [one["type"] for one in sent]
    assert handle.monitor is not None
    with handle.monitor.reading() as store:
        assert store.path is None
    assert handle.monitor._thread is None
    assert written == sorted((path.name, path.stat().st_size) for path in settings.log_dir.iterdir())
    handle.monitor.close()


def test_an_application_that_is_garbage_takes_its_monitor_along(engine: Engine, settings: Settings) -> None:
    """A test suite makes an application for each test: threads, files and hooks of a forgotten one go too."""
    app = master(engine)
    monitor = instrument(app, engine, settings).monitor
    assert monitor is not None
    Client(app).get("/api/deployments/pending/a")
    thread = monitor._thread
    assert thread is not None
    del app
    for _ in range(300):
        # Again and again: a worker thread of the loop may still hold the last call when it is closed.
        gc.collect()
        thread.join(0.1)
        if not thread.is_alive():
            break
    assert not thread.is_alive()
    assert len((settings.log_dir / "master-backend.log").read_text().splitlines()) == 1
    assert not [name for name in engine.dialect.__dict__ if name.startswith("do_")]
    uninstrument(instrument(FastAPI(), engine, settings))


def test_instrumenting_twice_is_refused(engine: Engine, install: Install, settings: Settings) -> None:
    app = master(engine)
    install(app, engine)
    with pytest.raises(MonitoringError) as caught:
        instrument(app, None, settings)
    assert str(caught.value) == "app: instrumented already; try monitoring.uninstrument(app) first"
    with pytest.raises(MonitoringError) as caught:
        instrument(FastAPI(), engine, settings)
    assert str(caught.value) == "engine 'sqlite': instrumented already; try one instrument() an engine"
    with pytest.raises(TypeError, match="app: not an application, got object, need FastAPI or Starlette"):
        instrument(object(), None, settings)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="engine: not an engine, got str, need Engine or AsyncEngine"):
        instrument(FastAPI(), "sqlite://", settings)


def test_switched_off(settings: Settings) -> None:
    """`enabled=False` leaves the application untouched."""
    app = zoo()
    handle = instrument(app, None, settings.model_copy(update={"enabled": False}))
    assert handle.monitor is None
    assert "x-request-id" not in Client(app).get("/typed/1").headers
    uninstrument(app)


def test_a_scope_without_headers(install: Install) -> None:
    """The key is optional in ASGI: such a request is measured like any other."""
    scope = {"type": "http", "method": "GET", "path": "/nowhere", "query_string": b""}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    app = Starlette()
    app.router.default = bare
    _, handle = install(app)
    found = seen(handle)
    asyncio.run(app(scope, receive, send))
    settle(handle)
    assert [(204, "<unmatched>")] == [(one.status, one.route) for one in found]
    assert [name for name, _ in sent[0]["headers"]] == [b"x-request-id"]


def test_nothing_of_a_request_outlives_it(install: Install) -> None:
    """A context copied while it ran (a server's idle timer, a task in the background) does not keep its scope."""

    class Held(dict[str, Any]):
        """A scope that can be referred to weakly."""

    app = FastAPI()
    kept: list[contextvars.Context] = []

    @app.get("/")
    async def keep() -> None:
        kept.append(contextvars.copy_context())

    client, handle = install(app)
    client.get("/")
    kept.clear()
    scope = Held(type="http", method="GET", path="/", query_string=b"", headers=[], root_path="")
    gone = weakref.ref(scope)

    async def call(scope: Held) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            pass

        await app(scope, receive, send)

    asyncio.run(call(scope))
    del scope
    gc.collect()
    assert len(kept) == 1
    assert gone() is None
    settle(handle)


def test_request_ids_are_many_and_different(install: Install) -> None:
    """24 small hexadecimal digits each, over several runs of the counter."""
    _, handle = install(FastAPI())
    assert handle.monitor is not None
    hub = handle.monitor.hub
    ids = [hub.new_id() for _ in range(2000)]
    hub.begin_anew()
    ids += [hub.new_id() for _ in range(2000)]
    assert len(set(ids)) == 4000
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in ids)
