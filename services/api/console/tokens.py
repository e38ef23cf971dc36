"""Tokens for programs: made and shown once, revoked. What a token is, `services/api/tokens.py` knows."""

from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.blanks import Field, first, typed, words
from services.api.console.http import form, page, see
from services.api.console.people import NAME, PEOPLE, ROLE, TEAMS, asked, tried
from services.api.identity.secret_keys import NoVault, access_key
from services.api.invalid import Invalid
from services.api.rest.errors import Problem
from services.api.rest.people import teams_of
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.shapes_people import LONGEST, TokenBody
from services.api.tokens import Wanted
from shared.runtime.clock import now

FOREVER: Final = "never"
DAYS: Final = ("30", "90", "365", FOREVER)
EXPIRES: Final = Field("days", "Expires after how many days", "select", value="90", options=DAYS)
PAIR: Final = Field(
    "pair", "Key pair to sign requests with", "select", value="no", options=("no", "yes"),
    hint="For OCP's and Huawei's clients that sign.",
)  # fmt: skip
FIELDS: Final = (NAME, ROLE, TEAMS, EXPIRES, PAIR)
HEADING, VERB = "New token", "Make the token"
_REVOKED = "Programs that use it are refused within seconds. What they did stays in the history."


@needs(Permission.ADMINISTER)
async def new_token(request: Request) -> Response:
    """Ask what token to make."""
    return asked(request, HEADING, VERB, FIELDS)


@needs(Permission.ADMINISTER)
async def make_token(request: Request) -> Response:
    """Make a token; its secrets are in this page and nowhere else."""
    given = first(await form(request))

    async def make() -> Response:
        body = TokenBody.model_validate(
            {
                "name": given.get("name", "").strip(),
                "role": given.get("role", ""),
                "teams": words(given.get("teams", "")),
                "expires_at": _until(given.get("days", "")),
                "key_pair": given.get("pair") == "yes",
            }
        )
        wanted = Wanted(body.name, body.role, body.expires_at, teams_of(body.teams), body.key_pair)
        try:
            made = await api(request).tokens.issue(wanted, by=principal(request).name)
        except NoVault as error:
            raise Invalid.at(["pair"], str(error)) from None
        pair = access_key(made.record.id) if made.secret_key is not None else None
        return page(request, "token.html", status=201, made=made, access_key=pair)

    return await tried(request, make, HEADING, VERB, typed(FIELDS, given))


@needs(Permission.ADMINISTER)
async def last_words(request: Request) -> Response:
    """Ask whether to revoke a token."""
    return asked(request, _heading(request), "Revoke the token", [], danger=True, text=_REVOKED)


@needs(Permission.ADMINISTER)
async def revoke_token(request: Request) -> Response:
    """Revoke a token."""
    await form(request)
    _heading(request)
    await api(request).tokens.revoke(request.path_params["token_id"], by=principal(request).name)
    return see(PEOPLE)


def _heading(request: Request) -> str:
    """Return what is asked. Raises 404."""
    token_id = request.path_params["token_id"]
    for record in api(request).tokens.all():
        if record.id == token_id:
            return f"Revoke the token {token_id} of {record.name}?"
    raise Problem(404, 4001, f"There is no token {token_id[:64]}.")


def _until(days: str) -> str | None:
    """Return when a token expires, as a body has it; None for never."""
    if days == FOREVER:
        return None
    if not (days.isascii() and days.isdigit() and 0 < int(days) <= LONGEST.days):
        raise Invalid.at(["days"], f"1 to {LONGEST.days}, or {FOREVER}.")
    return (now() + timedelta(days=int(days))).isoformat()


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/people/token", new_token),
    ("POST", "/people/token", make_token),
    ("GET", "/people/tokens/{token_id}/revoke", last_words),
    ("POST", "/people/tokens/{token_id}/revoke", revoke_token),
)
