"""What every page of a running console has around it."""

import re

import pytest

from services.api.access import Role
from tests.integration.api.harness import ServedApi, plan
from tests.integration.console.signed import Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")
ICON = re.compile(r'<link rel="icon" id="favicon" href="/static/\w+/(\w+)\.svg">')


async def test_the_icon_says_how_the_task_is(api: ServedApi) -> None:
    """So that a tab among many says when to look; elsewhere it is quiet."""
    task_id = int((await api.create(plan("a")))["id"])
    async with Person(api) as person:
        begun = await icon(person, f"/tasks/{task_id}")
        seq = await api.finish(task_id, 1)
        ended = await icon(person, f"/tasks/{task_id}?min_seq={seq}")
        quiet = await icon(person, "/help")

    assert (begun, ended, quiet) == ("busy", "good", "idle")


async def icon(person: Person, address: str) -> str:
    """The name of a page's icon."""
    return str(ICON.findall((await person.get(address)).text)[0])


async def test_the_head_leads_where_one_may_go(api: ServedApi) -> None:
    """With a key for each place; the sheet of keys names the same ones."""
    async with Person(api) as admin, await with_user(api, "head", Role.TASK_VIEWER) as viewer:
        pages = [(await person.get("/help")).text for person in (admin, viewer)]

    found = [re.findall(r'<a href="(/\w+)" data-key="g \w"', page) for page in pages]
    assert set(found[0]) - set(found[1]) == {"/audit", "/people"}
    assert [page.count("<kbd>g</kbd>") for page in pages] == [len(places) for places in found]


async def test_an_error_is_a_page_in_the_frame(api: ServedApi) -> None:
    """With what to do, the way back, and a number by which the log is searched; programs get JSON."""
    async with Person(api) as person:
        missing = await person.get("/nowhere")
        program = await person.http.get("/nowhere", headers={"Accept": "application/json"})

    assert missing.status_code == program.status_code == 404
    assert "There is no such page" in missing.text
    assert re.search(r'trace id <span class="mono">\w{16}</span>', missing.text)
    assert 'href="/tasks"' in missing.text
    assert program.json()["error"]["code"] == 1002
