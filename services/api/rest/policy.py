"""What a route asks for of whoever calls it. A route that declares nothing cannot be added: deny by default (S2).

A role opens routes, teams open objects: every route about one task calls `visible` before it shows or says anything.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, Principal, within
from services.api.rest import exchange
from services.api.rest.errors import Problem
from shared.task.refusals import TaskNotFound

Endpoint = Callable[[Request], Awaitable[Response]]
PUBLIC: Final = frozenset({"/health/live", "/login"})
"""Paths that need no credential."""
STATIC: Final = "/static/"
"""Begins the paths of files that everybody may read: they are the same for all."""
PROGRAMS: Final = ("/api/", "/v2/", "/health/", "/metrics")
"""Begin the paths that programs use; all others are pages."""


def public(path: str) -> bool:
    """Whether a path needs no credential."""
    return path in PUBLIC or path.startswith(STATIC)


def for_programs(path: str) -> bool:
    """Whether a path is the API's, and no page."""
    return path.startswith(PROGRAMS)


def needs(permission: Permission | None, *, own: str | None = None) -> Callable[[Endpoint], Endpoint]:
    """Let only those in whose role grants `permission`; None is for public paths.

    `own` names a parameter of the path: whoever bears the name that is there needs no permission.
    """

    def protect(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            if permission is not None:
                principal = exchange.of(request.scope).principal
                if principal is None or not (principal.may(permission) or _is(principal, request, own)):
                    raise forbidden(principal, permission)
            return await endpoint(request)

        vars(guarded).update(policy=permission or "public", own=own)
        return guarded

    return protect


def policy_of(endpoint: Any) -> str | None:
    """Return what an endpoint declares, or None."""
    found = getattr(endpoint, "policy", None)
    return str(found) if found is not None else None


def _is(principal: Principal, request: Request, own: str | None) -> bool:
    return own is not None and request.path_params.get(own) == principal.name


def forbidden(principal: Principal | None, permission: Permission) -> Problem:
    """Return 403: the role does not grant it."""
    role = principal.role.value if principal is not None else "nobody"
    return Problem(403, 3100, f"The role {role} has no permission to {permission}.")


def principal(request: Request) -> Principal:
    """Return who asks, on a route that needs a credential."""
    found = exchange.of(request.scope).principal
    assert found is not None  # noqa: S101  the gate let nobody else through
    return found


class Labelled(Protocol):
    """Something with a task's labels."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels."""


def visible(request: Request, task: Labelled | Mapping[str, str], task_id: int | None = None) -> None:
    """Let only those go on who see this task, given itself or its labels.

    Raises `TaskNotFound` with the very message of a task that is missing; `task_id` defaults to the one in the path.
    """
    labels = task if isinstance(task, Mapping) else task.labels
    if not within(principal(request).teams, labels):
        shown = task_id if task_id is not None else request.path_params["task_id"]
        raise TaskNotFound(f"The task {shown} does not exist.")
