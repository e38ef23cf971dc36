"""The page of one task as the server draws it: its parts, its sizes, and what a reader finds in it."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from html import unescape

import pytest
import pytest_asyncio

from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.plan import PlannedSubtask
from tests.integration.api.harness import INSTANCES, ServedApi
from tests.integration.console.signed import Person

pytestmark = pytest.mark.asyncio(loop_scope="module")
OOPS = cmd.Failed(Problem(kind="EXIT_CODE", message="disk full"), retryable=False)
FIVE_THOUSAND, PART = 5000, 1000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(api: ServedApi) -> AsyncIterator[Person]:
    """Somebody who may do everything."""
    async with Person(api) as person:
        yield person


async def made(api: ServedApi, upstreams: Mapping[str, list[str]], name: str = "made") -> int:
    """A task of no-ops whose graph is this; all that can run may run at once."""
    nodes = [{"key": key, "operation": "noop", "upstreams": above} for key, above in upstreams.items()]
    return int((await api.create({"name": name, "plan": {"subtasks": nodes, "concurrency": 0}}))["id"])


async def broken(api: ServedApi, task_id: int, *numbers: int) -> None:
    """Let these subtasks fail, and the view know of it."""
    for number in numbers:
        await api.claim(task_id, number)
    seq = 0
    for number in numbers:
        task = await api.log.load(task_id, fresh=True)
        assert task is not None
        claim = task.subtasks[number - 1].claim
        assert claim is not None
        seq = await api.act(task_id, cmd.Settle(number, claim.fence, OOPS, now()))
    assert (await api.admin.get(f"{INSTANCES}/{task_id}", params={"min_seq": seq})).status_code == 200


async def planned(api: ServedApi, task_id: int, wide: int) -> None:
    """Plan such a task as an executor does: its plan is too large for one commit."""
    parts = FIVE_THOUSAND // PART
    for part in range(parts):
        nodes = [
            PlannedSubtask(
                key=f"n{n}",
                name=f"step {n}",
                operation="noop",
                upstreams=(n - wide + 1,) if n >= wide else (),
                timeout_s=60,
                pool="default",
                delivery="at_least_once",
            )
            for n in range(part * PART, (part + 1) * PART)
        ]
        plan = cmd.RecordPlan("p", tuple(nodes), now(), part=part + 1, parts=parts, concurrency=0)
        await api.act(task_id, plan)


def links(text: str, word: str) -> list[str]:
    """Where links with this text lead."""
    return [unescape(href) for href in re.findall(rf'<a[^>]* href="([^"]+)"[^>]*>[^<]*{word}', text)]


async def test_the_chosen_subtask_stands_beside_the_graph(api: ServedApi, admin: Person) -> None:
    """Why it failed, what comes before and behind it, and what may be done with it; each a link."""
    task_id = await made(api, {"a": [], "b": ["a"], "c": ["b"]})
    await api.finish(task_id, 1)
    await broken(api, task_id, 2)

    text = (await admin.get(f"/tasks/{task_id}")).text

    panel = text[text.index('id="step"') : text.index('id="logpane"')]
    assert "disk full" in panel
    assert f'href="/tasks/{task_id}?subtask=1"' in panel
    assert f'href="/tasks/{task_id}/subtasks/2/retry"' in panel
    assert re.search(r'title="It does not run\." aria-disabled="true"[^>]*>Cancel', panel)


async def test_the_failed_ones_are_visited_in_a_circle(api: ServedApi, admin: Person) -> None:
    """Next of the last is the first, previous of the first the last."""
    task_id = await made(api, {key: [] for key in "abcde"})
    await broken(api, task_id, 2, 4, 5)

    page = (await admin.get(f"/tasks/{task_id}?subtask=5")).text

    assert links(page, "next") == [f"/tasks/{task_id}?subtask=2"]
    assert links(page, ". previous") == [f"/tasks/{task_id}?subtask=4"]
    assert "3 failed, this is number 3" in page


async def test_another_subtasks_log_is_read_from_its_own_place(api: ServedApi, admin: Person) -> None:
    """Where the log of one was read says nothing about the log of another; its level and search go along."""
    task_id = await made(api, {"a": [], "b": ["a"]})
    place = f"/tasks/{task_id}?subtask=1&line=7.1&attempt=1&level=WARN&find=disk"
    links = {
        unescape(link) for link in re.findall(r'href="(/tasks/[^"]*subtask=2[^"]*)"', (await admin.get(place)).text)
    }
    assert links
    assert not [link for link in links if "line=" in link or "attempt=" in link]
    assert any("level=WARN" in link and "find=disk" in link for link in links)


async def test_following_shows_whatever_runs(api: ServedApi, admin: Person) -> None:
    """The address says so, and stays the same while the work goes on."""
    task_id = await made(api, {"first": [], "second": ["first"]})
    await api.claim(task_id, 1)
    before = (await admin.get(f"/tasks/{task_id}?subtask=running&min_seq={await api.last_seq()}")).text
    fence = (await api.log.load(task_id, fresh=True)).subtasks[0].claim.fence  # type: ignore[union-attr]
    await api.act(task_id, cmd.Settle(1, fence, cmd.Succeeded(None), now()))
    await api.claim(task_id, 2)
    after = (await admin.get(f"/tasks/{task_id}?subtask=running&min_seq={await api.last_seq()}")).text

    assert "<h2>first</h2>" in before
    assert "<h2>second</h2>" in after
    assert "Following what runs" in after


async def test_what_to_take_away(api: ServedApi, admin: Person) -> None:
    """Its id, a link to just this, and how the command line and a program see it."""
    task_id = await made(api, {"a": []})

    text = unescape((await admin.get(f"/tasks/{task_id}?view=list")).text)

    copied = re.findall(r'data-copy="([^"]*)"', text)[:4]
    assert copied == [
        str(task_id),
        f"{api.url}/tasks/{task_id}?view=list",
        f"opsledger task show {task_id}",
        f"curl --user admin {api.url}/api/v2/tasks/instances/{task_id}",
    ]


async def test_a_wide_fan_is_one_box_that_opens_by_the_hundred(api: ServedApi, admin: Person) -> None:
    """Each box is a link; opening it chooses the failed one, and it can be folded again."""
    shards = {f"s{number}": ["start"] for number in range(250)}
    task_id = await made(api, {"start": [], **shards, "end": list(shards)})
    await api.finish(task_id, 1)
    await broken(api, task_id, 200)

    folded = (await admin.get(f"/tasks/{task_id}")).text
    opened = (await admin.get(f"/tasks/{task_id}?subtask=200&open=2")).text

    assert folded.count('<a id="n') == 3
    assert f'href="/tasks/{task_id}?subtask=200&amp;open=2"' in folded
    assert "250 × s" in folded  # noqa: RUF001  a sign
    assert opened.count('<a id="n') == 103
    assert re.search(r'<a id="n200"[^>]*aria-current="true"', opened)
    assert "open=2.2" in opened
    assert links(opened, "Fold all like s0") == [f"/tasks/{task_id}?subtask=200"]


async def test_the_list_goes_by_the_hundred_and_by_state(api: ServedApi, admin: Person) -> None:
    """It opens where the chosen subtask is; a chip leaves the others out."""
    task_id = await made(api, {f"s{number}": [] for number in range(1, 251)})
    await broken(api, task_id, 230)

    there = (await admin.get(f"/tasks/{task_id}?view=list&subtask=230")).text
    only = (await admin.get(f"/tasks/{task_id}?view=list&only=failed")).text
    wrong = await admin.get(f"/tasks/{task_id}?view=list&only=broken")

    assert re.findall(r'<tr id="s(\d+)"', there) == [str(number) for number in range(201, 251)]
    assert "201-250 of 250" in there
    assert re.findall(r'<tr id="s(\d+)"', only) == ["230"]
    assert wrong.status_code == 400


@pytest.mark.parametrize("shape", ["fan", "chain", "chains"])
async def test_five_thousand_subtasks_open_in_less_than_a_second(api: ServedApi, admin: Person, shape: str) -> None:
    """Side by side, one after the other, or in fifty rows; graph and list; the page stays small.

    Counted is the time of this process, which the API runs in: others may be busy beside it.
    """
    wide = {"fan": FIVE_THOUSAND, "chain": 1, "chains": 50}[shape]
    graph = {f"n{n}": [f"n{n - wide}"] if n >= wide else [] for n in range(FIVE_THOUSAND)}
    task_id = await made(api, graph, name=shape)
    await planned(api, task_id, wide)
    await broken(api, task_id, 1)

    for view in ("graph", "list"):
        began = time.process_time()
        answer = await admin.get(f"/tasks/{task_id}?view={view}")
        took = time.process_time() - began

        assert answer.status_code == 200
        assert took < 1, (view, took)
        assert len(answer.content) < 200_000, view
