"""Commands on many tasks from a list: shown first, then carried out by a task, and never on more than was meant."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio
from starlette.requests import Request

from services.api.access import Role
from services.api.console import pages
from services.api.console.list_answers import answers
from services.api.console.task_shown import Shown
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.console.signed import Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")
BAD = cmd.Failed(Problem(kind="EXIT", message="disk is full"))
_numbers = iter(range(1, 10_000))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(api: ServedApi) -> AsyncIterator[Person]:
    """Somebody who may do everything."""
    async with Person(api) as person:
        yield person


async def failed(api: ServedApi, count: int, **labels: str) -> tuple[str, list[int]]:
    """So many failed tasks that the view knows; the search that finds them, and their ids."""
    mark = f"bulk{next(_numbers)}"
    made = [(await api.create(plan("a", labels={"mark": mark, **labels})))["id"] for _ in range(count)]
    for task_id in made:
        await api.finish(task_id, 1, BAD)
    await seen(api)
    return f"label:mark={mark}", made


async def seen(api: ServedApi) -> None:
    """Wait until the view has everything."""
    answer = await api.admin.get(INSTANCES, params={"size": 1, "min_seq": await api.last_seq()})
    assert answer.status_code == 200


async def preview(person: Person, **asked: Any) -> str:
    """The page that shows what would happen."""
    answer = await person.get(f"/tasks/bulk?{urlencode(asked, doseq=True)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def fields(text: str) -> list[tuple[str, str]]:
    """The hidden fields of the page's form."""
    form = text[text.index('action="/tasks/bulk"') :]
    return [(name, unescape(value)) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)]


async def send(person: Person, text: str, **typed: str) -> httpx2.Response:
    """Send the page's form with what somebody types into it."""
    body = urlencode([*fields(text), *typed.items()])
    return await person.http.post(
        "/tasks/bulk", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )


async def made(api: ServedApi, answer: httpx2.Response) -> dict[str, Any]:
    """The bulk task that the answer leads to."""
    assert answer.status_code == 303, answer.text
    task_id = answer.headers["location"].removeprefix("/tasks/")
    found: dict[str, Any] = (await api.admin.get(f"{INSTANCES}/{task_id}")).json()["data"]
    return found


async def test_ticked_tasks_become_the_targets_of_a_task(api: ServedApi, admin: Person) -> None:
    """The preview tells what each would answer; confirmed, a task of its own does it, with reason and pace."""
    _, ids = await failed(api, 3)
    text = await preview(admin, word="retry", id=ids[:2], look="/tasks")
    task = await made(api, await send(admin, text, reason="disk emptied", pace="30"))

    assert '<b class="number">2</b> would be retried' in text
    assert text.count("✓ would be retried") == 2
    assert task["taskType"] == "bulk.retry"
    told = {"word": "retry", "count": 2, "reason": "disk emptied", "pace": 30}
    assert task["params"] == {**told, "query": urlencode({"ids": f"{ids[0]},{ids[1]}"})}
    assert sorted(task["subtasks"][0]["params"]["tasks"]) == sorted(ids[:2])


async def test_all_that_fit_are_those_of_the_search_when_it_was_shown(api: ServedApi, admin: Person) -> None:
    """More than a page; one that was created after the preview is not among them."""
    search, ids = await failed(api, 52)
    text = await preview(admin, word="retry", every="1", q=f"state:failed {search}", look="/tasks")
    late = (await api.create(plan("a", labels={"mark": search.partition("=")[2]})))["id"]
    await api.finish(late, 1, BAD)
    await seen(api)
    task = await made(api, await send(admin, text))

    assert "Retry 52 tasks" in text
    targets = [target for subtask in task["subtasks"] for target in subtask["params"]["tasks"]]
    assert sorted(targets) == ids


async def test_what_would_refuse_says_why_and_stays(api: ServedApi, admin: Person) -> None:
    """A task that succeeded cannot be retried: the page says so beside it."""
    _, (bad,) = await failed(api, 1)
    good = (await api.create(plan("a")))["id"]
    await api.finish(good, 1)
    text = await preview(admin, word="retry", id=[bad, good], look="/tasks")
    assert "Retry 1 of 2 tasks" in text
    assert re.search(rf'href="/tasks/{good}".*✕ refuses:</span> The operation retry is not allowed', text)
    only = await preview(admin, word="retry", id=[good], look="/tasks")
    assert "None would be retried" in only
    assert '<button class="primary">' not in only


async def test_nobody_skips_many_without_a_reason(api: ServedApi, admin: Person) -> None:
    """What was typed is kept, nothing is done."""
    _, ids = await failed(api, 1)
    text = await preview(admin, word="skip", id=ids, look="/tasks")
    answer = await send(admin, text, reason="", pace="7")
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert 'name="pace" value="7"' in answer.text


@pytest.mark.parametrize("pace", ["0", "-1", "fast", "6001", "1.5"])
async def test_a_pace_that_is_none_is_told(api: ServedApi, admin: Person, pace: str) -> None:
    """It is a number of tasks a minute."""
    _, ids = await failed(api, 1)
    answer = await send(admin, await preview(admin, word="retry", id=ids, look="/tasks"), pace=pace)
    assert answer.status_code == 422
    assert "The pace is a whole number of tasks a minute, from 1 to 6000" in answer.text


