"""Connections and secrets as pages: what REST stores, refused where REST refuses, and never a value on a page."""

from typing import Any

import pytest

from services.api.access import Role
from tests.integration.api.harness import ServedApi
from tests.integration.console.signed import Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALUE = "correct horse battery"
CRM = {"/name": "crm", "/url": "postgresql://crm@db.example/crm", "/options": "sslmode = require\nconnect_timeout = 5"}


async def listed(api: ServedApi, what: str) -> dict[str, dict[str, Any]]:
    """What REST lists, by name."""
    contents = (await api.admin.get(f"/api/v2/{what}")).json()["data"]["contents"]
    return {one["name"]: one for one in contents}


async def test_a_connection_is_defined_changed_and_removed(api: ServedApi) -> None:
    """As REST would have done it; a change begins with what is there."""
    async with Person(api) as person:
        made = await person.post("/connections/edit", **CRM)
        first = (await listed(api, "connections"))["crm"]
        shown = (await person.get("/connections/edit?name=crm")).text
        changed = await person.post("/connections/edit", **{**CRM, "known": "crm", "/options": "", "/teams": "dba"})
        second = (await listed(api, "connections"))["crm"]
        asked = (await person.get("/connections/remove?name=crm")).text
        removed = await person.post("/connections/remove", name="crm")

    assert [one.status_code for one in (made, changed, removed)] == [303, 303, 303]
    assert first["options"] == {"sslmode": "require", "connect_timeout": "5"}
    assert "sslmode = require" in shown
    assert (second["options"], second["teams"]) == ({}, ["dba"])
    assert "Remove the connection crm?" in asked
    assert "crm" not in await listed(api, "connections")


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"/name": "", "/url": ""}, "/name", "This is needed"),
        ({"/name": "", "/url": ""}, "/url", "This is needed"),
        ({"/name": "a b"}, "/name", "letters, digits"),
        ({"/url": "postgresql://u:hunter2@db/crm"}, "/url", "no password in the URL"),
        ({"/secrets": "password = hunter2"}, "/secrets", "password: "),
        ({"/secrets": "password = kv:nowhere"}, "/secrets", "There is no secret nowhere"),
        ({"/options": "password = x"}, "/options", "is a secret"),
        ({"/options": "no sign"}, "/options", "has no '='"),
    ],
)
async def test_a_connection_that_cannot_be_is_explained(
    api: ServedApi, fields: dict[str, str], field: str, said: str
) -> None:
    """Beside its field, and nothing is stored."""
    async with Person(api) as person:
        answer = await person.post("/connections/edit", **{**CRM, "/name": "never", **fields})

    assert answer.status_code == 422
    beside = answer.text.partition(f'id="{field}-error">')[2].partition("</span></div>")[0]
    assert said.lower().replace("'", "&#39;") in beside.lower(), answer.text
    assert "never" not in await listed(api, "connections")


async def test_nobody_overwrites_by_accident(api: ServedApi) -> None:
    """A new connection, or secret, of a name that is taken is refused."""
    async with Person(api) as person:
        assert (await person.post("/connections/edit", **{**CRM, "/name": "taken"})).status_code == 303
        assert (await person.post("/secrets/edit", **{"/name": "taken", "/value": VALUE})).status_code == 303
        again = await person.post("/connections/edit", **{**CRM, "/name": "taken", "/url": "s3://other"})
        secret = await person.post("/secrets/edit", **{"/name": "taken", "/value": "another value"})

    assert (again.status_code, secret.status_code) == (422, 422)
    assert (await listed(api, "connections"))["taken"]["url"] == CRM["/url"]


async def test_no_page_gives_a_value_back(api: ServedApi) -> None:
    """Not the list, not the form to set it anew, not the form that was refused."""
    async with Person(api) as person:
        made = await person.post("/secrets/edit", **{"/name": "crm/password", "/value": VALUE, "/teams": "dba\nweb"})
        pages = [
            await person.get("/secrets"),
            await person.get("/secrets/edit?name=crm/password"),
            await person.get("/secrets/remove?name=crm/password"),
            await person.post("/secrets/edit", **{"/name": "a..b", "/value": VALUE}),
            await person.get("/create/greeting"),
        ]
        anew = await person.post("/secrets/edit", **{"known": "crm/password", "/value": VALUE + "!", "/teams": ""})

    assert (made.status_code, anew.status_code) == (303, 303)
    assert [page.status_code for page in pages] == [200, 200, 200, 422, 200]
    assert not [page.url for page in pages if VALUE in page.text]
    assert "kv:crm/password" in pages[0].text
    assert "kv:crm/password" in pages[4].text, "forms offer it by reference"
    assert "teams" not in (await listed(api, "secrets"))["crm/password"], "who empties the field opens it to all"


async def test_a_secret_that_is_named_stays(api: ServedApi) -> None:
    """The page says which connection names it."""
    async with Person(api) as person:
        await person.post("/secrets/edit", **{"/name": "held", "/value": VALUE})
        await person.post("/connections/edit", **{**CRM, "/name": "holder", "/secrets": "password = kv:held"})
        refused = await person.post("/secrets/remove", name="held")
        await person.post("/connections/remove", name="holder")
        removed = await person.post("/secrets/remove", name="held")

    assert (refused.status_code, removed.status_code) == (409, 303)
    assert "named by the connection holder" in refused.text
    assert "held" not in await listed(api, "secrets")


async def test_readers_see_the_connections_of_their_teams_and_no_button(api: ServedApi) -> None:
    """Secrets are for administrators; what is not seen is offered nowhere."""
    for name, team in (("for-red", "red"), ("for-green", "green")):
        body = {"url": "sqlite:///srv/x.db", "teams": [team]}
        assert (await api.admin.put(f"/api/v2/connections/{name}", json=body)).status_code == 201
    async with await with_user(api, "red-maker", Role.TASK_MANAGER, ["red"]) as red:
        page = await red.get("/connections")
        form = await red.get("/create/greeting")
        closed = [await red.get(path) for path in ("/secrets", "/connections/edit", "/connections/remove?name=for-red")]

    assert "for-red" in page.text
    for text in (page.text, form.text):
        assert "for-green" not in text
        assert "kv:" not in text
    assert "/connections/edit" not in page.text
    assert [one.status_code for one in closed] == [403, 403, 403]
