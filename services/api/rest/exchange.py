"""One request and its answer: when it began, its trace id, who asks. Lives in the ASGI scope, for all that need it."""

import secrets
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from services.api.access import Principal

KEY: Final = "opsledger"


class Exchange:
    """What belongs to one request."""

    __slots__ = ("again", "claim", "limits", "principal", "server", "session", "started", "trace_id")

    def __init__(self, scope: Any) -> None:
        self.started = perf_counter()
        self.trace_id = secrets.token_hex(8)
        self.server = (scope.get("server") or ("",))[0] or ""
        self.principal: Principal | None = None
        self.again: Callable[[], Awaitable[Principal | None]] | None = None
        """Verifies the credential once more."""
        self.claim: str | None = None
        """Who somebody that is not let in claims to be, when no header says so: a name we know, never a secret."""
        self.session: str | None = None
        """The cookie of the browser's session, if that is how the principal is known."""
        self.limits: list[tuple[bytes, bytes]] | None = None
        """Headers that say how much more the principal may ask for now."""

    @property
    def milliseconds(self) -> int:
        """How long it has taken so far."""
        return round((perf_counter() - self.started) * 1000)


def of(scope: Any) -> Exchange:
    """Return the exchange of a scope, begun here if need be."""
    found: Exchange | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = Exchange(scope)
    return found
