"""Every address of the console, from the route table: who may come in, and how. A new one is tested by being there.

What somebody may do with a task is the commands' own affair; here is asked whether a page lets them that far.
"""

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.api.access import GRANTS, Permission, Role
from services.api.console import routes as console
from services.api.console.http import HEADERS
from services.api.rest import routes as rest
from services.api.rest.policy import policy_of, public
from tests.integration.api.harness import ServedApi, plan
from tests.integration.console.signed import HTML, Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one address."""

    method: str
    path: str
    needs: Permission | None
    own: bool

    def at(self, task_id: int) -> str:
        """The address with a task of this number, and something for everything else."""
        path = re.sub(r":\w+}", "}", self.path)
        return path.format_map(_Known(task_id=task_id, name="nobody", number=1, word="retry", key="none"))

    def open_to(self, role: Role) -> bool:
        """Whether the role grants it."""
        return self.needs is None or self.needs in GRANTS[role]


class _Known(dict[str, Any]):
    """Parameters; one that is not known is 1."""

    def __missing__(self, name: str) -> str:
        return "1"


def every() -> list[Address]:
    """All addresses of the console."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    rest.add(app)
    before = len(app.routes)
    console.add(app)
    found = []
    for route in app.routes[before:]:
        assert isinstance(route, APIRoute)
        said = policy_of(route.endpoint)
        needs = None if said == "public" else Permission(str(said))
        own = bool(getattr(route.endpoint, "own", None))
        found += [Address(method, route.path, needs, own) for method in sorted(route.methods or ())]
    return found


EVERY = every()
CLOSED = [one for one in EVERY if one.needs is not None]
FORMS = [one for one in CLOSED if one.method == "POST"]
READ = [one for one in CLOSED if one.method == "GET"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def task_id(api: ServedApi) -> int:
    """A task of the red team."""
    return int((await api.create(plan("a", "b", name="red one", labels={"team": "red"})))["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(api: ServedApi) -> AsyncIterator[Person]:
    """Somebody who may do everything."""
    async with Person(api) as person:
        yield person


async def status(person: Any, address: str) -> tuple[int, dict[str, str]]:
    """The status and the headers of an answer, which may be a stream that never ends."""
    async with person.stream("GET", address) as answer:
        return int(answer.status_code), dict(answer.headers)


async def test_only_signing_in_is_open() -> None:
    """And files that are the same for all."""
    open_ = {(one.method, one.path) for one in EVERY if one.needs is None}

    assert open_ == {("GET", "/login"), ("POST", "/login"), ("GET", "/static/{digest}/{name}")}
    assert [one.path for one in CLOSED if public(one.at(1))] == []


async def test_a_stranger_is_led_to_the_sign_in_page(api: ServedApi, task_id: int) -> None:
    """From everywhere; who wants no page is told to log in."""
    async with api.client() as stranger:
        led = [await stranger.request(one.method, one.at(task_id), headers=HTML) for one in CLOSED]
        told = [await stranger.request(one.method, one.at(task_id)) for one in CLOSED]

    assert _strange(CLOSED, [(a.status_code, a.headers.get("location", "")[:6]) for a in led], (303, "/login")) == []
    assert _strange(CLOSED, [answer.status_code for answer in told], 401) == []


async def test_a_form_needs_the_token_of_its_session(api: ServedApi, admin: Person, task_id: int) -> None:
    """Without it, with another session's, or sent by another site nothing is done, whoever is signed in."""
    async with Person(api) as other:
        foreign = await other.token()
    own = await admin.token()
    for one in FORMS:
        path = one.at(task_id)
        answers = [
            await admin.http.post(path),
            await admin.http.post(path, data={"csrf": foreign}),
            await admin.http.post(path, data={"csrf": own}, headers={"Origin": "https://evil.example"}),
            await admin.http.post(path, data={"csrf": own}, headers={"Sec-Fetch-Site": "same-site"}),
        ]
        assert [answer.status_code for answer in answers] == [403] * 4, one


async def test_a_password_in_a_header_sends_no_form(api: ServedApi, task_id: int) -> None:
    """Browsers add it to forms of other sites too; programs have the API."""
    for one in FORMS:
        answer = await api.admin.post(one.at(task_id), headers=HTML)
        assert answer.status_code == 403, one


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_roles_open_what_they_grant(api: ServedApi, task_id: int, role: Role) -> None:
    """Every address, as it declares; a page that needs more is 403, also for a form with the right token."""
    async with await with_user(api, f"role-{role.value}", role) as person:
        token = await person.token()
        for one in CLOSED:
            path = one.at(task_id)
            if one.method == "GET":
                found, _ = await status(person.http, path)
                assert (found == 403) is not one.open_to(role), (one, found)
            elif not one.open_to(role):
                assert (await person.http.post(path, data={"csrf": token})).status_code == 403, one


async def test_another_teams_task_is_not_there(api: ServedApi, task_id: int) -> None:
    """Whatever page or form of it somebody asks for, the answer is that of a task that does not exist."""
    before = (await api.admin.get(f"/api/v2/tasks/instances/{task_id}")).json()["data"]["version"]
    async with await with_user(api, "blue-manager", Role.TASK_MANAGER, ["blue"]) as person:
        token = await person.token()
        about = [one for one in CLOSED if "{task_id" in one.path and not one.path.startswith("/t/")]
        for one in about:
            if one.method == "GET":
                found, _ = await status(person.http, one.at(task_id))
                missing, _ = await status(person.http, one.at(999_999))
            else:
                found = (await person.http.post(one.at(task_id), data={"csrf": token})).status_code
                missing = (await person.http.post(one.at(999_999), data={"csrf": token})).status_code
            assert (found, missing) == (404, 404), one

    assert len(about) >= 1
    assert (await api.admin.get(f"/api/v2/tasks/instances/{task_id}")).json()["data"]["version"] == before


async def test_every_page_has_its_policy(admin: Person, task_id: int) -> None:
    """Nothing but our own files may run in it, nobody may frame it, no cache may keep it; errors too."""
    for one in [*READ, Address("GET", "/nowhere", Permission.READ, own=False)]:
        found, headers = await status(admin.http, one.at(task_id))
        assert found < 500, (one, found)
        if headers.get("content-type", "").startswith("text/html"):
            lacks = [name for name, value in HEADERS.items() if value not in headers.get(name.lower(), "")]
            assert lacks == [], one


def _strange(addresses: Iterable[Address], found: list[Any], expected: Any) -> list[tuple[Address, Any]]:
    """Where the answer is another one."""
    return [(one, is_) for one, is_ in zip(addresses, found, strict=True) if is_ != expected]
