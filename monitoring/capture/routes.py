"""
The route template of a request that has been routed, in constant time.

Frameworks leave it in the scope, in different places: FastAPI (0.137 and later) in an effective route context,
which knows the prefixes of included routers; older FastAPI and Starlette 1 as ``scope["route"]``; older Starlette
only the endpoint. Mounts in front show as growth of ``root_path``.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.routing import Host, Mount, Route

UNMATCHED = "<unmatched>"
"""Route of requests that no route took."""

_MAX_KNOWN = 1000


def route_template(scope: MutableMapping[str, Any], root_path: str) -> str:
    """
    Return the template of the route that took a request.

    Args:
        scope: the request's scope, after the application has routed it.
        root_path: ``scope["root_path"]`` as it was before.

    Returns:
        Path template with mounts in front, such as ``/api/items/{item_id}``; ``/static/*`` for a mounted
        application that says no more; `UNMATCHED` when no route took it.
    """
    grown: str = scope.get("root_path", "")
    if grown == root_path and "route" in scope:
        # What `_inner_template` does for the commonest cases, in a third of its time: this runs for every request.
        route = scope["route"]
        context = scope["fastapi"].get("effective_route_context") if "fastapi" in scope else None
        if context is None:
            if isinstance(route, Route):
                return route.path
        else:
            try:
                if context.original_route is route and type(context.path) is str:
                    return context.path
            except AttributeError:
                pass
    mounted = len(grown) > len(root_path) and grown.startswith(root_path)
    path = _inner_template(scope, mounted=mounted)
    if not mounted:
        return UNMATCHED if path is None else path
    mount = _named(grown[len(root_path) :], scope.get("path_params") or {}, path or "")
    return mount + ("/*" if path is None else path)


def _inner_template(scope: MutableMapping[str, Any], *, mounted: bool) -> str | None:
    route = scope.get("route")
    context = (scope.get("fastapi") or {}).get("effective_route_context")
    # The context of an outer application may still be there when a mounted one has routed on.
    if context is not None and (route is None or getattr(context, "original_route", None) is route):
        path = getattr(context, "path", None)
        if path is not None:
            return str(path)
    if route is None:
        return _by_endpoint(scope, mounted=mounted)
    if isinstance(route, (Mount, Host)):
        return None
    path = getattr(route, "path", None)
    return str(path) if path is not None else None


def _by_endpoint(scope: MutableMapping[str, Any], *, mounted: bool) -> str | None:
    """Find the route by its endpoint: Starlette before 1.0 leaves nothing else."""
    endpoint = scope.get("endpoint")
    router = scope.get("router")
    if endpoint is None or router is None:
        return None
    known: dict[Any, str | None] = router.__dict__.setdefault("_monitoring_templates", {})
    key = (endpoint, mounted, frozenset(scope.get("path_params") or ()))
    if key not in known:
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[key] = _search(router.routes, endpoint, key[2], mounted=mounted, inside=False)
    return known[key]


def _search(
    routes: Iterable[Any], endpoint: Any, params: frozenset[str], *, mounted: bool, inside: bool
) -> str | None:
    """Return the path of the route with this endpoint; one function may serve several routes."""
    for route in routes:
        if isinstance(route, (Mount, Host)):
            found = _search(route.routes or (), endpoint, params, mounted=mounted, inside=True)
            if found is not None:
                return found
        elif (
            inside is mounted
            and getattr(route, "endpoint", None) is endpoint
            and params.issuperset(getattr(route, "param_convertors", ()))
        ):
            return str(route.path)
    return None


def _named(mount: str, params: MutableMapping[str, Any] | dict[str, Any], inner: str) -> str:
    """Put the names of path parameters back into the path of a mount, which holds their values."""
    values = {str(value): name for name, value in params.items() if f"{{{name}" not in inner and name != "path"}
    if not values:
        return mount
    return "/".join(f"{{{values[part]}}}" if part in values else part for part in mount.split("/"))
