"""Users over REST, and whoever asks: made, listed, changed, removed; one's own password by oneself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import LOGIN, MAX_LOGIN, Permission, Principal, Teams, UserRecord
from services.api.invalid import Invalid
from services.api.rest.body import read_object
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.render import iso
from services.api.rest.shapes_people import PasswordBody, UserBody, UserChange
from services.api.users import AdminWithTeams, LastAdmin, NoSuchUser, UserExists

Model = TypeVar("Model", bound=BaseModel)
USERS = "/api/v2/users"
ME = "/api/v2/me"


@needs(Permission.READ)
async def me(request: Request) -> Response:
    """Say who asks and what they may."""
    found = principal(request)
    may = [permission.value for permission in Permission if found.may(permission)]
    return ok(request, {**_granted(found), "permissions": may})


@needs(Permission.ADMINISTER)
async def users(request: Request) -> Response:
    """List the users."""
    return ok(request, {"contents": [_shown(record) for record in api(request).users.all()]})


@needs(Permission.ADMINISTER)
async def create_user(request: Request) -> Response:
    """Make a user."""
    body = await _body(request, UserBody)
    by = principal(request).name
    with answered():
        made = await api(request).users.add(body.name, body.password, body.role, teams_of(body.teams), by=by)
    return ok(request, _shown(made), status=201, headers={"Location": f"{USERS}/{made.name}"})


@needs(Permission.ADMINISTER)
async def change_user(request: Request) -> Response:
    """Give a user another role or other teams; their sessions go on with what they may now."""
    name, body = name_of(request), await _body(request, UserChange)
    change: dict[str, Any] = {"role": body.role} if body.role is not None else {}
    if "teams" in body.model_fields_set:
        change["teams"] = teams_of(body.teams)
    with answered():
        return ok(request, _shown(await api(request).users.change(name, change, by=principal(request).name)))


@needs(Permission.ADMINISTER)
async def remove_user(request: Request) -> Response:
    """Remove a user; every API process refuses them within seconds."""
    with answered():
        await api(request).users.remove(name_of(request), by=principal(request).name)
    return ok(request)


@needs(Permission.ADMINISTER, own="name")
async def change_password(request: Request) -> Response:
    """Give a user another password; one's own needs the old one."""
    name, body, asking = name_of(request), await _body(request, PasswordBody), principal(request)
    found = api(request)
    if name == asking.name:
        if body.old is None:
            raise Invalid.at(["old"], "One's own password is changed with the old one.")
        if not await found.admission.password_is(request.scope, name, body.old):
            raise Invalid.at(["old"], "This is not the present password.")
    with answered():
        await found.users.set_password(name, body.password, by=asking.name)
    return ok(request)


@contextmanager
def answered() -> Iterator[None]:
    """Turn what cannot be done to a user into `Problem` (404, 409) or `Invalid`."""
    try:
        yield
    except NoSuchUser as error:
        raise Problem(404, 4001, str(error)) from None
    except AdminWithTeams as error:
        raise Invalid.at(["teams"], str(error)) from None
    except (UserExists, LastAdmin) as error:
        raise Problem(409, 1001, str(error)) from None


async def _body(request: Request, model: type[Model]) -> Model:
    try:
        return model.model_validate(await read_object(request))
    except ValidationError as error:
        raise Invalid.of(error) from None


def name_of(request: Request) -> str:
    """Return the name in the path; what cannot be one is nobody's."""
    given: str = request.path_params["name"]
    if len(given) > MAX_LOGIN or not re.fullmatch(LOGIN, given):
        raise Problem(404, 4001, f"There is no user {given[:MAX_LOGIN]}.")
    return given


def teams_of(given: list[str] | None) -> Teams:
    """Return the teams of a body; None is every team."""
    return frozenset(given) if given is not None else None


def _granted(found: Principal | UserRecord) -> dict[str, Any]:
    teams = {"teams": sorted(found.teams)} if found.teams is not None else {}
    return {"name": found.name, "role": found.role.value, **teams}


def _shown(record: UserRecord) -> dict[str, Any]:
    return {**_granted(record), "created_at": iso(record.created_at)}
