"""The catalogue: task types and operations on offer, as cards."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import api


@needs(Permission.READ)
async def task_types(request: Request) -> Response:
    """List the task types."""
    return ok(request, {"contents": [card.model_dump(mode="json") for card in api(request).catalog.types.values()]})


@needs(Permission.READ)
async def task_type(request: Request) -> Response:
    """Show one task type with its parameters' schema."""
    name = request.path_params["name"]
    card = api(request).catalog.types.get(name)
    if card is None:
        raise Problem(404, 4001, f"No executor offers task type {name[:100]}.")
    return ok(request, card.model_dump(mode="json"))


@needs(Permission.READ)
async def operations(request: Request) -> Response:
    """List the operations that plans can use."""
    found = api(request).catalog.operations.values()
    return ok(request, {"contents": [card.model_dump(mode="json") for card in found]})
