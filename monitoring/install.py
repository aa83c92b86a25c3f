"""`instrument` and `uninstrument`: the one line that a service adds, and the way back."""

import contextlib
import gc
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Mount, Route

from monitoring.api import Endpoint, endpoints_of
from monitoring.capture.hub import logger
from monitoring.capture.requests import App, Message, MonitoringMiddleware, Receive, Send, at_router
from monitoring.clock import Clock
from monitoring.errors import MonitoringError, UsageError, explain
from monitoring.monitor import MARK, Monitor
from monitoring.settings import Settings

_ATTRIBUTE = "_monitoring_handle"
_forgotten: deque[Monitor] = deque()
"""Monitors whose application is garbage; the next `instrument` removes them."""


class Handle:
    """
    An instrumented application: what `instrument` returns.

    Args:
        app: the application.
        monitor: its monitor; None when monitoring is switched off.
    """

    def __init__(self, app: Starlette, monitor: Monitor | None) -> None:
        self.app = app
        self.monitor = monitor
        self._routes: list[BaseRoute] = []
        self._end: weakref.finalize[..., Starlette] | None = None
        """Tells when the application is garbage."""
        self._middleware: list[MonitoringMiddleware] = []
        self._routers: list[tuple[Any, App, App]] = []
        """Routers with what they called before and what they call now."""

    @property
    def settings(self) -> Settings | None:
        """What was chosen; None when monitoring is switched off."""
        return self.monitor.settings if self.monitor is not None else None

    def close(self) -> None:
        """Write everything out, as at a clean shutdown; the next message starts the monitor again."""
        if self.monitor is not None:
            self.monitor.close()


def instrument(
    app: Starlette,
    engine: Any = None,
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
) -> Handle:
    """
    Monitor an application: requests, statements, connections; endpoints, store and log files.

    Args:
        app: a FastAPI or Starlette application, before or after its routes were added.
        engine: the SQLAlchemy engine it uses, sync or async, or several of them; None for none.
        settings: what is chosen; by default read from ``MONITORING_*`` environment variables.
        clock: where the time comes from; for tests.

    Returns:
        A handle for `uninstrument`.

    Raises:
        UsageError: a setting that can't be used, such as a folder that is a file. One that can't be written is
            warned of: it may be later, and until then lines go to standard error and figures stay in memory.
        MonitoringError: the application or an engine is instrumented already.
        TypeError: `app` is no Starlette application, or `engine` no engine.
    """
    if not isinstance(app, Starlette):
        raise TypeError(
            explain("app", fault="not an application", got=type(app).__name__, need="FastAPI or Starlette")
        )
    chosen = settings if settings is not None else Settings.load()
    if not chosen.enabled:
        return Handle(app, None)
    if getattr(app, _ATTRIBUTE, None) is not None:
        raise MonitoringError(
            explain("app", fault="instrumented already", remedy="monitoring.uninstrument(app) first")
        )
    engines = _engines(engine)
    _remove_forgotten()
    if any(MARK in one.__dict__ for one in engines):
        # An application is part of cycles: it may be forgotten and not yet found.
        gc.collect()
        _remove_forgotten()
    for one in engines:
        if MARK in one.__dict__:
            raise MonitoringError(
                explain(
                    "engine", one.dialect.name, fault="instrumented already", remedy="one instrument() an engine"
                )
            )
    _check_folders(chosen)
    monitor = Monitor(chosen, _named(engines), clock=clock, owner=app)
    handle = Handle(app, monitor)
    monitor.install()
    # Run by the garbage collector, wherever that is: it may take no lock. At exit the monitor ends by itself.
    handle._end = end = weakref.finalize(app, _forgotten.append, monitor)
    end.atexit = False
    setattr(app, _ATTRIBUTE, handle)
    _wrap(app, handle, monitor)
    _add_routes(app, handle, endpoints_of(monitor), openapi=chosen.openapi)
    if chosen.excluded_routes is None:
        # Those that were added and no others: one that was left out is the application's own.
        own = tuple(str(getattr(route, "path", "")) for route in handle._routes)
        monitor.hub.settings = chosen.model_copy(update={"excluded_routes": own})
    return handle


