"""Signing in and out, theme and keys: what a browser keeps in cookies."""

from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import MAX_LOGIN, Permission
from services.api.console.http import KEYS, OFF, THEME, THEMES, form, page, same_origin, see
from services.api.console.session import COOKIE, LONGEST
from services.api.rest import exchange
from services.api.rest.body import read_bytes
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import api

HOME: Final = "/tasks"
A_YEAR: Final = 365 * 24 * 3600
WRONG: Final = "There is no such user, or the password is another one."


@needs(None)
async def login_page(request: Request) -> Response:
    """Ask who it is."""
    return page(request, "login.html", next=_inside(request.query_params.get("next")), problem="", name="")


@needs(None)
async def login(request: Request) -> Response:
    """Sign in with name and password; lead to where the browser wanted to go."""
    same_origin(request)
    given = await _given(request)
    name, onward = given.get("name", "")[:MAX_LOGIN].strip(), _inside(given.get("next"))
    found, about = api(request), exchange.of(request.scope)
    about.claim = f"user {name}" if name in found.credentials.users else "unknown user"
    try:
        right = await found.admission.password_is(request.scope, name, given.get("password", ""))
    except Problem as error:
        return page(
            request, "login.html", status=error.status, headers=error.headers, next=onward, problem=error.message,
            name=name,
        )  # fmt: skip
    if not right:
        return page(request, "login.html", status=401, next=onward, problem=WRONG, name=name)
    if before := request.cookies.get(COOKIE):
        await found.sessions.close(before)
    cookie = await found.sessions.open(name)
    return see(onward, {"Set-Cookie": session_cookie(request, cookie)})


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


@needs(Permission.READ)
async def keys(request: Request) -> Response:
    """Switch single keys on or off: they are in the way of those who speak to their machine (WCAG 2.1.4)."""
    off = dict(await form(request)).get("keys") == OFF
    return see("/help", {"Set-Cookie": _cookie(request, KEYS, OFF if off else "", A_YEAR if off else 0)})


def session_cookie(request: Request, cookie: str) -> str:
    """Return the header that gives a browser its session; how long it lasts is the record's affair."""
    return _cookie(request, COOKIE, cookie, int(LONGEST.total_seconds()))


async def _given(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl((await read_bytes(request)).decode("utf-8", "replace"), max_num_fields=10))
    except ValueError:
        raise Problem(400, 1001, "The form cannot be read.") from None


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
    ("POST", "/keys", keys),
)
