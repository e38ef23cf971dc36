"""Connections over REST: defined by administrators, shown to those whose tasks may use them. No secret's value."""

import re
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.connections import NoSuchSecret
from services.api.invalid import Invalid
from services.api.rest.body import read_object
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.shapes_targets import ConnectionBody
from shared.store.connections import MAX_NAME, NAME, ConnectionSpec

CONNECTIONS = "/api/v2/connections"


@needs(Permission.READ)
async def connections(request: Request) -> Response:
    """List the connections that tasks of the caller's teams may use."""
    found = await api(request).connections.all()
    return ok(request, {"contents": [_shown(spec) for spec in found if seen_by(request, spec)]})


@needs(Permission.READ)
async def connection(request: Request) -> Response:
    """Give one connection."""
    name = named(request.path_params["name"])
    spec = await api(request).connections.get(name) if name is not None else None
    if spec is None or not seen_by(request, spec):
        raise _none()
    return ok(request, _shown(spec))


@needs(Permission.ADMINISTER)
async def define_connection(request: Request) -> Response:
    """Define a connection, or define it anew; tasks that run now keep what they were given."""
    given: str = request.path_params["name"]
    spec, new = await define(request, given, await read_object(request))
    return ok(request, _shown(spec), status=201 if new else 200)


async def define(request: Request, given: str, asked: dict[str, Any]) -> tuple[ConnectionSpec, bool]:
    """Define what a body says under this name; return it and whether it is new. Raises `Invalid`."""
    name = named(given)
    if name is None:
        raise Invalid.at(["name"], f"A name has letters, digits and ._- and at most {MAX_NAME} of them.")
    try:
        body = ConnectionBody.model_validate(asked)
    except ValidationError as error:
        raise Invalid.of(error) from None
    if body.name not in {None, name}:
        raise Invalid.at(["name"], "It differs from the name in the address.")
    spec = ConnectionSpec(**{**body.model_dump(), "name": name})
    try:
        return spec, await api(request).connections.put(spec, by=principal(request).name)
    except NoSuchSecret as error:
        raise Invalid.at(["secrets", error.purpose], str(error)) from None


@needs(Permission.ADMINISTER)
async def remove_connection(request: Request) -> Response:
    """Remove a connection; tasks that name it fail from now on."""
    name = named(request.path_params["name"])
    if name is None or not await api(request).connections.remove(name, by=principal(request).name):
        raise _none()
    return ok(request)


def seen_by(request: Request, spec: ConnectionSpec) -> bool:
    """Whether tasks of the caller's teams may use it."""
    teams = principal(request).teams
    return teams is None or spec.teams is None or not teams.isdisjoint(spec.teams)


def _none() -> Problem:
    return Problem(404, 4001, "There is no such connection.")


def named(given: str) -> str | None:
    """Return the name, None for what cannot be one."""
    return given if len(given) <= MAX_NAME and re.fullmatch(NAME, given) else None


def _shown(spec: ConnectionSpec) -> dict[str, Any]:
    shown = {
        "name": spec.name,
        "url": spec.url,
        "options": spec.options,
        "secrets": spec.secrets,
        "description": spec.description,
    }
    return {**shown, "teams": spec.teams} if spec.teams is not None else shown
