"""API tokens over REST: made and shown once, listed without their secrets, revoked."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, TokenRecord
from services.api.identity.secret_keys import NoVault, access_key
from services.api.invalid import Invalid
from services.api.rest.body import read_object
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.render import iso
from services.api.rest.shapes_people import TokenBody
from services.api.tokens import Wanted

TOKENS = "/api/v2/tokens"


@needs(Permission.ADMINISTER)
async def create_token(request: Request) -> Response:
    """Make a token; its secrets are in this answer and nowhere else."""
    try:
        body = TokenBody.model_validate(await read_object(request))
    except ValidationError as error:
        raise Invalid.of(error) from None
    teams = frozenset(body.teams) if body.teams is not None else None
    wanted = Wanted(body.name, body.role, body.expires_at, teams, body.key_pair)
    try:
        made = await api(request).tokens.issue(wanted, by=principal(request).name)
    except NoVault as error:
        raise Invalid.at(["key_pair"], str(error)) from None
    secret = {"secret_key": made.secret_key} if made.secret_key is not None else {}
    headers = {"Location": f"{TOKENS}/{made.record.id}"}
    return ok(request, {**_shown(made.record), "token": made.token, **secret}, status=201, headers=headers)


@needs(Permission.ADMINISTER)
async def tokens(request: Request) -> Response:
    """List the tokens, without their secrets."""
    return ok(request, {"contents": [_shown(record) for record in api(request).tokens.all()]})


@needs(Permission.ADMINISTER)
async def revoke_token(request: Request) -> Response:
    """Revoke a token; every API process refuses it within seconds."""
    token_id = request.path_params["token_id"]
    known = token_id.isascii() and token_id.isalnum() and len(token_id) <= 64
    if not known or not await api(request).tokens.revoke(token_id, by=principal(request).name):
        raise Problem(404, 4001, f"There is no token {token_id[:64]}.")
    return ok(request)


def _shown(record: TokenRecord) -> dict[str, Any]:
    shown = {
        "id": record.id,
        "name": record.name,
        "role": record.role.value,
        "teams": sorted(record.teams) if record.teams is not None else None,
        "created_at": iso(record.created_at),
        "created_by": record.created_by,
        "expires_at": iso(record.expires_at),
        "access_key": access_key(record.id) if record.signs else None,
    }
    return {name: value for name, value in shown.items() if value is not None}
