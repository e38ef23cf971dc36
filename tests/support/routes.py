"""Every route of the API with what it needs, from the route table: a new one is tested by being there."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.api.access import GRANTS, Permission, Role
from services.api.rest import routes
from services.api.rest.policy import policy_of
from shared.task.ids import subtask_id


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    policy: str
    own: bool

    @property
    def permission(self) -> Permission | None:
        """What it asks for; None for public ones."""
        return None if self.policy == "public" else Permission(self.policy)

    def open_to(self, role: Role) -> bool:
        """Whether the role grants it."""
        return self.permission is None or self.permission in GRANTS[role]

    def at(self, **parameters: Any) -> str:
        """The address with these parameters."""
        path = re.sub(r":\w+}", "}", self.path)
        known = {"task_id": 999_999, "subtask_id": subtask_id(999_999, 1), "name": "nobody", **parameters}
        return path.format_map(_Known(known))


class _Known(dict[str, Any]):
    """Parameters; one that is not known is 1."""

    def __missing__(self, name: str) -> str:
        return "1"


def every() -> list[Route]:
    """All routes, by path and method."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    routes.add(app)
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    known = [
        Route(method, route.path, str(policy_of(route.endpoint)), bool(getattr(route.endpoint, "own", None)))
        for route in found
        for method in sorted(route.methods or ())
    ]
    return sorted(known, key=lambda route: (route.path, route.method))
