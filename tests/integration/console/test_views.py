"""The views of a task beside graph and list: events, the past, timeline, parameters, results, why something waits."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.console.task_page import VIEWS
from shared.runtime.clock import now
from shared.store.objects import Results
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = {"Accept": "text/html"}
EVIL = "<script>alert(1)</script>"


class Pages:
    """Looks at pages of tasks as an administrator."""

    def __init__(self, api: ServedApi) -> None:
        self.api = api

    async def task(self, *keys: str, **more: Any) -> int:
        """The id of a new task with a chain of no-ops."""
        return int((await self.api.create(plan(*keys, **more)))["id"])

    async def get(self, task: int, view: str, **params: Any) -> httpx2.Response:
        """One view of a task, with all that has happened to it."""
        asked = {"view": view, "min_seq": await self.api.last_seq(), **params}
        if "step" in params:
            del asked["min_seq"]
        return await self.api.admin.get(f"/tasks/{task}", params=asked, headers=HTML)

    async def text(self, task: int, view: str, **params: Any) -> str:
        """What a reader sees of it, in one line."""
        answer = await self.get(task, view, **params)
        assert answer.status_code == 200, answer.text
        assert EVIL not in answer.text
        main = answer.text.partition("<main")[2]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())

    async def failed(self) -> int:
        """The id of a task whose second step failed, and which somebody skipped with a reason, once in vain."""
        task = await self.task("a", "b", "c")
        await self.api.admin.post(f"{INSTANCES}/{task}/retry", json={"reason": "too early"})
        await self.api.finish(task, 1)
        await self.api.finish(task, 2, cmd.Failed(Problem(kind="EXIT_CODE", message=f"exit code 3 {EVIL}")))
        await self.api.admin.post(f"{INSTANCES}/{task}/skip", json={"reason": "checked by hand"})
        return task

    async def seqs(self, task: int) -> list[int]:
        """The log positions of the task's decisions."""
        answer = await self.api.admin.get(f"{INSTANCES}/{task}/events")
        return [one["seq"] for one in answer.json()["data"]["contents"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(api: ServedApi) -> AsyncIterator[Pages]:
    """Pages of this module."""
    yield Pages(api)


# ---- events -------------------------------------------------------------------------------------------------------


async def test_events_say_who_did_what_and_why(pages: Pages) -> None:
    """The newest first, refused commands too, with the reasons that were given."""
    text = await pages.text(await pages.failed(), "events")
    assert "admin REST ⤼ skipped what failed: every failed subtask counts as done Reason: checked by hand" in text
    assert "executor worker-1 ✕ b failed: exit code 3" in text
    assert "⊘ Refused retry" in text
    assert "Reason: too early" in text
    assert text.index("skipped what failed") < text.index("b failed") < text.index("planned 3 subtasks")


async def test_events_are_narrowed_by_kind(pages: Pages) -> None:
    """Refusals alone, failures alone; a kind that is none is said to be none."""
    task = await pages.failed()
    refused, failures = (
        await pages.text(task, "events", kind="refused"),
        await pages.text(task, "events", kind="failures"),
    )
    assert "Refused retry" in refused
    assert "b failed" not in refused
    assert "b failed" in failures
    assert "Refused retry" not in failures
    assert (await pages.get(task, "events", kind="nonsense")).status_code == 400


async def test_a_long_history_is_read_by_the_page(pages: Pages) -> None:
    """Older and newest are links; together the pages have every decision once, narrowed ones too."""
    task = await pages.task()
    for _ in range(60):
        await pages.api.admin.post(f"{INSTANCES}/{task}/retry", json={"reason": "no"})
    for kind, count in (("all", 61), ("refused", 60)):
        seen: list[str] = []
        address: str | None = f"/tasks/{task}?view=events&kind={kind}"
        while address:
            page = (await pages.api.admin.get(address, headers=HTML)).text
            seen += re.findall(r'<tr id="seq-(\d+)-', page)
            older = re.search(r'rel="next" href="([^"]+)">Older', page)
            address = unescape(older[1]) if older else None
        assert len(seen) == len(set(seen)) == count


# ---- the past -----------------------------------------------------------------------------------------------------


async def test_every_view_shows_the_past_and_says_so(pages: Pages) -> None:
    """With the way back to now, and without anything that acts."""
    task = await pages.failed()
    seqs = await pages.seqs(task)
    for view in VIEWS:
        page = (await pages.get(task, view, at=seqs[2])).text
        assert "This is the past." in page, view
        assert "Back to now" in page, view
        assert not re.search(
            r"<a [^>]*data-dialog[^>]*>(Retry|Skip|Cancel)<", re.sub(r"<a [^>]*aria-disabled[^>]*>", "", page)
        )
        assert "This is the past." not in (await pages.get(task, view)).text, view
    assert "exit code 3" in await pages.text(task, "events")
    assert "exit code 3" not in await pages.text(task, "events", at=seqs[2])


async def test_a_step_of_the_slider_leads_to_its_log_position(pages: Pages) -> None:
    """The last step is now; the address that is left says the position, as in REST."""
    task = await pages.failed()
    seqs = await pages.seqs(task)
    first = await pages.get(task, "timeline", step=1)
    last = await pages.get(task, "timeline", step=len(seqs))
    assert (first.status_code, first.headers["location"]) == (303, f"/tasks/{task}?view=timeline&at={seqs[0]}")
    assert last.headers["location"] == f"/tasks/{task}?view=timeline"
    page = (await pages.get(task, "events", at=seqs[1])).text
    assert f'min="1" max="{len(seqs)}" value="2"' in page
    assert f"at={seqs[0]}" in page
    assert f"at={seqs[2]}" in page
    assert (await pages.get(task, "events", step=0)).status_code == 400


async def test_a_moment_between_two_commits_is_the_earlier_one(pages: Pages) -> None:
    """Also a time, as a link that somebody sent may have it."""
    task = await pages.failed()
    seqs = await pages.seqs(task)
    text = await pages.text(task, "list", at="2999-01-01T00:00:00Z")
    assert f"{len(seqs)} of {len(seqs)}" in text
    assert (await pages.get(task, "list", at="1999-01-01T00:00:00Z")).status_code == 404


async def test_what_ran_then_had_not_run_until_now(pages: Pages) -> None:
    """Durations in the past are those of the past, and do not tick."""
    task = await pages.task("a")
    await pages.api.claim(task, 1)
    then = (await pages.seqs(task))[-1]
    await pages.api.act(task, cmd.Settle(1, then, cmd.Succeeded({}), now()))
    page = (await pages.get(task, "graph", at=then)).text
    assert "data-since" not in page
    assert re.search(r"Running for</dt><dd>\d+ ms<", page)


# ---- timeline -----------------------------------------------------------------------------------------------------


async def test_the_timeline_has_a_bar_for_each_attempt(pages: Pages) -> None:
    """It leads to the log of that attempt; live pages get what is new."""
    task = await pages.failed()
    page = (await pages.get(task, "timeline")).text
    assert len(re.findall(r'class="execute"', page)) == 2
    assert re.search(rf"/tasks/{task}\?[^\"]*view=graph&amp;subtask=2&amp;attempt=1-1", page)
    assert re.search(r"attempt 1 ran [0-9.]+ m?s from .* on worker-1: Failed", page)
    await pages.api.finish(task, 3)
    assert len(re.findall(r'class="execute"', (await pages.get(task, "timeline")).text)) == 3


async def test_a_task_that_has_not_begun_has_no_timeline_yet(pages: Pages) -> None:
    """A type's task waits for its plan."""
    created = await pages.api.create({"type": "greeting", "params": {"name": "x"}})
    assert "Nothing has waited or run yet." in await pages.text(int(created["id"]), "timeline")


async def test_thousands_of_subtasks_are_shown_by_the_hundred(pages: Pages) -> None:
    """The page stays small, the next rows are a link away."""
    nodes = [{"key": f"n{number}", "operation": "noop"} for number in range(250)]
    task = int((await pages.api.create({"plan": {"subtasks": nodes, "concurrency": 0}}))["id"])
    for view in ("timeline", "why"):
        first = (await pages.get(task, view)).text
        third = (await pages.get(task, view, cursor=201)).text
        assert "1 to 100 of 250" in first
        assert "201 to 250 of 250" in third
        assert "cursor=101" in first
        assert 'rel="next"' not in third


# ---- parameters and outputs ---------------------------------------------------------------------------------------


async def test_parameters_and_output_of_the_chosen_subtask(pages: Pages) -> None:
    """Large ones are cut on the page; the download has all."""
    body = {"plan": {"subtasks": [{"key": "a", "operation": "greet", "params": {"name": EVIL[:20]}}]}}
    task = int((await pages.api.create(body))["id"])
    await pages.api.finish(task, 1, cmd.Succeeded({"text": "y" * 9000, "n": 7}))
    text = await pages.text(task, "params", subtask=1)
    assert "Parameters of a" in text
    assert "5,000 more characters" in text
    file = await pages.api.admin.get(f"/tasks/{task}/files/1/output.json", headers=HTML)
    assert file.headers["content-disposition"] == f'attachment; filename="task-{task}-1-output.json"'
    assert file.json() == {"text": "y" * 9000, "n": 7}
    params = await pages.api.admin.get(f"/tasks/{task}/files/1/params.json", headers=HTML)
    assert params.json()["params"] == {"name": EVIL[:20]}
    assert (await pages.api.admin.get(f"/tasks/{task}/files/9/params.json", headers=HTML)).status_code == 404


async def test_a_failure_shows_what_it_told(pages: Pages) -> None:
    """The detail of a problem stands where an output would."""
    task = await pages.task("a")
    await pages.api.finish(task, 1, cmd.Failed(Problem(kind="X", message="no", detail={"sqlstate": "42501"})))
    assert "What it told of its failure Download sqlstate 42501" in await pages.text(task, "params", subtask=1)


# ---- results ------------------------------------------------------------------------------------------------------


async def script(pages: Pages, rows: list[list[Any]], **more: Any) -> int:
    """The id of a task whose script gave these rows, of its second statement."""
    task = await pages.task("script")
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file = await Results(pages.api.nats).put(f"{task}-1-1-1/2.jsonl", data)
    columns = [{"name": "id", "type": "int8"}, {"name": EVIL, "type": "text"}]
    one = {"index": 2, "sql": "SELECT 2", "columns": columns, "rows": len(rows), "truncated": True, "file": file}
    failed = {"index": 3, "sql": "DROP x", "error": "no such table: x"}
    output = {
        "kind": "sql", "dialect": "sqlite", "connection": "shop", "statements": 3, "success": 2, "failure": 1,
        "records": [failed], "results": [one], **more,
    }  # fmt: skip
    await pages.api.finish(task, 1, cmd.Succeeded(output))
    return task


async def test_rows_of_a_script_are_read_by_the_page(pages: Pages) -> None:
    """With failures, counts and the download; NULL is told apart from an empty text."""
    task = await script(pages, [[1, None], [2, ""], *([n, f"row {n}"] for n in range(3, 121))])
    first, last = await pages.text(task, "results"), await pages.text(task, "results", of=1, set=2, page=3)
    assert "3 statements on shop (sqlite)" in first
    assert "2 done · 1 failed" in first
    assert "3 no such table: x DROP x" in first
    assert "1 NULL 2 3 row 3" in first
    assert "Rows 1 to 50 of 120" in first
    assert "Rows 101 to 120 of 120" in last
    assert "120 row 120" in last
    assert "The statement gave more rows than the script was to keep." in last
    page = (await pages.get(task, "results")).text
    assert f'href="/api/v2/tasks/instances/{task}/results/download"' in page
    assert "of=1&amp;set=2&amp;page=2" in page


async def test_rows_that_are_gone_say_so(pages: Pages) -> None:
    """The rest of the page stands."""
    task = await script(pages, [[1, "x"]])
    await pages.api.nats.jetstream().purge_stream("OBJ_results")
    text = await pages.text(task, "results")
    assert "These rows cannot be read: the object store does not have it any more." in text
    assert "2 done · 1 failed" in text


async def test_mock_data_and_synchronisation_have_reports(pages: Pages) -> None:
    """Counts of each table and of each batch, with sums."""
    task = await pages.task("customers", "batch", "finish", "own")
    mock = {"kind": "mock", "table": "customers", "written": 1000, "conflicting": 20, "ignored": 20, "seed": 7}
    counts = {"requested": 5, "synced": 3, "failed": 0, "ignored": 2, "bytes": 4096}
    await pages.api.finish(task, 1, cmd.Succeeded(mock))
    await pages.api.finish(task, 2, cmd.Succeeded({"sync": counts, "lists": {"s": "oms/sync_task/1/s/2-2-1.txt"}}))
    file = await Results(pages.api.nats).put(f"{task}-3/report.txt", b"hello")
    await pages.api.finish(task, 3, cmd.Succeeded({"kind": "inspect", "note": EVIL, "file": file}))
    text = await pages.text(task, "results")
    assert "customers 1,000 20 20 0" in text
    assert "Requested 5 Synced 3 Failed 0 Ignored 2 Bytes 4,096" in text
    assert "oms/sync_task/1/s/2-2-1.txt" in text
    assert "report.txt 5 bytes" in text
    href = re.search(r'href="([^"]+/files/report.txt)"', (await pages.get(task, "results")).text)
    assert href is not None
    assert (await pages.api.admin.get(href[1])).content == b"hello"


async def test_a_task_without_results_says_so(pages: Pages) -> None:
    """And whether some may still come."""
    task = await pages.task("a")
    assert "No results yet." in await pages.text(task, "results")
    await pages.api.finish(task, 1)
    assert "No subtask of it tells of rows, counts or files." in await pages.text(task, "results")


# ---- why ----------------------------------------------------------------------------------------------------------


async def test_what_waits_says_for_what(pages: Pages) -> None:
    """Executors that are not there, upstreams that are not done, and a failure that stops everything."""
    task = await pages.task("a", "b")
    text = await pages.text(task, "why")
    assert "No executor of pool default is alive." in text
    assert "It starts after a." in text
    await pages.api.finish(task, 1, cmd.Failed(Problem(kind="X", message="no")))
    after = await pages.text(task, "why")
    assert "The task is at rest. Nothing of it moves until someone acts." in after
    assert "It failed and waits for someone: retry it or skip it or roll the task back." in after
    assert "a failed, and a failure keeps anything new from starting." in after
    assert "lived then is not recorded" in await pages.text(task, "why", at=(await pages.seqs(task))[0])


async def test_a_task_without_a_plan_says_who_would_make_it(pages: Pages) -> None:
    """Nobody is there to plan it."""
    created = await pages.api.create({"type": "greeting", "params": {"name": "x"}})
    assert "It has no plan yet. No executor of pool default is alive." in await pages.text(int(created["id"]), "why")


# ---- who may see it -----------------------------------------------------------------------------------------------


async def test_another_teams_task_has_no_views_and_no_files(pages: Pages) -> None:
    """Each answers as if there were none, with the words of a task that is missing."""
    task = await pages.task("a", labels={"team": "red"})
    blue = await pages.api.bearer(Role.TASK_OPERATOR, teams=frozenset({"blue"}), name="blue")
    addresses = [f"/tasks/{task}?view={view}" for view in VIEWS] + [f"/tasks/{task}?view={view}&at=1" for view in VIEWS]
    addresses += [f"/tasks/{task}/files/params.json", f"/tasks/{task}/files/1/output.json", f"/tasks/{task}?step=1"]
    for address in addresses:
        answer = await blue.get(address, headers=HTML)
        assert answer.status_code == 404, address
        assert f"The task {task} does not exist." in answer.text
