"""Pages as answers: their headers, what every page shows, forms that only our own pages can send. Knows no page.

Nothing but our own files may run, be drawn or be asked for (`CSP`); pages are never kept by caches, for they show what
one person may see. A form carries a token that nobody who cannot read our pages can know, and a browser that says where
it comes from must say that it comes from here.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, Principal
from services.api.console import pages
from services.api.console.packed import packed
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
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie",
}
MEDIA: Final = "text/html; charset=utf-8"
THEME: Final = "opsledger_theme"
THEMES: Final = ("light", "dark")
SAFE: Final = "/:@!$&'()*+,;=~"
"""What stands in a path as it is (RFC 3986 §3.3)."""
KEYS: Final = "opsledger_keys"
OFF: Final = "off"
PLACES: Final[tuple[tuple[str, str, str, Permission], ...]] = (
    ("Tasks", "/tasks", "g t", Permission.READ),
    ("O&M tasks", "/oms", "g o", Permission.READ),
    ("Asynchronous execution", "/odc", "g a", Permission.READ),
    ("Synchronization", "/sync", "g s", Permission.READ),
    ("Connections", "/connections", "g c", Permission.READ),
    ("Executors", "/executors", "g e", Permission.READ),
    ("Queue", "/queue", "g q", Permission.READ),
    ("Audit", "/audit", "g u", Permission.AUDIT),
    ("People", "/people", "g p", Permission.ADMINISTER),
)
"""What the frame's head leads to, its keys, and who sees it there."""


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return a page in its frame. `context` is the template's; `live` and `seen` make it a live one.

    What a page is about has a `badge`; its tone is the icon's, unless `favicon` says another.
    """
    about = exchange.of(request.scope)
    theme = request.cookies.get(THEME, "")
    text = pages.render(
        template,
        **{
            "now": now(),
            "principal": about.principal,
            "places": places(about.principal, request.url.path),
            "theme": theme if theme in THEMES else "",
            "keys": request.cookies.get(KEYS) != OFF,
            "csrf": csrf(about.session) if about.session else "",
            "here": here(request),
            "favicon": getattr(context.get("badge"), "tone", "idle"),
            **context,
        },
    )
    return packed(request, text.encode(), status, {**HEADERS, **(headers or {})}, MEDIA)


def places(principal: Principal | None, path: str) -> list[dict[str, Any]]:
    """Return the links of the frame's head for somebody who is at this path."""
    if principal is None:
        return []
    return [
        {"word": word, "href": href, "key": keys, "here": path == href or path.startswith(f"{href}/")}
        for word, href, keys, permission in PLACES
        if principal.may(permission)
    ]


def here(request: Request) -> str:
    """Return the address of this page on this server, as it was asked for."""
    return quote(request.url.path, safe=SAFE) + (f"?{request.url.query}" if request.url.query else "")


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
    """Refuse what another site has sent. Raises 403.

    A browser says where a form comes from: by `Sec-Fetch-Site`, which no page can forge and no proxy changes; an older
    one, or one on plain http, by `Origin`, which must name the host that was asked. Who says neither is no browser.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if not ours:
        raise Problem(403, 3100, "This was sent by another site. Open the console itself and try again.")
