"""People: users with their roles and teams, made, changed and removed; tokens are shown beside them.

What may be done to users is decided where REST asks too (`services/api/users.py`, `rest/people.py`).
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, Role
from services.api.console.blanks import Field, blamed, first, typed, words
from services.api.console.http import form, page, see
from services.api.console.sign_in import session_cookie
from services.api.invalid import Invalid
from services.api.rest.errors import Problem
from services.api.rest.people import answered, name_of, teams_of
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.shapes_people import MIN_PASSWORD, PasswordBody, UserBody, UserChange

PEOPLE: Final = "/people"
ROLES: Final = tuple(role.value for role in Role)
NAME: Final = Field("name", "Name", hint="Letters, digits and . _ -, at most 64.", fill="username")
ROLE: Final = Field("role", "Role", "select", value=Role.TASK_OPERATOR.value, options=ROLES)
TEAMS: Final = Field(
    "teams", "Teams", hint="Separated by commas. Empty: the tasks of all teams. An ADMIN has none.", required=False
)
PASSWORD: Final = Field(
    "password", "Password", "password", hint=f"At least {MIN_PASSWORD} characters.", fill="new-password"
)
AGAIN: Final = Field("again", "The same password again", "password", fill="new-password")
OLD: Final = Field("old", "Present password", "password", fill="current-password")


@needs(Permission.ADMINISTER)
async def people(request: Request) -> Response:
    """List users and tokens."""
    found = api(request)
    return page(request, "people.html", users=found.users.all(), tokens=found.tokens.all(), me=principal(request).name)


@needs(Permission.READ)
async def me(request: Request) -> Response:
    """Say who asks and what they may."""
    who = principal(request)
    may = [permission.value for permission in Permission if who.may(permission)]
    user = who.name in api(request).credentials.users
    return page(request, "me.html", who=who, may=may, user=user)


@needs(Permission.ADMINISTER)
async def new_user(request: Request) -> Response:
    """Ask what user to make."""
    return asked(request, "New user", "Make the user", [NAME, PASSWORD, ROLE, TEAMS])


@needs(Permission.ADMINISTER)
async def make_user(request: Request) -> Response:
    """Make a user."""
    given = first(await form(request))

    async def make() -> Response:
        body = UserBody.model_validate(
            {
                "name": given.get("name", "").strip(),
                "password": given.get("password", ""),
                "role": given.get("role", ""),
                "teams": words(given.get("teams", "")),
            }
        )
        by = principal(request).name
        await api(request).users.add(body.name, body.password, body.role, teams_of(body.teams), by=by)
        return see(PEOPLE)

    return await tried(request, make, "New user", "Make the user", typed([NAME, PASSWORD, ROLE, TEAMS], given))


@needs(Permission.ADMINISTER)
async def user(request: Request) -> Response:
    """Ask what to change about a user."""
    return asked(request, f"Role and teams of {name_of(request)}", "Change", _present(request))


@needs(Permission.ADMINISTER)
async def change_user(request: Request) -> Response:
    """Give a user another role and other teams."""
    given, name = first(await form(request)), name_of(request)

    async def change() -> Response:
        body = UserChange.model_validate({"role": given.get("role", ""), "teams": words(given.get("teams", ""))})
        wanted = {"role": body.role, "teams": teams_of(body.teams)}
        await api(request).users.change(name, wanted, by=principal(request).name)
        return see(PEOPLE)

    return await tried(request, change, f"Role and teams of {name}", "Change", typed(_present(request), given))


@needs(Permission.ADMINISTER, own="name")
async def password(request: Request) -> Response:
    """Ask for another password."""
    fields, back = _passwords(request), _home(request)
    return asked(request, f"Password of {name_of(request)}", "Change the password", fields, back=back)


@needs(Permission.ADMINISTER, own="name")
async def change_password(request: Request) -> Response:
    """Give a user another password, which ends all sessions of theirs; whoever changes the own one stays signed in."""
    given, name, who, found = first(await form(request)), name_of(request), principal(request), api(request)

    async def change() -> Response:
        body = PasswordBody.model_validate({"password": given.get("password", ""), "old": given.get("old")})
        if given.get("again", "") != body.password:
            raise Invalid.at(["again"], "This is another one.")
        if name != who.name:
            await found.users.set_password(name, body.password, by=who.name)
            return see(PEOPLE)
        if not await found.admission.password_is(request.scope, name, body.old or ""):
            raise Invalid.at(["old"], "This is not the present password.")
        await found.users.set_password(name, body.password, by=name)
        return see("/me", {"Set-Cookie": session_cookie(request, await found.sessions.open(name))})

    fields, back = _passwords(request), _home(request)
    return await tried(request, change, f"Password of {name}", "Change the password", fields, back=back)


@needs(Permission.ADMINISTER)
async def goodbye(request: Request) -> Response:
    """Ask whether to remove a user."""
    _present(request)
    return asked(request, f"Remove {name_of(request)}?", "Remove the user", [], danger=True, text=_GOODBYE)


@needs(Permission.ADMINISTER)
async def remove_user(request: Request) -> Response:
    """Remove a user."""
    await form(request)
    name = name_of(request)

    async def remove() -> Response:
        await api(request).users.remove(name, by=principal(request).name)
        return see(PEOPLE)

    return await tried(request, remove, f"Remove {name}?", "Remove the user", [], danger=True, text=_GOODBYE)


_GOODBYE = "Sessions end at once. What the user did stays in the history. Tokens stay too: revoke them one by one."


def asked(request: Request, heading: str, verb: str, fields: Iterable[Field], **about: Any) -> Response:
    """Return a form. `about`: `problem`, `text`, `danger`, `status`."""
    context = {"problem": "", "text": "", "danger": False, "back": PEOPLE, "status": 200, **about}
    return page(request, "fields.html", heading=heading, verb=verb, fields=list(fields), **context)


async def tried(
    request: Request,
    act: Callable[[], Awaitable[Response]],
    heading: str,
    verb: str,
    fields: list[Field],
    **about: Any,
) -> Response:
    """Do what a form asks for; what is wrong with it is said beside what was typed."""
    try:
        with answered():
            return await act()
    except (ValidationError, Invalid) as error:
        shown, problem = blamed(fields, error)
        return asked(request, heading, verb, shown, problem=problem, status=422, **about)
    except Problem as error:
        return asked(request, heading, verb, fields, problem=error.message, status=error.status, **about)


def _present(request: Request) -> list[Field]:
    """Return what can be changed about a user, as it is. Raises 404."""
    name = name_of(request)
    found = api(request).credentials.users.get(name)
    if found is None:
        raise Problem(404, 4001, f"There is no user {name}.")
    return typed([ROLE, TEAMS], {"role": found.role.value, "teams": ", ".join(sorted(found.teams or ()))})


def _home(request: Request) -> str:
    """Return where somebody came from who changes a password: not everybody sees all people."""
    return PEOPLE if principal(request).name != name_of(request) else "/me"


def _passwords(request: Request) -> list[Field]:
    """Return what is asked for another password. Raises 404."""
    _present(request)
    own = principal(request).name == name_of(request)
    return [*([OLD] if own else []), replace(PASSWORD, label="New password"), AGAIN]


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", PEOPLE, people),
    ("GET", "/me", me),
    ("GET", "/people/user", new_user),
    ("POST", "/people/user", make_user),
    ("GET", "/people/users/{name}", user),
    ("POST", "/people/users/{name}", change_user),
    ("GET", "/people/users/{name}/password", password),
    ("POST", "/people/users/{name}/password", change_password),
    ("GET", "/people/users/{name}/remove", goodbye),
    ("POST", "/people/users/{name}/remove", remove_user),
)
