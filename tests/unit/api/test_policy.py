"""Every route declares what it needs, and every refusal has its place in the table of errors."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from services.api.access import Permission
from services.api.console import routes as console
from services.api.failure import STATUSES, status_of
from services.api.rest import openapi, routes, tasks
from services.api.rest.errors import Problem
from services.api.rest.policy import PUBLIC, needs, policy_of
from shared.task.refusals import Refusal, VersionMismatch


def app() -> FastAPI:
    """The routes without anything behind them."""
    found = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    routes.add(found)
    console.add(found)
    return found


def kinds(root: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """Every kind of refusal there is."""
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


def test_every_route_declares_what_it_needs() -> None:
    """A new route without a policy fails here, and before that at the start (S2)."""
    found = {route.path: policy_of(route.endpoint) for route in app().routes if not isinstance(route, Mount)}  # type: ignore[attr-defined]
    assert None not in found.values()
    assert {path for path, policy in found.items() if policy == "public"} == PUBLIC | {FILES}


def test_a_route_without_a_policy_cannot_be_added() -> None:
    """Deny by default."""

    async def careless(request: Request) -> Response:
        return Response()

    with pytest.raises(TypeError, match="declares no policy"):
        app().add_api_route("/careless", careless)


READS_BY_POST = frozenset({"/api/v1/tasks/instances/{task_id}/downloadDiagnosis"})
"""OCP's own choice: it changes nothing."""
OWN = frozenset({"/login", "/logout", "/theme", "/keys", "/tasks/views"})
"""What everybody may do with a browser and views of their own."""
FILES = "/static/{digest}/{name}"
"""Read by everybody; begins with `STATIC`."""


def test_writes_need_more_than_reading() -> None:
    """No POST, PUT or DELETE is open to viewers."""
    for route in app().routes:
        methods = getattr(route, "methods", None) or set()
        if methods & {"POST", "PUT", "PATCH", "DELETE"} and getattr(route, "path", "") not in READS_BY_POST | OWN:
            endpoint = getattr(route, "endpoint", None)
            assert policy_of(endpoint) in ("operate", "manage", "administer")


def test_the_policy_survives_its_wrapping() -> None:
    """The endpoint keeps its name and text, which the OpenAPI document shows."""

    @needs(Permission.READ)
    async def peek(request: Request) -> Response:
        """Peek."""
        return Response()

    assert (peek.__name__, peek.__doc__, policy_of(peek)) == ("peek", "Peek.", "read")


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind is not Refusal])
def test_every_refusal_has_a_status(kind: type[Refusal]) -> None:
    """None falls through to 500; what carries OCP's 4007 is 400, never 409 (specification §2.4)."""
    refusal = kind.__new__(kind)
    assert 400 <= status_of(refusal) < 500
    if kind.code == 4007:
        assert status_of(refusal) == 400


def test_the_table_of_errors_knows_the_exact_statuses() -> None:
    """412 is for a stale version alone."""
    assert [kind for kind, status in STATUSES.items() if status == 412] == [VersionMismatch]


def test_the_openapi_document_describes_every_route() -> None:
    """Each has an operation id of its own, the errors it can give, and a credential unless it is public."""
    document: dict[str, Any] = openapi.document(app())
    seen = set()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            seen.add(operation["operationId"])
            assert operation["summary"]
            public = path in PUBLIC
            assert ("401" in operation["responses"]) is not public
            assert (operation.get("security") == []) is public
    assert len(seen) == sum(len(methods) for methods in document["paths"].values())
    assert "CreateBody" in document["components"]["schemas"]
    assert document["security"] == openapi.SECURITY


@pytest.mark.parametrize(("reached", "status"), [(False, 504), (None, 400)])
async def test_a_view_that_lags_is_said_so(reached: bool | None, status: int) -> None:
    """A position not reached in time is 504 (P9), one that the log itself lacks 400."""

    async def reach(seq: int) -> bool | None:
        return reached

    found: Any = SimpleNamespace(reach=reach)
    with pytest.raises(Problem) as refused:
        await tasks.reach(found, 7)
    assert refused.value.status == status
    await tasks.reach(found, None)
