"""Health and numbers. `live` is open to everybody and says nothing; the others ask each resource for its own ping."""

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest.policy import needs
from services.api.rest.ports import api

MEDIA = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@needs(None)
async def live(request: Request) -> Response:  # noqa: ARG001  nothing of it matters
    """Say that the process answers."""
    return Response(b'{"status":"up"}', media_type=MEDIA)


@needs(Permission.READ)
async def ready(request: Request) -> Response:
    """Say which resources answer; 503 when one does not (P15)."""
    found = await api(request).health()
    well = all(health.ok for health in found.values())
    shown = {"status": "up" if well else "degraded", "resources": {name: one.shown() for name, one in found.items()}}
    return Response(to_json(shown), 200 if well else 503, media_type=MEDIA)


@needs(Permission.READ)
async def metrics(request: Request) -> Response:
    """Give the numbers in Prometheus's text format."""
    return Response(api(request).numbers.text(), headers={"Content-Type": PROMETHEUS})
