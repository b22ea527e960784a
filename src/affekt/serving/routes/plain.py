"""What every service has: health, readiness, metrics, and the description of all routes."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from affekt.serving.endpoints import Endpoint
from affekt.serving.metrics import FORMAT
from affekt.serving.service import Service


async def health(service: Service, form: None, request: Request) -> dict[str, str]:
    """Say that the process lives, whether it answers yet or not."""
    return {"status": service.state}


async def ready(service: Service, form: None, request: Request) -> dict[str, str]:
    """Say that requests are answered; 503 before and after."""
    service.ready()
    return {"status": service.state}


async def metrics(service: Service, form: None, request: Request) -> Response:
    """Return the figures for Prometheus."""
    return Response(service.metrics.exposed(), media_type=FORMAT)


Status = dict[str, Any]

ENDPOINTS = (
    Endpoint("/health", "Whether the process lives", health, gives=Status, guarded=False),
    Endpoint("/ready", "Whether requests are answered", ready, gives=Status, guarded=False),
    Endpoint("/metrics", "Figures for Prometheus", metrics, guarded=False, kind=FORMAT),
)
