"""Signing in and out, and the theme: what a browser keeps in cookies."""

from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import MAX_LOGIN, Permission
from services.api.console.http import THEME, THEMES, form, page, same_origin, see
from services.api.console.session import COOKIE, LASTS
from services.api.rest import exchange
from services.api.rest.body import read_bytes
from services.api.rest.policy import needs
from services.api.rest.ports import api

HOME: Final = "/tasks"
A_YEAR: Final = 365 * 24 * 3600


@needs(None)
async def login_page(request: Request) -> Response:
    """Ask who it is."""
    return page(request, "login.html", next=_inside(request.query_params.get("next")), problem="", name="")


@needs(None)
async def login(request: Request) -> Response:
    """Sign in with name and password; lead to where the browser wanted to go."""
    same_origin(request)
    given = dict(parse_qsl((await read_bytes(request)).decode("utf-8", "replace"), max_num_fields=10))
    name, onward = given.get("name", "")[:MAX_LOGIN].strip(), _inside(given.get("next"))
    found = api(request)
    if not await found.admission.password_is(request.scope, name, given.get("password", "")):
        wrong = "There is no such user, or the password is another one."
        return page(request, "login.html", status=401, next=onward, problem=wrong, name=name)
    cookie = await found.sessions.open(name)
    return see(onward, {"Set-Cookie": _cookie(request, COOKIE, cookie, int(LASTS.total_seconds()))})


@needs(Permission.READ)
async def logout(request: Request) -> Response:
    """Sign out, here and wherever this cookie was taken to."""
    await form(request)
    cookie = exchange.of(request.scope).session
    assert cookie is not None  # noqa: S101  its form was verified
    await api(request).sessions.close(cookie)
    return see("/login", {"Set-Cookie": _cookie(request, COOKIE, "", 0)})


@needs(Permission.READ)
async def theme(request: Request) -> Response:
    """Draw pages light, dark, or as the browser likes them."""
    given = dict(await form(request))
    chosen = given.get("theme", "")
    kept = _cookie(request, THEME, chosen if chosen in THEMES else "", A_YEAR if chosen in THEMES else 0)
    return see(_inside(given.get("next")), {"Set-Cookie": kept})


def _cookie(request: Request, name: str, value: str, seconds: int) -> str:
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def _inside(address: str | None) -> str:
    """Return the address if it lies on this server, else the first page: nobody is led elsewhere."""
    ours = address and address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if ours and address is not None and address.isascii() else HOME


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/login", login_page),
    ("POST", "/login", login),
    ("POST", "/logout", logout),
    ("POST", "/theme", theme),
)
