"""Value secrets over REST: set, listed without their values, removed. No route gives a value back."""

import re
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.invalid import Invalid
from services.api.rest.body import read_object
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.render import iso
from services.api.rest.shapes_targets import SecretBody
from services.api.secrets import StillNamed
from shared.store.secrets import MAX_NAME, NAME, NoKey, SecretInfo

SECRETS = "/api/v2/secrets"


@needs(Permission.ADMINISTER)
async def secrets(request: Request) -> Response:
    """List the secrets, without their values."""
    found = await api(request).secrets.all()
    return ok(request, {"contents": [_shown(name, info) for name, info in found.items()]})


@needs(Permission.ADMINISTER)
async def set_secret(request: Request) -> Response:
    """Set a secret; nobody reads its value back, operations alone are given it."""
    name: str = request.path_params["name"].removesuffix("/")
    info, new = await put(request, name, await read_object(request))
    return ok(request, _shown(name, info), status=201 if new else 200)


async def put(request: Request, given: str, asked: dict[str, Any]) -> tuple[SecretInfo, bool]:
    """Set what a body says under this name; return what may be known of it, whether it is new. Raises `Invalid`."""
    name = named(given)
    if name is None:
        raise Invalid.at(["name"], f"A name has letters, digits and ._-/ and at most {MAX_NAME} of them.")
    try:
        body = SecretBody.model_validate(asked)
    except ValidationError as error:
        raise Invalid.of(error) from None
    known = await api(request).secrets.info(name)
    teams = known.teams if known is not None and "teams" not in body.model_fields_set else body.teams
    try:
        return await api(request).secrets.put(name, body.value, teams, by=principal(request).name), known is None
    except NoKey as error:
        raise Invalid.at(["value"], str(error)) from None


@needs(Permission.ADMINISTER)
async def remove_secret(request: Request) -> Response:
    """Remove a secret that no connection names."""
    await remove(request, request.path_params["name"].removesuffix("/"))
    return ok(request)


async def remove(request: Request, given: str) -> None:
    """Remove the secret of this name. Raises `Problem`: 409 when a connection names it, 404."""
    name = named(given)
    try:
        removed = name is not None and await api(request).secrets.remove(name, by=principal(request).name)
    except StillNamed as error:
        raise Problem(409, 1001, str(error)) from None
    if not removed:
        raise Problem(404, 4001, "There is no such secret.")


def named(given: str) -> str | None:
    """Return the name, None for what cannot be one."""
    return given if len(given) <= MAX_NAME and re.fullmatch(NAME, given) else None


def _shown(name: str, info: SecretInfo) -> dict[str, Any]:
    shown = {
        "name": name,
        "created_at": iso(info.created_at),
        "created_by": info.created_by,
        "changed_at": iso(info.changed_at),
        "changed_by": info.changed_by,
    }
    return {**shown, "teams": info.teams} if info.teams is not None else shown
