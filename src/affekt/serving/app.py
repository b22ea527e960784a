"""The application: routes put together behind one door, which checks keys, counts, logs and refuses."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from affekt.errors import AffektError
from affekt.inference.model import Model, load
from affekt.serving import page
from affekt.serving.bodies import checked, read_body
from affekt.serving.endpoints import Endpoint
from affekt.serving.logs import log, place_of
from affekt.serving.openapi import described
from affekt.serving.refusals import NAMES, Refusal, Shape, native
from affekt.serving.routes import ENDPOINTS as ROUTES
from affekt.serving.service import Service
from affekt.serving.settings import Settings

ENDPOINTS = (*ROUTES, *described(ROUTES), *page.ENDPOINTS)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": page.POLICY,
}


def create_app(settings: Settings, open_model: Callable[[], Model] | None = None) -> Starlette:
    """Return the application.

    Args:
        settings: How it is set up.
        open_model: Gives the model; opens the one of the settings unless said.
    """
    service = Service(open_model or (lambda: load(settings.model, speed=settings.speed)), settings)
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    routes = [
        Route(path, _handler(service, endpoints), methods=[one.method for one in endpoints])
        for path, endpoints in by_path.items()
    ]
    shapes = {
        route.endpoint: endpoints[0].shape for route, endpoints in zip(routes, by_path.values(), strict=True)
    }
    middleware = [Middleware(_Door, service=service)]
    if settings.origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
        middleware.insert(0, cors)
    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=lambda _: _life(service),
        exception_handlers={HTTPException: _not_ours},
    )
    app.state.service = service
    app.state.shapes = shapes
    return app


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response of ASCII letters, which hold whatever a text does."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(body, status, headers, media_type="application/json")


def refused(refusal: Refusal, shape: Shape) -> Response:
    """Return a refusal as a response in an interface's own shape."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return json_response(shape(refusal), refusal.status, headers)


# --- a request


def _handler(service: Service, endpoints: Sequence[Endpoint]) -> Callable[[Request], Any]:
    """Return what answers the requests of a path."""
    by_method = {one.method: one for one in endpoints}

    async def handle(request: Request) -> Response:
        endpoint = by_method["GET" if request.method == "HEAD" else request.method]
        request.scope["affekt.route"] = endpoint.path
        try:
            return await _answered(service, endpoint, request)
        except Refusal as refusal:
            return _counted(service, refusal, endpoint.shape)
        except AffektError as fault:  # the model cannot do what was asked
            return _counted(service, Refusal(422, str(fault)), endpoint.shape)
        except Exception as fault:
            log("fault", route=endpoint.path, kind=type(fault).__name__, at=place_of(fault))
            return _counted(service, Refusal(500, "something failed here; it is logged."), endpoint.shape)

    return handle


async def _answered(service: Service, endpoint: Endpoint, request: Request) -> Response:
    if endpoint.guarded and not service.keys.open_to(_key(request)):
        raise Refusal(401, "give a key, as Authorization: Bearer KEY or as X-API-Key.")
    form = None
    if endpoint.takes is not None and not endpoint.streams:
        service.ready()  # before a body is read for nothing
        body = await read_body(request, service.limits)
        form = checked(endpoint.parse(body, request), endpoint.takes)
    answer = await endpoint.answer(service, form, request)
    return answer if isinstance(answer, Response) else json_response(answer)


def _key(request: Request) -> str | None:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key")


def _counted(service: Service, refusal: Refusal, shape: Shape) -> Response:
    service.metrics.refusals.labels(NAMES.get(refusal.status, "error")).inc()
    return refused(refusal, shape)


async def _not_ours(request: Request, fault: Exception) -> Response:
    """Answer what no route answers: an unknown path, or a method that a path has not."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    shape = request.app.state.shapes.get(request.scope.get("endpoint"), native)
    said = {404: "there is nothing here; /docs lists what there is.", 405: "this path has other methods."}
    response = refused(Refusal(status, said.get(status, "that cannot be done.")), shape)
    allowed = (fault.headers or {}) if isinstance(fault, HTTPException) else {}
    response.headers.update(allowed)
    service = request.app.state.service
    service.metrics.refusals.labels(NAMES.get(status, "error")).inc()
    return response


class _Door:
    """What every request passes: it gets its headers, is counted and logged, and leaves no traceback."""

    def __init__(self, app: Any, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name.lower() for name, _ in message["headers"]}
                more = HEADERS | ({} if b"cache-control" in own else {"Cache-Control": "no-store"})
                if self._service.state == "draining":
                    more["Connection"] = "close"  # the next request would find the door closed
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in more.items()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as fault:
            log("fault", kind=type(fault).__name__, at=place_of(fault))
            if not status:
                await refused(Refusal(500, "something failed here; it is logged."), native)(
                    scope, receive, sending
                )
        finally:
            seconds = time.monotonic() - began
            route = scope.get("affekt.route", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._service.metrics.request(route, method, status, seconds)
            log("request", route=route, method=method, status=status, seconds=round(seconds, 4))


_METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")


# --- its life


@asynccontextmanager
async def _life(service: Service) -> AsyncIterator[None]:
    """Start the service, let it drain at SIGTERM before the server closes, and stop it."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    server = before if callable(before) else None  # how the server stops
    if server:
        signal.signal(signal.SIGTERM, _draining(service, server))
    await service.start()
    try:
        yield
    finally:
        service.drain()
        await service.stop()


def _draining(service: Service, server: Callable[..., Any]) -> Callable[..., None]:
    """Return what stops accepting at a signal, and a little later lets the server close its door.

    Between the two, whoever still comes is told to go elsewhere rather than cut off.
    """
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: Any) -> None:
        wait = service.settings.drain_seconds if service.state == "ready" else 0
        service.drain()
        loop.call_soon_threadsafe(loop.call_later, wait, server, number, None)

    return stop
