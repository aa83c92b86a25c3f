"""Middleware that copies the scope, as ASGI tells it to: the layer still learns where requests went."""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.routing import APIRouter
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from monitoring import Handle, Settings, instrument, uninstrument
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client, Message
from tests.monitoring.test_transparency import Install, seen, settle


class Copies:
    """Hand a copy of the scope on, changed or not."""

    def __init__(self, app: Any, **changes: Any) -> None:
        self.app = app
        self.changes = changes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, **self.changes}, receive, send)


class Base(BaseHTTPMiddleware):
    """Runs the application in another task."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        return answer


def page(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


def routes_seen(client: Client, handle: Handle, *urls: str) -> list[str]:
    """Return under which routes some requests are recorded."""
    found = seen(handle)
    for url in urls:
        assert client.get(url).status is not None
    settle(handle)
    return [one.route for one in found]


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("kinds", [(Copies,), (Copies, Base), (Base, Copies, Copies)])
def test_routes_and_agents_are_known(
    engine: Engine, install: Install, kinds: tuple[Any, ...], *, served: bool
) -> None:
    """Whether the application has served before it is instrumented or not."""
    app = master(engine)
    for kind in kinds:
        app.add_middleware(kind)
    if served:
        assert Client(app).get("/missing").status == 404
    client, handle = install(app, engine)
    pending = "/api/deployments/pending/{agent_id}"
    urls = ("/api/deployments/pending/a", "/missing", "/boom", "/nowhere", "/api/health")
    assert routes_seen(client, handle, *urls) == [pending, "/missing", "/boom", "<unmatched>"]
    answer = client.get("/api/metrics/pending-deployments").json()
    assert answer["endpoint"]["total_requests"] == 1
    metrics = client.get("/api/metrics").json()
    assert metrics["agents"]["seen"] == 1
    assert metrics["totals"]["total_requests"] == 4


def test_websockets_are_known(install: Install) -> None:
    app = FastAPI()
    app.add_middleware(Copies)

    @app.websocket("/ws/{room}")
    async def socket(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        await websocket.close()

    _, handle = install(app)
    found = seen(handle)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "websocket", "path": "/ws/red", "headers": [], "query_string": b"", "subprotocols": []}
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    settle(handle)
    assert [("/ws/{room}", 101)] == [(one.route, one.status) for one in found]


def test_mounts_stand_in_front(install: Install) -> None:
    inner = Starlette(routes=[Route("/profile", page)])
    app = Starlette(
        routes=[Mount("/users/{user}", inner), Mount("/raw", page), Route("/page", page)],
        middleware=[Middleware(Copies)],
    )
    client, handle = install(app)
    found = routes_seen(client, handle, "/users/joe/profile", "/users/joe/none", "/page")
    assert found == ["/users/{user}/profile", "/users/{user}/*", "/page"]


def test_a_mounted_application_that_copies(install: Install, settings: Settings) -> None:
    """Instrumented itself, it says where the request went on; the outer application measures."""
    inner = Starlette(routes=[Route("/items/{item}", page)], middleware=[Middleware(Copies)])
    app = Starlette(routes=[Mount("/inner", inner)], middleware=[Middleware(Copies)])
    _, inner_handle = install(inner, None, settings.model_copy(update={"service": "inner"}))
    inner_found = seen(inner_handle)
    client, handle = install(app)
    # Starlette before 1.0 does not leave the mount in the scope.
    assert routes_seen(client, handle, "/inner/items/3")[0] in {"/inner/items/{item}", "/inner/*"}
    settle(inner_handle)
    assert inner_found == []


def test_a_root_path_that_the_copy_brings_is_no_mount(install: Install) -> None:
    """As middleware sets it from what a proxy says."""
    app = Starlette(routes=[Route("/page", page)], middleware=[Middleware(Copies, root_path="/proxied")])
    client, handle = install(app)
    assert routes_seen(client, handle, "/page") == ["/page"]


def test_of_several_copies_the_last_counts(install: Install) -> None:
    """Middleware that tries another path when nothing is found."""

    class Tries:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def ignored(message: Message) -> None:
                pass

            await self.app({**scope, "path": "/old"}, receive, ignored)
            await self.app({**scope, "path": "/new/3"}, receive, send)

    app = Starlette(routes=[Route("/new/{number}", page)], middleware=[Middleware(Tries)])
    client, handle = install(app)
    assert routes_seen(client, handle, "/any") == ["/new/{number}"]


def test_an_endpoint_that_calls_the_application_again_keeps_its_route(install: Install) -> None:
    """Whether what it asks for is a copy of its own request, or a request of its own."""
    app = FastAPI()
    app.add_middleware(Copies)

    @app.get("/other")
    async def other() -> str:
        return "other"

    @app.get("/batch")
    async def batch(request: Request) -> str:
        async def ignored(message: Message) -> None:
            pass

        copy = {**request.scope, "path": "/other", "raw_path": b"/other"}
        await app.router(copy, request.receive, ignored)
        await app(copy, request.receive, ignored)
        fresh = {name: copy[name] for name in ("type", "method", "path", "query_string", "headers")}
        await app.router(fresh | {"fastapi_inner_astack": copy["fastapi_inner_astack"]}, request.receive, ignored)
        return "batch"

    client, handle = install(app)
    assert routes_seen(client, handle, "/batch") == ["/batch"]


@pytest.mark.parametrize("served", [False, True])
def test_a_router_that_is_exchanged(install: Install, *, served: bool) -> None:
    """Before the first request, the application has the new one called; later it would not be either."""
    app = FastAPI()
    app.add_middleware(Copies)
    client, handle = install(app)
    if served:
        client.get("/page")
        settle(handle)
    app.router = APIRouter(routes=[Route("/page", page)])
    if served:
        app.middleware_stack = None
    assert routes_seen(client, handle, "/page") == ["/page"]
    uninstrument(app)
    assert app.router.middleware_stack == app.router.app


@pytest.mark.parametrize("requests", [0, 1])
def test_the_router_is_given_back(settings: Settings, requests: int) -> None:
    app = FastAPI()
    before = app.router.middleware_stack
    instrument(app, None, settings)
    assert app.router.middleware_stack is not before
    for _ in range(requests):
        Client(app).get("/nowhere")
    uninstrument(app)
    assert app.router.middleware_stack is before


def test_a_router_that_somebody_else_stands_before_stays_so(settings: Settings) -> None:
    app = Starlette(routes=[Route("/page", page)])
    instrument(app, None, settings)
    app.router.middleware_stack = theirs = Copies(app.router.middleware_stack)
    uninstrument(app)
    assert app.router.middleware_stack is theirs
    assert Client(app).get("/page").body == b"/page"


def test_a_router_of_another_make(install: Install) -> None:
    """It need not have what ours stands in for."""

    class Plain:
        def __init__(self) -> None:
            self.routes: list[Any] = []

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse("plain")(scope, receive, send)

    app = Starlette()
    app.router = Plain()  # type: ignore[assignment]
    client, handle = install(app)
    assert routes_seen(client, handle, "/page") == ["<unmatched>"]


def test_a_copy_does_not_outlive_its_request(install: Install) -> None:
    """Nor does one that gets to the router when the answer is there."""

    class Held(dict[str, Any]):
        """A scope that can be referred to weakly."""

    kept: list[contextvars.Context] = []
    gone: list[Callable[[], Any]] = []

    class Answers:
        """Answer at once, and have the application do the same again."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def ignored(message: Message) -> None:
                pass

            for to in (send, ignored):
                copy = Held(scope)
                gone.append(weakref.ref(copy))
                await self.app(copy, receive, to)

    async def keep(_: Request) -> Response:
        kept.append(contextvars.copy_context())
        return PlainTextResponse("kept")

    app = Starlette(routes=[Route("/", keep)], middleware=[Middleware(Answers)])
    client, handle = install(app)
    assert routes_seen(client, handle, "/") == ["/"]
    gc.collect()
    assert len(kept) == 2
    assert [one() for one in gone] == [None, None]