def uninstrument(target: Starlette | Handle) -> None:
    """
    Give everything back: routes, middleware, engines, threads and files.

    Args:
        target: the application, or the handle that `instrument` returned. One that is not instrumented is left
            alone.
    """
    handle = target if isinstance(target, Handle) else getattr(target, _ATTRIBUTE, None)
    if handle is None or handle.monitor is None or getattr(handle.app, _ATTRIBUTE, None) is not handle:
        return
    app = handle.app
    if handle._end is not None:
        handle._end.detach()
    handle.monitor.remove()
    _unwrap(app, handle)
    app.router.routes[:] = [route for route in app.router.routes if route not in handle._routes]
    _forget_openapi(app)
    delattr(app, _ATTRIBUTE)


def _remove_forgotten() -> None:
    """Remove monitors whose application is garbage; one that has never served has no thread that notices."""
    while _forgotten:
        monitor = _forgotten.popleft()
        try:
            monitor.close()  # first, so that its thread is not removing it at the same time
            monitor.remove()
        except Exception as error:  # noqa: BLE001  # must not cost the next application its start
            monitor.hub.fault(error)


def _check_folders(settings: Settings) -> None:
    """Look at the folders without making them: an application may be imported and never serve."""
    wanted: dict[str, Path] = {}
    if settings.log_requests or settings.log_queries or settings.log_application:
        wanted["log_dir"] = settings.log_dir
    if settings.store:
        wanted["log_dir" if settings.store_dir is None else "store_dir"] = settings.folder
    for name, folder in wanted.items():
        standing = _nearest(folder.absolute())
        if not standing.is_dir():
            raise UsageError(
                explain(
                    "setting",
                    name,
                    fault=f"'{standing}' is not a folder",
                    got=repr(str(folder)),
                    remedy=f"another value for MONITORING_{name.upper()}",
                )
            )
        if not os.access(standing, os.W_OK | os.X_OK):
            logger.warning(
                "monitoring: setting '%s': '%s' can't be written; until it can, lines go to standard error and "
                "figures stay in memory",
                name,
                standing,
            )


def _nearest(path: Path) -> Path:
    """Return the path itself or the nearest of its parents that is there and can be looked at."""
    for one in (path, *path.parents):
        with contextlib.suppress(OSError):
            if one.exists():
                return one
    return Path(path.anchor)


def _engines(engine: Any) -> list[Engine]:
    if engine is None:
        return []
    found: list[Engine] = []
    for one in engine if isinstance(engine, (list, tuple, set, frozenset)) else [engine]:
        sync = getattr(one, "sync_engine", one)
        if not isinstance(sync, Engine):
            raise TypeError(
                explain("engine", fault="not an engine", got=type(one).__name__, need="Engine or AsyncEngine")
            )
        if sync not in found:
            found.append(sync)
    return found


def _named(engines: Iterable[Engine]) -> list[tuple[str, Engine]]:
    """Name engines after their logging name or dialect, with a number where that is not enough."""
    named: list[tuple[str, Engine]] = []
    taken: dict[str, int] = {}
    for engine in engines:
        name = engine.logging_name or engine.dialect.name
        taken[name] = taken.get(name, 0) + 1
        named.append((name if taken[name] == 1 else f"{name}-{taken[name]}", engine))
    return named


# ---- the layer around the application


def _wrap(app: Starlette, handle: Handle, monitor: Monitor) -> None:
    """Stand outside of everything, the error handler of last resort included: no middleware list reaches there."""

    async def on_stop() -> None:
        await anyio.to_thread.run_sync(monitor.close)

    def layer(inner: App) -> MonitoringMiddleware:
        middleware = MonitoringMiddleware(inner, monitor.hub, on_start=monitor.ensure_started, on_stop=on_stop)
        handle._middleware.append(middleware)  # same module
        return middleware

    build: Callable[[], Any] = app.build_middleware_stack

    def build_middleware_stack() -> Any:
        _wrap_router(app, handle)  # it may be another one by now
        return layer(build())

    _wrap_router(app, handle)
    app.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]  # on this instance only
    if app.middleware_stack is not None:
        app.middleware_stack = layer(app.middleware_stack)


def _wrap_router(app: Starlette, handle: Handle) -> None:
    router: Any = app.router
    # A router of another make may have none; its requests are measured by the scope they came with.
    inner: App | None = getattr(router, "middleware_stack", None)
    if inner is None or any(router is known for known, _, _ in handle._routers):  # same module
        return
    router.middleware_stack = ours = at_router(inner)
    handle._routers.append((router, inner, ours))  # same module


