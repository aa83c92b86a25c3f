"""What is not counted by default: the layer's own endpoints, and nothing of the application's."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from monitoring import Settings
from tests.monitoring.driver import Client
from tests.monitoring.test_transparency import Install, seen, settle

OWN = (
    "/api/health",
    "/api/health/ready",
    "/api/health/live",
    "/api/metrics",
    "/api/metrics/pending-deployments",
    "/api/metrics/prometheus",
)


def page(_: Request) -> Response:
    return PlainTextResponse("mine")


def counted(client: Client, handle: Any, *urls: str) -> list[str]:
    found = seen(handle)
    for url in urls:
        assert client.get(url).status in {200, 501}
    settle(handle)
    return [one.route for one in found]


def test_what_only_begins_like_an_endpoint_is_counted(install: Install) -> None:
    theirs = ("/api/healthcare/{patient}", "/api/metrics-upload", "/api/metrics/{name}/history")
    app = Starlette(routes=[Route(path, page) for path in theirs])
    client, handle = install(app)
    urls = ("/api/healthcare/joe", "/api/metrics-upload", "/api/metrics/x/history")
    assert counted(client, handle, *OWN, *urls) == [*theirs]


def test_the_prefix_and_names_of_the_settings_hold(install: Install, settings: Settings) -> None:
    chosen = settings.model_copy(update={"api_prefix": "/own", "endpoints": {"items": "GET /items"}})
    client, handle = install(Starlette(routes=[Route("/api/health", page)]), None, chosen)
    assert counted(client, handle, "/own/health", "/own/metrics/items", "/api/health") == ["/api/health"]


def test_patterns_of_the_settings_stand_in_place_of_it(install: Install, settings: Settings) -> None:
    chosen = settings.model_copy(update={"excluded_routes": ("/api/health*",)})
    client, handle = install(Starlette(routes=[Route("/api/healthcare", page)]), None, chosen)
    assert counted(client, handle, "/api/health", "/api/healthcare", "/api/metrics") == ["/api/metrics"]


def plain() -> Starlette:
    return Starlette(routes=[Route("/api/health", page)])


def mounted() -> Starlette:
    return Starlette(routes=[Mount("/api", routes=[Route("/health", page)])])


def included() -> Starlette:
    inner, router, app = APIRouter(prefix="/health"), APIRouter(prefix="/api"), FastAPI()
    inner.add_api_route("", lambda: "mine")
    router.include_router(inner)
    app.include_router(router)
    return app


@pytest.mark.parametrize("make", [plain, mounted, included])
def test_the_applications_own_endpoint_stays_and_is_counted(
    install: Install, caplog: pytest.LogCaptureFixture, make: Any
) -> None:
    client, handle = install(make())
    assert counted(client, handle, "/api/health", "/api/health/live") == ["/api/health"]
    assert b"mine" in client.get("/api/health").body
    assert "the application has a route '/api/health' of its own" in caplog.text
