"""Pages that stay fresh: pieces as they change, from the same templates, to everybody who looks, and nothing older."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.console import live_list, pages
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.sse import Event, Reading, events

pytestmark = pytest.mark.asyncio(loop_scope="module")
BAD = "<script>alert(1)</script> & \"'"
QUIET = 0.6
"""How long (s) nothing must come."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(module_nats: NatsServer, api: ServedApi) -> AsyncIterator[ServedApi]:
    """Another replica beside `api`; it stands by, so its view is somebody else's work."""
    async with served(module_nats.url, api.settings.database_url, rescue_after_seconds=60) as running:
        yield running


async def opened(client: httpx2.AsyncClient, path: str) -> tuple[str, str, int]:
    """A page's text, its live address and the log position it shows."""
    answer = await client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    found = re.search(r'<body data-live="([^"]*)" data-seen="(\d+)"', answer.text)
    assert found is not None, answer.text[:2000]
    live, seen = html.unescape(found[1]), int(found[2])
    return answer.text, f"{live}&after={seen}", seen


def listening(
    client: httpx2.AsyncClient, live: str, last_id: str = "", **more: str
) -> AbstractAsyncContextManager[Reading]:
    """The stream of a live address."""
    path, _, query = live.partition("?")
    return events(client, path, last_id, **{**dict(parse_qsl(query, keep_blank_values=True)), **more})


async def until(reading: Reading, name: str, part: str) -> dict[str, Any]:
    """The first patch whose piece of this name has this part."""
    async with asyncio.timeout(10):
        while True:
            data: dict[str, Any] = (await reading.next("patch")).data
            if part in data.get(name, ""):
                return data


async def nothing(reading: Reading) -> asyncio.Task[Event]:
    """Nothing is sent for a while; return what will be."""
    waiting = asyncio.create_task(reading.next("patch"))
    done, _ = await asyncio.wait({waiting}, timeout=QUIET)
    assert not done, waiting.result()
    return waiting


async def fail(api: ServedApi, task_id: int, number: int, message: str) -> int:
    """Fail a claimed subtask."""
    fence = await api.claim(task_id, number)
    return await api.act(task_id, cmd.Settle(number, fence, cmd.Failed(Problem(kind="BOOM", message=message)), now()))


async def test_a_commit_changes_the_pieces_of_its_task(api: ServedApi) -> None:
    """State, cause, picture, title and icon follow the log; what somebody wrote stays text."""
    task = await api.create(plan("first", "second"))
    _, live, _ = await opened(api.admin, f"/tasks/{task['id']}")
    async with listening(api.admin, live) as reading:
        await fail(api, task["id"], 1, BAD)
        found = await until(reading, "cause", "Failed at first")
    assert found["icon"] == pages.static("bad.svg")
    assert found["title"].startswith("✕ ")
    assert found["head"].startswith('<div class="head" id="head">')
    assert "<svg" in found["view"]
    assert "main" not in found
    assert "<script>" not in "".join(found.values())
    assert "&lt;script&gt;alert(1)" in found["cause"]


async def test_pieces_are_what_the_page_itself_would_show(api: ServedApi) -> None:
    """Each piece stands in the page as it is fetched afterwards, letter by letter but for times."""
    task = await api.create(plan("first", "second"))
    seq = await fail(api, task["id"], 1, "at rest")

    async def seen() -> bool:
        return (await opened(api.admin, f"/tasks/{task['id']}"))[2] >= seq

    await eventually(seen, what="the view has it")
    for view in ("graph", "list", "timeline", "events", "params", "results", "why"):
        _, live, _ = await opened(api.admin, f"/tasks/{task['id']}?view={view}&subtask=1")
        async with listening(api.admin, live, after="0") as reading:
            found = (await reading.next("patch")).data
        text, _, _ = await opened(api.admin, f"/tasks/{task['id']}?view={view}&subtask=1")
        for name in set(found) - {"title", "icon"}:
            assert timeless(found[name]) in timeless(text), (view, name)


def timeless(text: str) -> str:
    """The markup without times."""
    return re.sub(r"<time[^>]*>[^<]*</time>|\d+(\.\d)? m?s\b", "", " ".join(text.split()))


