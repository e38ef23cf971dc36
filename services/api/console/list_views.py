"""The page where lists get names, and lose them again. Where they are kept is `list_saved.py`'s affair."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.http import form, page, see
from services.api.console.list_look import LOOKS, OURS
from services.api.console.list_saved import MAX_NAME, View, ViewProblem
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api

KEPT: Final = frozenset({"q", "sort", "cols"})
"""What a view keeps of an address: not how far somebody has read."""


def place(request: Request) -> str:
    """Return the address of a list as a view keeps it."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name in KEPT and value]
    return request.url.path + (f"?{urlencode(pairs)}" if pairs else "")


async def mine(request: Request) -> list[View] | None:
    """Return the views of whoever looks, None for somebody who cannot have any: a token, or a user from elsewhere."""
    since = _since(request)
    return None if since is None else await api(request).saved.of(principal(request).name, since)


@needs(Permission.READ)
async def views(request: Request) -> Response:
    """Show the views there are, and ask for a name for the list that the address names."""
    return await _page(request, *_split(request.query_params.get("at", "")))


@needs(Permission.READ)
async def change(request: Request) -> Response:
    """Save a view, or remove one, and lead back to the list."""
    given = dict(await form(request))
    path, query = _split(given.get("at", ""))
    found, since, who = api(request).saved, _since(request), principal(request).name
    if since is None:
        raise Problem(403, 3100, "Only a user of this installation can save views.")
    at = View.model_construct(name="", path=path, query=query).href
    if removed := given.get("remove"):
        await found.remove(who, since, removed)
        return see(at)
    try:
        await found.save(who, since, given.get("name", ""), path, query)
    except ViewProblem as problem:
        return await _page(request, path, query, str(problem), given.get("name", ""), 422)
    return see(at)


async def _page(
    request: Request, path: str, query: str, problem: str = "", name: str = "", status: int = 200
) -> Response:
    at = View.model_construct(name="", path=path, query=query).href
    asked = {"q": "", "sort": "", **dict(parse_qsl(query))}
    return page(
        request, "views.html", status=status, at=at, look=LOOKS[path], asked=asked, views=await mine(request),
        problem=problem, name=name, most=MAX_NAME,
    )  # fmt: skip


def _split(at: str) -> tuple[str, str]:
    """Return path and query of a list's address; ours for anything else."""
    path, _, query = at.partition("?")
    pairs = [(name, value) for name, value in parse_qsl(query) if name in KEPT]
    return (path, urlencode(pairs)) if path in LOOKS else (OURS.path, "")


def _since(request: Request) -> datetime | None:
    """Return when the user who asks was made, None for somebody who is no user of this installation."""
    user = api(request).credentials.users.get(principal(request).name)
    return user.created_at if user is not None else None


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks/views", views), ("POST", "/tasks/views", change))
