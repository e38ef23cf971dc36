"""Executors, queue and set-aside messages, audit and synchronization on the console of a running API."""

import json
import re
from typing import Any

import pytest

from services.api.access import Role
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import request
from shared.store.kv import Bucket
from tests.compat.huawei import done_by, offer
from tests.integration.api.executor import Executor
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.bus.producer import producer
from tests.integration.console.signed import Person, with_user
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALERT = re.compile(r'role="alert">([^<]*)<')


async def aside(api: ServedApi, subject: str = "commands.explode", body: bytes = b"{}") -> int:
    """Send something that nobody can carry out; return its number."""

    async def newest() -> int:
        answer = await api.admin.get("/api/v2/set-aside", params={"source": "bus", "size": 1})
        found = answer.json()["data"]["contents"]
        return int(found[0]["seq"]) if found else 0

    before = await newest()
    await request(api.nats, subject, body)
    return await eventually(lambda: _more(newest, before))


async def _more(newest: Any, before: int) -> int:
    found: int = await newest()
    return found if found > before else 0


async def test_an_executor_is_shown_with_its_work_and_drains(api: ServedApi) -> None:
    """The button of the list leads to what it means, and the list shows what the executor says afterwards."""
    task = int((await api.create(plan(name="long one")))["id"])
    running = [{"task": task, "subtask": 1, "fence": 1, "progress": [0.25, "a quarter"]}]
    async with Executor(api, "1-aa", running=running, held=1) as one, Person(api) as admin:
        listed = (await admin.get("/executors")).text
        asked = (await admin.get(f"/executors/{one.incarnation}/drain")).text
        done = await admin.post(f"/executors/{one.incarnation}/drain")
        after = (await admin.get("/executors")).text
        alone = (await admin.get(f"/executors/{one.incarnation}")).text
        resumed = await admin.post(f"/executors/{one.incarnation}/resume")
        again = (await admin.get("/executors")).text

    assert "named-1-aa" in listed
    assert f'href="/tasks/{task}?subtask=1">long one</a>' in listed
    assert "25 %" in listed
    assert "No other executor takes work of pool default" in asked
    assert (done.status_code, done.headers["location"]) == (303, "/executors")
    assert "Draining" in after
    assert "by admin" in after
    assert "What runs goes on to its own end." in alone
    assert resumed.status_code == 303
    assert "Draining" not in again


async def test_one_that_does_not_answer_is_not_called_drained(api: ServedApi) -> None:
    """The dialog stays and says so; one that is gone is not there."""
    bucket = Bucket(api.nats, subjects.EXECUTORS)
    at = now().isoformat()
    await bucket.put(
        "2-bb", json.dumps({"name": "deaf", "pools": ["x"], "slots": 1, "startedAt": at, "at": at}).encode()
    )
    async with Person(api) as admin:
        answer = await admin.post("/executors/2-bb/drain")
        await bucket.delete("2-bb")
        gone = await admin.post("/executors/2-bb/drain")

    assert answer.status_code == 503
    assert ALERT.findall(answer.text) == [
        "The executor has not answered within a few seconds: it may still do so. Look at it, or try again."
    ]
    assert gone.status_code == 404


async def test_other_teams_work_has_no_name(api: ServedApi) -> None:
    """Neither on the list nor on an executor's own page, and the queue does not say which task waits longest."""
    task = int((await api.create(plan(name="secret name", labels={"team": "red"})))["id"])
    running = [{"task": task, "subtask": 1, "fence": 1, "progress": [0.5, "a secret note"]}]
    async with (
        Executor(api, "3-cc", running=running, held=1),
        await with_user(api, "blue-viewer", Role.TASK_VIEWER, ["blue"]) as person,
    ):
        pages = [(await person.get(path)).text for path in ("/executors", "/executors/3-cc", "/queue")]

    assert "a task of another team" in pages[0]
    assert "a task of another team" in pages[1]
    for text in pages:
        assert "secret" not in text
        assert f"/tasks/{task}" not in text
        assert "/drain" not in text


