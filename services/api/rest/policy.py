"""What a route asks for of whoever calls it. A route that declares nothing cannot be added: deny by default (S2)."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, Principal
from services.api.rest import exchange
from services.api.rest.errors import Problem

Endpoint = Callable[[Request], Awaitable[Response]]
PUBLIC: Final = frozenset({"/health/live"})
"""Paths that need no credential."""


def needs(permission: Permission | None) -> Callable[[Endpoint], Endpoint]:
    """Let only those in whose role grants `permission`; None is for public paths."""

    def protect(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            if permission is not None:
                principal = exchange.of(request.scope).principal
                if principal is None or not principal.may(permission):
                    raise forbidden(principal, permission)
            return await endpoint(request)

        vars(guarded)["policy"] = permission or "public"
        return guarded

    return protect


def policy_of(endpoint: Any) -> str | None:
    """Return what an endpoint declares, or None."""
    found = getattr(endpoint, "policy", None)
    return str(found) if found is not None else None


def forbidden(principal: Principal | None, permission: Permission) -> Problem:
    """Return 403: the role does not grant it."""
    role = principal.role.value if principal is not None else "nobody"
    return Problem(403, 3100, f"The role {role} has no permission to {permission}.")


def principal(request: Request) -> Principal:
    """Return who asks, on a route that needs a credential."""
    found = exchange.of(request.scope).principal
    assert found is not None  # noqa: S101  the gate let nobody else through
    return found