async def test_who_has_seen_all_is_sent_nothing(api: ServedApi) -> None:
    """A page that is fresh gets no piece when its stream opens, nor for other tasks; one that is behind gets all."""
    task = await api.create(plan("a"))
    _, live, _ = await opened(api.admin, f"/tasks/{task['id']}")
    seq = await api.claim(task["id"], 1)
    async with listening(api.admin, live) as reading:
        found = await until(reading, "cause", "Running a")
        assert {"head", "cause", "facts", "view", "title", "icon"} <= set(found)
        assert int(reading.last_id) >= seq
    async with listening(api.admin, live, last_id=reading.last_id) as reading:
        await api.create(plan("b"))
        (await nothing(reading)).cancel()
    _, live, seen = await opened(api.admin, f"/tasks/{task['id']}")
    assert seen == seq
    async with listening(api.admin, live) as reading:
        (await nothing(reading)).cancel()


async def test_a_replica_that_lags_sends_nothing_older(api: ServedApi) -> None:
    """A page painted at a position that a process has not heard of waits for it, then gets what is newer."""
    task = await api.create(plan("a", "b"))
    _, live, seen = await opened(api.admin, f"/tasks/{task['id']}")
    ahead = seen + 2  # as if another process had painted it two commits later
    async with listening(api.admin, live, last_id=str(ahead)) as reading:
        waiting = await nothing(reading)
        await api.finish(task["id"], 1)
        await api.claim(task["id"], 2)
        found = (await waiting).data
        assert int(reading.last_id) > ahead
        assert "Running b" in found["cause"]