async def test_the_queue_says_what_waits_and_for_whom(api: ServedApi) -> None:
    """A pool that nobody serves is named with what waits for it, and what is needed answers."""
    task = int((await api.create({"plan": {"subtasks": [{"key": "a", "operation": "noop", "pool": "faraway"}]}}))["id"])
    async with Person(api) as admin:
        text = (await admin.get("/queue")).text

    assert re.search(rf"<b>faraway</b>.*?Nobody.*?/tasks/{task}\?subtask=1", text, re.DOTALL)
    assert text.count("Answers in ") == 2
    assert "behind." in text or "Up to date with the log." in text


async def test_a_message_is_looked_at_and_discarded(api: ServedApi) -> None:
    """With payload and cause; what was thrown away is gone from the API, too."""
    seq = await aside(api, body=b'{"<script>alert(1)</script>": "\xff"}')
    async with Person(api) as admin:
        listed = (await admin.get("/queue")).text
        shown = (await admin.get(f"/queue/set-aside/{seq}")).text
        done = await admin.post(f"/queue/set-aside/{seq}/discard")
        gone = await admin.get(f"/queue/set-aside/{seq}")

    assert f'href="/queue/set-aside/{seq}"' in listed
    assert "There is no such command. explode" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert (done.status_code, done.headers["location"]) == (303, "/queue#set-aside")
    assert gone.status_code == 404


async def test_a_message_is_replayed(api: ServedApi) -> None:
    """One that can be carried out now leads to its task; one that cannot stays, and the dialog says why."""
    sender = await producer(api, Role.TASK_MANAGER)
    seq = await aside(api)
    body = {"type": "later", "name": "came too early"}
    await sender.ask("create", body)
    found = (await api.admin.get("/api/v2/set-aside", params={"source": "bus", "size": 1})).json()["data"]["contents"]
    async with Person(api) as admin:
        stays = await admin.post(f"/queue/set-aside/{found[0]['seq']}/replay")
        unknown = await admin.post(f"/queue/set-aside/{seq}/replay")
        await offer_later(api)
        done = await admin.post(f"/queue/set-aside/{found[0]['seq']}/replay")
        gone = await admin.get(f"/queue/set-aside/{found[0]['seq']}")

    assert stays.status_code == 422
    assert ALERT.findall(stays.text)[0].startswith("It stays set aside: ")
    assert unknown.status_code == 422
    assert done.status_code == 303
    task = (await api.admin.get(f"{INSTANCES}/{done.headers['location'].removeprefix('/tasks/')}")).json()["data"]
    assert task["name"] == "came too early"
    assert gone.status_code == 404


async def offer_later(api: ServedApi) -> None:
    """Put the type `later` on offer."""
    card = {"name": "later", "pool": "default"}
    await Bucket(api.nats, subjects.CATALOG).put(subjects.card("type", "later", "default"), json.dumps(card).encode())

    async def offered() -> bool:
        return (await api.admin.get("/api/v2/task-types/later")).status_code == 200

    await eventually(offered)


async def test_the_audit_finds_what_the_api_finds(api: ServedApi) -> None:
    """The page's address is the API's: the same parameters give the same decisions, in the same order."""
    task = int((await api.create(plan(name="audited one")))["id"])
    await api.admin.post(f"{INSTANCES}/{task}/retry", json={"reason": "because of the <b>disk</b>"})
    await api.admin.post(f"{INSTANCES}/{task}/cancel", json={"reason": "enough"})
    async with Person(api) as admin:
        for query in (f"task={task}", f"task={task}&outcome=refused", "by=admin&since=1h", "text=ENOUGH", "via=bus"):
            page = await admin.get(f"/audit?{query}")
            wanted = (await api.admin.get(f"/api/v2/audit?{query}&size=50")).json()["data"]
            rows = re.findall(r'<tr data-href="/tasks/(\d+)', page.text)
            assert [int(row) for row in rows] == [one["task"] for one in wanted["contents"]], query
            assert ('rel="next"' in page.text) == (wanted["next"] is not None)
        shown = (await admin.get(f"/audit?task={task}")).text

    assert "because of the &lt;b&gt;disk&lt;/b&gt;" in shown
    assert "Refused" in shown
    assert f'href="/audit/verify?task={task}"' in shown


