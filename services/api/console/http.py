"""Pages as answers: their headers, what every page shows, forms that only our own pages can send. Knows no page.

Nothing but our own files may run, be drawn or be asked for (`CSP`); pages are never kept by caches, for they show what
one person may see. A form carries a token that nobody who cannot read our pages can know, and a browser that says where
it comes from must say that it comes from here.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, Principal
from services.api.console import pages
from services.api.console.session import csrf, csrf_fits
from services.api.rest import exchange
from services.api.rest.body import read_bytes
from services.api.rest.errors import Problem
from shared.runtime.clock import now

CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie",
}
THEME: Final = "opsledger_theme"
THEMES: Final = ("light", "dark")
PLACES: Final[tuple[tuple[str, str, Permission], ...]] = (
    ("Tasks", "/tasks", Permission.READ),
    ("O&M tasks", "/oms", Permission.READ),
    ("Asynchronous execution", "/odc", Permission.READ),
    ("Synchronization", "/sync", Permission.READ),
    ("Executors", "/executors", Permission.READ),
    ("Queue", "/queue", Permission.READ),
    ("Audit", "/audit", Permission.AUDIT),
    ("People", "/people", Permission.ADMINISTER),
)
"""What the frame's head leads to, and who sees it there."""


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return a page in its frame. `context` is the template's; `live` and `seen` make it a live one."""
    about = exchange.of(request.scope)
    theme = request.cookies.get(THEME, "")
    text = pages.render(
        template,
        **{
            "now": now(),
            "principal": about.principal,
            "places": places(about.principal, request.url.path),
            "theme": theme if theme in THEMES else "",
            "csrf": csrf(about.session) if about.session else "",
            "here": here(request),
            **context,
        },
    )
    return Response(text, status, {**HEADERS, **(headers or {})}, "text/html; charset=utf-8")


def places(principal: Principal | None, path: str) -> list[dict[str, Any]]:
    """Return the links of the frame's head for somebody who is at this path."""
    if principal is None:
        return []
    return [
        {"word": word, "href": href, "here": path == href or path.startswith(f"{href}/")}
        for word, href, permission in PLACES
        if principal.may(permission)
    ]


def here(request: Request) -> str:
    """Return the address of this page on this server."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def address(request: Request, path: str | None = None, **changes: Any) -> str:
    """Return this page's address with some parameters changed, None removes one. All state is in the address."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    pairs = [*kept, *((name, str(value)) for name, value in changes.items() if value is not None)]
    return (path or request.url.path) + (f"?{urlencode(pairs)}" if pairs else "")


def see(location: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return 303: the answer to a form is a page."""
    return Response(status_code=303, headers={**HEADERS, **(headers or {}), "Location": location})


async def form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form that one of our own pages sent. Raises 403 for any other, 400, 413, 415."""
    about = exchange.of(request.scope)
    same_origin(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in {"", "application/x-www-form-urlencoded"}:
        raise Problem(415, 1005, "A form is sent as application/x-www-form-urlencoded.")
    try:
        fields = parse_qsl((await read_bytes(request)).decode(), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        raise Problem(400, 1001, "The form cannot be read.") from None
    token = dict(fields).get("csrf", "")
    if about.session is None or not csrf_fits(about.session, token):
        raise Problem(403, 3100, "This form is older than your session, or none of ours. Reload the page.")
    return [(name, value) for name, value in fields if name != "csrf"]


def same_origin(request: Request) -> None:
    """Refuse what a browser says another site has sent. Raises 403."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site != "same-origin" or (origin is not None and origin.partition("://")[2] != request.headers.get("host")):
        raise Problem(403, 3100, "This was sent by another site. Open the console itself and try again.")