async def test_a_page_is_drawn_once_for_all_who_look(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten readers of one address cost one drawing a commit, at most one in 200 ms; nobody there, nothing drawn."""
    drawn: list[float] = []
    draw = pages.pieces

    def counted(*words: Any, **more: Any) -> dict[str, str]:
        drawn.append(asyncio.get_running_loop().time())
        return draw(*words, **more)

    monkeypatch.setattr(pages, "pieces", counted)
    names = [f"s{number}" for number in range(8)]
    task = await api.create(plan(*names))
    _, live, _ = await opened(api.admin, f"/tasks/{task['id']}")

    async def read() -> str:
        async with listening(api.admin, live) as reading:
            ready.release()
            await until(reading, "cause", "All is done")
            return reading.last_id

    ready = asyncio.Semaphore(0)
    readers = [asyncio.create_task(read()) for _ in range(10)]
    for _ in readers:
        await ready.acquire()
    rooms = api.gate._app.state.api.rooms
    assert len(rooms) == 1
    for number in range(1, 9):
        await api.finish(task["id"], number)
    assert len(set(await asyncio.gather(*readers))) == 1
    assert all(later - earlier > 0.18 for earlier, later in pairwise(drawn))
    await eventually(lambda: len(rooms) == 0)
    before = len(drawn)
    await api.admin.post(f"{INSTANCES}/{task['id']}/rollback")
    await asyncio.sleep(0.3)
    assert len(drawn) == before


async def test_rows_change_where_they_are(api: ServedApi) -> None:
    """A list is sent the rows it shows, as they change, and how many tasks came in front of them; none moves."""
    task = await api.create(plan("a", name="mine"))
    text, live, _ = await opened(api.admin, "/tasks")
    row = f"task-{task['id']}"
    assert f'<tr id="{row}"' in text
    async with listening(api.admin, live) as reading:
        await fail(api, task["id"], 1, BAD)
        found = await until(reading, row, "Failed")
        assert found[row].startswith(f'<tr id="{row}"')
        assert "&lt;script&gt;" in found[row]
        other = await api.create(plan("a", name="later"))
        new = await until(reading, "new", "1 new")
        assert new["title"].startswith("(1) Tasks")
        assert f"task-{other['id']}" not in new
        assert 'id="chips"' in new.get("chips", 'id="chips"')


async def test_a_deleted_task_keeps_its_row_and_says_so(api: ServedApi) -> None:
    """Nothing moves under the reader's hands; the row that no list has any more is no longer what it was."""
    task = await api.create(plan("a"))
    await api.finish(task["id"], 1)
    _, live, _ = await opened(api.admin, "/tasks")
    async with listening(api.admin, live) as reading:
        assert (await api.admin.delete(f"{INSTANCES}/{task['id']}")).status_code == 200
        found = await until(reading, f"task-{task['id']}", "Deleted")
    assert f'href="/tasks/{task["id"]}"' in found[f"task-{task['id']}"]


async def test_a_list_that_is_fresh_is_sent_no_row(api: ServedApi) -> None:
    """Rows that were painted do not come again when the stream opens; a row that changed meanwhile does."""
    task = await api.create(plan("a"))
    await api.create(plan("b"))
    _, live, _ = await opened(api.admin, "/tasks")
    await api.claim(task["id"], 1)
    rows: list[str] = []
    async with listening(api.admin, live) as reading, asyncio.timeout(10):
        while not rows:  # the numbers may come first: the view is behind the log by a moment
            rows = [name for name in (await reading.next("patch")).data if name.startswith("task-")]
    assert rows == [f"task-{task['id']}"]


async def test_another_replica_sends_the_same(api: ServedApi, second: ServedApi) -> None:
    """A stream goes on at a process that does not project, from the last id the browser heard."""
    task = await api.create(plan("a", "b"))
    _, live, _ = await opened(api.admin, "/tasks")
    async with listening(api.admin, live) as reading:
        await api.claim(task["id"], 1)
        await until(reading, f"task-{task['id']}", "Running")
    seq = await api.act(task["id"], cmd.CancelTask(now()))
    async with listening(second.admin, live, last_id=reading.last_id) as reading:
        found = await until(reading, f"task-{task['id']}", "Cancel")
        assert int(reading.last_id) >= seq
    assert [name for name in found if name.startswith("task-")] == [f"task-{task['id']}"]


async def test_a_plan_that_arrives_is_a_page_anew(api: ServedApi) -> None:
    """Where there was no subtask and is one now, pieces do not do: the page is asked to fetch itself."""
    task = await api.create({"type": "greeting", "params": {"name": "you"}})
    _, live, _ = await opened(api.admin, f"/tasks/{task['id']}")
    async with listening(api.admin, live) as reading:
        made = await api.log.load(task["id"])
        assert made is not None
        subtasks = await planned(api)
        await api.act(task["id"], cmd.RecordPlan("p1", subtasks, now()))
        assert (await reading.next("reset")).data["seq"] > 0
        assert [event.name async for event in reading] == []


async def planned(api: ServedApi) -> Any:
    """A plan's subtasks, taken from a task that brought its own."""
    other = await api.log.load((await api.create(plan("a")))["id"])
    assert other is not None
    return tuple(subtask.plan for subtask in other.subtasks)


async def test_the_past_is_not_live(api: ServedApi) -> None:
    """A page of what was has no stream."""
    task = await api.create(plan("a"))
    text = (await api.admin.get(f"/tasks/{task['id']}?at={task['logSeq']}", headers={"Accept": "text/html"})).text
    assert "data-live" not in text


async def test_a_stranger_to_the_team_hears_nothing(api: ServedApi) -> None:
    """The live page of another team's task is 404, and its lists hold no row of it, whatever ids are asked for."""
    secret = await api.create(plan("a", labels={"team": "red"}))
    blue = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"blue"}), name="blue-eyes")
    async with listening(blue, f"/live/tasks/{secret['id']}?after=0") as reading:
        assert reading.answer.status_code == 404
    async with listening(blue, f"/live/tasks?live_rows={secret['id']}&after=0") as reading:
        await api.claim(secret["id"], 1)
        mine = await api.create(plan("a", labels={"team": "blue"}))
        found = await until(reading, "new", "1 new")
    assert f"task-{secret['id']}" not in found
    assert mine["id"] > secret["id"]


async def test_what_a_list_is_asked_for_is_bounded(api: ServedApi) -> None:
    """More rows than a page has, or what is no id, is refused."""
    many = ",".join(map(str, range(1, live_list.MOST_ROWS + 2)))
    for ids in (many, "1,x", "-1", "1" * 30):
        answer = await api.admin.get("/live/tasks", params={"live_rows": ids}, headers={"Accept": "text/html"})
        assert answer.status_code == 400, ids
