"""Saved views: somebody's own lists by name, on the server, in any browser, and nobody else's."""

import asyncio
import re
from html import unescape

import pytest

from services.api.access import Role
from services.api.console.list_saved import MOST, VIEWS, SavedViews, ViewProblem
from shared.messages import subjects
from shared.runtime.clock import now
from shared.store.kv import Bucket
from tests.integration.api.harness import ServedApi
from tests.integration.console.signed import HTML, Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")
BORN = now()
_names = (f"user{number}" for number in range(1000))


@pytest.fixture
def bucket(api: ServedApi) -> Bucket:
    """The bucket that a running API keeps people in."""
    return Bucket(api.nats, subjects.ACCESS)


async def test_another_process_has_them_at_once(bucket: Bucket) -> None:
    """Nothing is remembered where it was saved; by name, and a name is given once."""
    user = next(_names)
    await SavedViews(bucket).save(user, BORN, "mine", "/tasks", "q=by%3Ame")
    await SavedViews(bucket).save(user, BORN, "Failed", "/oms", "q=status%3Afailed")
    await SavedViews(bucket).save(user, BORN, " mine ", "/tasks", "q=since%3A1h")
    found = await SavedViews(bucket).of(user, BORN)
    assert [(view.name, view.href) for view in found] == [
        ("Failed", "/oms?q=status%3Afailed"),
        ("mine", "/tasks?q=since%3A1h"),
    ]
    await SavedViews(bucket).remove(user, BORN, "mine")
    assert [view.name for view in await SavedViews(bucket).of(user, BORN)] == ["Failed"]


async def test_none_is_lost_when_two_browsers_save_at_once(bucket: Bucket) -> None:
    """Each writes over what the other one has read, so one of them reads again."""
    user = next(_names)
    saved = [SavedViews(bucket).save(user, BORN, name, "/tasks", "") for name in ("a", "b", "c")]
    await asyncio.gather(*saved)
    assert [view.name for view in await SavedViews(bucket).of(user, BORN)] == ["a", "b", "c"]


async def test_whoever_gets_the_name_of_somebody_gone_gets_no_views(bucket: Bucket) -> None:
    """A record is of the user who was made then."""
    user = next(_names)
    await SavedViews(bucket).save(user, BORN, "secret project", "/tasks", "q=secret")
    later = now()
    assert await SavedViews(bucket).of(user, later) == []
    await SavedViews(bucket).save(user, later, "new", "/tasks", "")
    assert [view.name for view in await SavedViews(bucket).of(user, later)] == ["new"]


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [("", "/tasks", "A name has"), ("x" * 41, "/tasks", "A name has"), ("a\x00b", "/tasks", "A name has"),
     ("out", "//evil.example/tasks", "Only lists")],
)  # fmt: skip
async def test_what_cannot_be_saved_is_told(bucket: Bucket, name: str, path: str, said: str) -> None:
    """A view never leads anywhere else than to a list of ours."""
    with pytest.raises(ViewProblem, match=said):
        await SavedViews(bucket).save(next(_names), BORN, name, path, "")


async def test_there_is_an_end_to_them(bucket: Bucket) -> None:
    """So that a record stays small; one of a name that is there can still be changed."""
    user = next(_names)
    for number in range(MOST):
        await SavedViews(bucket).save(user, BORN, f"view {number}", "/tasks", "")
    with pytest.raises(ViewProblem, match="Remove one first"):
        await SavedViews(bucket).save(user, BORN, "one more", "/tasks", "")
    await SavedViews(bucket).save(user, BORN, "view 3", "/oms", "")


async def test_a_record_that_cannot_be_read_costs_no_list(bucket: Bucket) -> None:
    """Nobody is kept from the tasks by it, and saving begins anew."""
    user = next(_names)
    await bucket.put(VIEWS + user, b"{")
    assert await SavedViews(bucket).of(user, BORN) == []
    await SavedViews(bucket).save(user, BORN, "again", "/tasks", "")
    assert [view.name for view in await SavedViews(bucket).of(user, BORN)] == ["again"]


async def test_a_list_is_saved_opened_and_removed(api: ServedApi) -> None:
    """With its search, order and columns, without how far somebody read; it stands above every list of the user."""
    place = "/tasks?q=state%3Afailed&sort=name%2Casc&cols=id"
    async with await with_user(api, "saver", Role.TASK_VIEWER) as person:
        asked = await person.get(f"/tasks/views?at={place.replace('&', '%26')}%26cursor%3Dx")
        at = re.search(r'name="at" value="([^"]*)"', asked.text)
        assert at is not None
        assert unescape(at[1]) == place
        saved = await person.post("/tasks/views", at=place, name="Failed <b>here</b>")
        above = (await person.get("/oms")).text
        here = (await person.get(place)).text
        removed = await person.post("/tasks/views", at=place, remove="Failed <b>here</b>")
        after = (await person.get("/oms")).text
    async with Person(api) as other:
        theirs = (await other.get("/tasks")).text

    assert (saved.status_code, saved.headers["location"]) == (303, place)
    chip = f'<a class="chip" href="{place.replace("&", "&amp;")}">Failed &lt;b&gt;here&lt;/b&gt;</a>'
    assert chip in above
    assert chip.replace('">Failed', '" aria-current="true">Failed') in here
    assert removed.status_code == 303
    assert "Failed &lt;b&gt;" not in after
    assert "Failed &lt;b&gt;" not in theirs


async def test_a_name_that_is_none_is_asked_for_again(api: ServedApi) -> None:
    """With what was wrong beside it; an address of somewhere else becomes the list of all tasks."""
    async with Person(api) as person:
        answer = await person.post("/tasks/views", at="https://evil.example/", name="  ")
    assert answer.status_code == 422
    assert 'role="alert">A name has 1 to 40 characters' in answer.text
    assert "evil.example" not in answer.text


async def test_who_is_no_user_has_no_views(api: ServedApi) -> None:
    """A token reads lists, and its page offers nothing that would not work."""
    client = await api.bearer(Role.TASK_VIEWER, name="robot")
    listed = (await client.get("/tasks", headers=HTML)).text
    asked = (await client.get("/tasks/views", headers=HTML)).text
    assert "Save view" not in listed
    assert "as a bookmark instead" in asked
    assert 'name="name"' not in asked