async def test_a_double_click_commands_once(api: ServedApi, admin: Person) -> None:
    """The form carries its key: sent twice at once and once more later, there is one task."""
    _, ids = await failed(api, 2)
    text = await preview(admin, word="retry", id=ids, look="/tasks")
    answers = await asyncio.gather(*(send(admin, text) for _ in range(2)))
    answers.append(await send(admin, text))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1


async def test_nothing_ticked_and_nothing_found_are_said(api: ServedApi, admin: Person) -> None:
    """There is a way back to the list, and no button."""
    none = await preview(admin, word="retry", q="by:me", look="/tasks")
    assert "Tick tasks in the list" in none
    assert 'href="/tasks?q=by%3Ame"' in none
    nothing = await preview(admin, word="retry", every="1", q="label:mark=nobody", look="/tasks")
    assert "No task fits." in nothing
    wrong = await preview(admin, word="retry", every="1", q="sate:failed", look="/tasks")
    assert "Did you mean state:?" in wrong


@pytest.mark.parametrize(
    "asked", ["id=x", "id=", "id=-1", "id=99999999999999999999", "every=1&q=%22", "every=1&q=id:x&look=/odc"]
)
async def test_no_address_breaks_the_preview(api: ServedApi, admin: Person, asked: str) -> None:
    """It says what is wrong, or that nothing fits, and offers no command."""
    answer = await admin.get(f"/tasks/bulk?word=retry&{asked}")
    assert answer.status_code == 200, answer.text
    assert 'action="/tasks/bulk"' not in answer.text


async def test_a_command_that_is_none_is_refused(admin: Person) -> None:
    """Only those that the list offers go through this page."""
    assert (await admin.get("/tasks/bulk?word=delete&id=1")).status_code == 400


async def test_who_may_not_is_not_asked(api: ServedApi) -> None:
    """A viewer has no way there, and no team sees another one's tasks named by their numbers."""
    _, ids = await failed(api, 1, team="green")
    async with await with_user(api, "bulk-viewer", Role.TASK_VIEWER) as viewer:
        refused = await viewer.get(f"/tasks/bulk?word=retry&id={ids[0]}")
        posted = await viewer.post("/tasks/bulk", word="retry", id=str(ids[0]))
    async with await with_user(api, "bulk-red", Role.TASK_OPERATOR, ["red"]) as red:
        hidden = await preview(red, word="retry", id=ids, look="/tasks")
    assert (refused.status_code, posted.status_code) == (403, 403)
    assert "No task fits." in hidden


async def test_tasks_of_several_teams_are_commanded_one_team_at_a_time(api: ServedApi) -> None:
    """Somebody of two teams is told so, on the page, and nothing is done."""
    _, red = await failed(api, 1, team="red")
    _, blue = await failed(api, 1, team="blue")
    async with await with_user(api, "bulk-both", Role.TASK_OPERATOR, ["red", "blue"]) as both:
        text = await preview(both, word="retry", id=[*red, *blue], look="/tasks")
        answer = await send(both, text)
    assert answer.status_code == 422
    assert "The tasks are of several teams (blue, red)" in answer.text


async def test_what_each_task_answered_is_told_by_the_page(api: ServedApi, admin: Person) -> None:
    """As REST's items: what was not asked yet, what was done, and why one refused; nothing for other tasks."""
    _, ids = await failed(api, 3)
    task = await made(api, await send(admin, await preview(admin, word="retry", id=ids, look="/tasks")))
    fence = await api.claim(task["id"], 1)
    items = [
        {"task": ids[2], "status": 200, "state": "RUNNING"},
        {"task": ids[1], "status": 409, "error": {"code": 4004, "message": "it runs <again>"}},
    ]
    at = now()
    await api.act(task["id"], cmd.Settle(1, fence, cmd.Succeeded({"items": items}), at))
    scope = {"type": "http", "path": f"/tasks/{task['id']}", "query_string": b"", "headers": [], "app": api.gate._app}

    async def told(task_id: int) -> dict[str, Any] | None:
        found = await api.log.load(task_id, fresh=True)
        assert found is not None
        return await answers(Shown(Request(scope), found, None, now()))

    bulk = await told(task["id"])
    assert bulk is not None
    assert {one["task"]: one["said"] for one in bulk["items"]} == {
        ids[0]: "◌ not asked yet", ids[1]: "✕ refused", ids[2]: "✓ done",
    }  # fmt: skip
    assert (bulk["shown"], bulk["before"], bulk["behind"]) == ("1 to 3 of 3", None, None)
    assert "it runs &lt;again&gt;" in pages.render("views/results_bulk.html", bulk=bulk)
    assert await told(ids[0]) is None


async def test_a_form_of_another_site_does_nothing(api: ServedApi, admin: Person) -> None:
    """Without the token of a page of ours there is no command."""
    _, ids = await failed(api, 1)
    answer = await admin.http.post("/tasks/bulk", data={"word": "retry", "id": str(ids[0])})
    assert answer.status_code == 403