def _unwrap(app: Starlette, handle: Handle) -> None:
    for router, inner, ours in handle._routers:  # same module
        if router.middleware_stack is ours:
            router.middleware_stack = inner
    with contextlib.suppress(AttributeError):
        del app.build_middleware_stack  # the class's own comes back
    if app.middleware_stack in handle._middleware:  # same module
        app.middleware_stack = app.middleware_stack.app


# ---- the routes


def _add_routes(app: Starlette, handle: Handle, endpoints: list[Endpoint], *, openapi: bool) -> None:
    """
    Add our routes where they cost the service's own routes nothing, yet no catch-all hides them.

    They go to the end; before an existing route that would take them (a mount at ``/``, a ``{path:path}``). One
    whose very path the application has itself is left out.
    """
    existing = set(_paths(app.router.routes))
    for endpoint in endpoints:
        if endpoint.path in existing:
            logger.warning(
                "monitoring: the application has a route '%s' of its own, ours is left out; "
                "choose another MONITORING_API_PREFIX",
                endpoint.path,
            )
            continue
        route = _route(app, endpoint, openapi=openapi)
        routes = app.router.routes
        routes.insert(_position(routes, endpoint.path), route)
        handle._routes.append(route)  # same module
    _forget_openapi(app)


def _paths(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Return the templates of all routes, those of included routers and of mounts too."""
    for route in routes:
        path = str(getattr(route, "path", ""))
        if isinstance(route, Mount):
            yield from (path + inner for inner in _paths(route.routes or ()))
        elif hasattr(route, "effective_route_contexts"):
            # FastAPI from 0.137 keeps an included router as one route.
            for context in route.effective_route_contexts():
                yield str(getattr(context.starlette_route or context, "path", ""))
        else:
            yield path


def _position(routes: Sequence[BaseRoute], path: str) -> int:
    """Return the index of the first route that would take a request to `path`; the end when none would."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "path_params": {}}
    for index, route in enumerate(routes):
        match, _ = route.matches(dict(scope))
        if match is not Match.NONE:
            return index
    return len(routes)


def _route(app: Starlette, endpoint: Endpoint, *, openapi: bool) -> BaseRoute:
    if not hasattr(app.router, "add_api_route"):
        plain: BaseRoute = _quick(Route)(
            endpoint.path, endpoint.handler, methods=["GET"], include_in_schema=openapi
        )
        return plain
    router: Any = app.router
    chosen: dict[str, Any] = {
        "methods": ["GET"],
        "response_model": endpoint.model,
        "summary": endpoint.summary,
        "tags": ["monitoring"],
        "include_in_schema": openapi,
        "responses": dict(endpoint.problems),
        "openapi_extra": {"parameters": list(endpoint.parameters)} if endpoint.parameters else None,
    }
    route_class = _quick(router.route_class)
    if endpoint.bare:
        # Made by itself, so that no dependency of the whole application stands before it.
        bare: BaseRoute = route_class(endpoint.path, endpoint.handler, **chosen)
        return bare
    # Through the router, so that dependencies of the whole application (such as a login) hold here too.
    router.add_api_route(endpoint.path, endpoint.handler, route_class_override=route_class, **chosen)
    route: BaseRoute = router.routes.pop()
    return route


def _quick(base: type[Any]) -> type[Any]:
    """
    Derive a route class that rejects other paths at a glance, and answers HEAD as it does GET.

    Our routes stand before all others, and a route's own matching costs every request about 2 µs for each. HEAD is
    what load balancers ask with. FastAPI's routes don't take it by themselves, and with both methods named the
    OpenAPI document would have each endpoint twice.
    """

    def matches(self: Any, scope: MutableMapping[str, Any]) -> tuple[Match, Any]:
        if not scope["path"].endswith(self.path):
            return Match.NONE, {}
        found: tuple[Match, Any] = base.matches(self, _as_get(scope))
        return found

    async def handle(self: Any, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope.get("method") == "HEAD":
            send = partial(_without_body, send)
        await base.handle(self, _as_get(scope), receive, send)

    return type(base.__name__, (base,), {"__module__": base.__module__, "matches": matches, "handle": handle})


def _as_get(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope


async def _without_body(send: Send, message: Message) -> None:
    # The headers stay, the length of the body among them: servers know that none follows.
    await send({**message, "body": b""} if message["type"] == "http.response.body" else message)


def _forget_openapi(app: Starlette) -> None:
    # The document is made once and kept.
    if getattr(app, "openapi_schema", None) is not None:
        app.openapi_schema = None  # type: ignore[attr-defined]