async def test_what_is_asked_wrongly_is_said_and_kept(api: ServedApi) -> None:
    """Beside what was typed, so that it can be mended."""
    async with Person(api) as admin:
        answer = await admin.get("/audit?task=x7&by=ana&since=soon")

    assert answer.status_code == 400
    assert ALERT.findall(answer.text) == ["The parameter task is a whole number from 1 to 900719925473."]
    assert 'name="task" value="x7"' in answer.text
    assert 'name="by" value="ana"' in answer.text
    assert '<option value="soon" selected>soon</option>' in answer.text


async def test_a_tasks_history_is_verified(api: ServedApi) -> None:
    """Whole for one that nobody has touched; a broken one is in `tests/integration/api/test_audit.py`."""
    task = int((await api.create(plan(name="whole")))["id"])
    async with Person(api) as admin:
        whole = (await admin.get(f"/audit/verify?task={task}")).text
        none = await admin.get("/audit/verify?task=999999")

    assert "It is what was written: 1 commit," in whole
    assert none.status_code == 404


async def test_synchronizations_show_counts_chart_and_lists(api: ServedApi) -> None:
    """As the API counts them, this month and any other; a request makes a child, once however often it is sent."""
    await offer(api)
    task = int(
        (
            await api.create(
                {"type": "object.sync", "name": "nightly", "params": {"source": "s3", "destination": "cold"}}
            )
        )["id"]
    )
    child = (await api.admin.post(f"/api/v2/sync-tasks/{task}/requests", json={"keys": ["a"]})).json()["data"]
    await done_by(api, child["id"], now(), {"requested": 4, "synced": 2, "failed": 1, "ignored": 1, "bytes": 2048})
    async with Person(api) as admin:
        listed = (await admin.get("/sync")).text
        shown = (await admin.get(f"/sync/{task}")).text
        before = (await admin.get(f"/sync/{task}?month=2026-01")).text
        dialog = (await admin.get(f"/sync/{task}/request")).text
        key = re.search(r'name="key" value="(\w+)"', dialog)
        assert key is not None
        fields = {"what": "keys", "keys": "a\r\nb c\r\n\r\n", "key": key[1]}
        made = await admin.post(f"/sync/{task}/request", **fields)
        twice = await admin.post(f"/sync/{task}/request", **fields)
        nothing = await admin.post(f"/sync/{task}/request", what="keys", keys="\n")
        both = await admin.post(f"/sync/{task}/request", what="prefix", prefix="", keys="a")

    assert f'id="sync-{task}"' in listed
    assert "s3 → cold" in listed
    assert re.findall(r'class="big number">([^<]*)<', shown) == ["4", "2", "1", "1", "2.0 KiB"]
    assert re.findall(r'class="big number">([^<]*)<', before) == ["0", "0", "0", "0", "0 Bytes"]
    assert shown.count("<rect") == 3
    assert f"oms/sync_task/{task}/failed_object_lists" in shown
    assert f'data-href="/tasks/{child["id"]}"' in shown
    assert made.status_code == 303
    assert twice.headers["location"] == made.headers["location"]
    found = (await api.admin.get(f"{INSTANCES}/{made.headers['location'].removeprefix('/tasks/')}")).json()["data"]
    assert (found["parent"], found["params"]["keys"]) == (task, ["a", "b c"])
    assert (nothing.status_code, both.status_code) == (422, 422)
    assert "Both fields have something in them." in both.text
    assert '<textarea name="keys" rows="5" spellcheck="false" placeholder="2026/01/a.jpg">a</textarea>' in both.text


async def test_processes_and_storage_are_shown(api: ServedApi) -> None:
    """Every API process answers for itself, and each stream says how full it is."""
    await api.create(plan())
    async with Person(api) as admin:
        text = (await admin.get("/queue")).text

    assert "writes the view" in text
    for name in ("TASKS", "WORK", "LOGS", "COMMANDS", "SET-ASIDE"):
        assert f'<td class="fit mono">{name}</td>' in text
    assert "One copy" in text
