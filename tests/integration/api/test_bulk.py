"""Bulk commands over REST: who is meant, what would happen, the task that does it, and what an executor may ask for."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from pydantic import TypeAdapter

from services.api.access import Role
from services.api.rest.schemas import Answer, TaskDetails
from services.api.rest.shapes_bulk import BulkNothing, BulkPreview, Items
from shared.messages import subjects
from shared.runtime.nats import request
from shared.store.kv import Bucket
from shared.store.objects import Results
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.plan import OperationCard
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers = iter(range(1, 10_000))
DRY = TypeAdapter(Answer[BulkPreview | BulkNothing])


async def failed(api: ServedApi, count: int, *, name: str | None = None, **more: Any) -> tuple[str, list[int]]:
    """So many failed tasks, the newest first, under a name nobody else has; the view has seen them."""
    name = name or f"Bulk {next(_numbers)}"
    ids = []
    for _ in range(count):
        task = await api.create(plan("a", name=name, **more))
        await api.finish(task["id"], 1, cmd.Failed(Problem(kind="EXIT", message="disk is full")))
        ids.append(task["id"])
    return name, ids[::-1]


async def bulk(
    api: ServedApi, word: str, body: dict[str, Any] | None = None, *, client: Any = None, key: str = "", **query: Any
) -> httpx2.Response:
    """Send a bulk command once the view has seen everything."""
    headers = {"Idempotency-Key": key} if key else {}
    query.setdefault("min_seq", await api.last_seq())
    return await (client or api.admin).post(f"{INSTANCES}:{word}", params=query, json=body or {}, headers=headers)


async def made(api: ServedApi, word: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
    """The bulk task that a command makes."""
    answer = await bulk(api, word, body, **query)
    assert answer.status_code == 201, answer.text
    Answer[TaskDetails].model_validate_json(answer.content)
    data: dict[str, Any] = answer.json()["data"]
    assert answer.headers["Location"] == f"{INSTANCES}/{data['id']}"
    return data


async def ask(api: ServedApi, task: int, target: int, fence: int, subtask: int = 1) -> dict[str, Any]:
    """Ask as an executor does."""
    question = json.dumps({"task": task, "subtask": subtask, "fence": fence, "target": target}).encode()
    answer: dict[str, Any] = json.loads(await request(api.nats, subjects.BULK_PERFORM, question))
    return answer


async def state(api: ServedApi, task_id: int) -> str:
    """A task's state by the log."""
    task = await api.log.load(task_id, fresh=True)
    assert task is not None
    return task.state.value


# ---- who is meant ---------------------------------------------------------------------------------------------


async def test_a_bulk_command_becomes_a_task_with_its_targets_in_batches(api: ServedApi) -> None:
    """Newest first, a hundred a batch, one batch after the other; reason, pace and filter are kept."""
    name, ids = await failed(api, 3)
    task = await made(api, "retry", {"reason": "disk emptied", "pace": 600}, name=name, state="FAILED")

    assert (task["taskType"], task["name"], task["object"]) == (
        "bulk.retry",
        "Retry 3 tasks",
        {"kind": "bulk", "name": "retry"},
    )
    query = f"name={name.replace(' ', '+')}&state=FAILED"
    assert task["params"] == {"word": "retry", "query": query, "count": 3, "reason": "disk emptied", "pace": 600}
    (batch,) = task["subtasks"]
    assert (batch["operationName"], batch["delivery"], batch["prohibitRollback"]) == (
        "task.command",
        "at_least_once",
        True,
    )
    assert batch["params"] == {"word": "retry", "tasks": ids, "pace": 600, "follows": False}
    assert [await state(api, target) for target in ids] == ["FAILED"] * 3


async def test_many_targets_are_a_chain_of_batches(api: ServedApi) -> None:
    """Each batch waits for the one before; together they name every target once."""
    name = f"Many {next(_numbers)}"
    ids = [(await api.create(plan("a", name=name)))["id"] for _ in range(205)]
    task = await made(api, "cancel", name=name)
    assert [len(batch["params"]["tasks"]) for batch in task["subtasks"]] == [100, 100, 5]
    assert [batch["upstreams"] for batch in task["subtasks"]] == [
        [],
        [task["id"] * 10_000 + 1],
        [task["id"] * 10_000 + 2],
    ]
    assert [target for batch in task["subtasks"] for target in batch["params"]["tasks"]] == ids[::-1]


async def test_a_dry_run_decides_each_target_and_makes_nothing(api: ServedApi) -> None:
    """Accepted and refused ones with their reasons, as the log has them now."""
    name, ids = await failed(api, 2)
    running = (await api.create(plan("a", name=name)))["id"]
    before = await api.last_seq()

    answer = await bulk(api, "retry", name=name, dry_run=True)
    DRY.validate_json(answer.content)
    data = answer.json()["data"]

    assert (answer.status_code, data["count"], data["exact"]) == (200, 3, True)
    assert (data["looked"], data["accepted"], data["refused"]) == (3, 2, 1)
    assert [(item["task"], item["accepted"], item["state"]) for item in data["items"]] == [
        (running, False, "READY"),
        (ids[0], True, "FAILED"),
        (ids[1], True, "FAILED"),
    ]
    assert data["items"][0]["refusal"]["code"] == 4007
    assert await api.last_seq() == before


async def test_nobody_meant_makes_nothing(api: ServedApi) -> None:
    """200 with a count of nought, also when the filters exclude each other."""
    excluding: list[dict[str, Any]] = [
        {"name": "nobody is called that"},
        {"state": "FAILED", "status": "SUCCESSFUL"},
    ]
    for query in excluding:
        answer = await bulk(api, "delete", **query)
        DRY.validate_json(answer.content)
        assert (answer.status_code, answer.json()["data"]) == (200, {"command": "delete", "count": 0, "exact": True})


async def test_without_a_filter_all_must_say_so(api: ServedApi) -> None:
    """A forgotten or misspelt filter never means every task."""
    refused(await bulk(api, "cancel"), 400, 1001)
    error = refused(await bulk(api, "cancel", name="x", stauts="FAILED"), 400, 1001)
    assert error["target"] == {"parameter": "stauts"}
    refused(await bulk(api, "cancel", name="x", page=2), 400, 1001)
    assert (await bulk(api, "retry", all=True, dry_run=True)).status_code == 200


async def test_more_than_the_limit_takes_the_newest_only_when_asked_to(api: ServedApi) -> None:
    """With a limit the newest so many; what is beyond the largest limit is refused."""
    name, ids = await failed(api, 3)
    data = (await bulk(api, "retry", {"limit": 2}, name=name, dry_run=True)).json()["data"]
    assert ([item["task"] for item in data["items"]], data["count"], data["exact"]) == (ids[:2], 2, False)
    for body in ({"limit": 0}, {"limit": 10_001}, {"pace": 0}, {"pace": 6001}, {"speed": 1}, {"reason": 1}):
        refused(await bulk(api, "retry", body, name=name), 422, 1001)


async def test_a_repeated_key_gives_the_first_task(api: ServedApi) -> None:
    """Also when nothing fits any more; another body under the key is 409."""
    name, _ = await failed(api, 1)
    first = await made(api, "retry", {"reason": "once"}, name=name, state="FAILED", key="bulk once")
    fence = await api.claim(first["id"], 1)
    for target in first["subtasks"][0]["params"]["tasks"]:
        assert (await ask(api, first["id"], target, fence))["status"] == 200

    again = await bulk(api, "retry", {"reason": "once"}, name=name, state="FAILED", key="bulk once")
    assert (again.status_code, again.json()["data"]["id"]) == (201, first["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    refused(await bulk(api, "retry", {"reason": "twice"}, name=name, state="FAILED", key="bulk once"), 409, 4011)


async def test_the_permission_is_the_commands_own(api: ServedApi) -> None:
    """An operator retries, skips and cancels; rolling back and deleting is a manager's (S2)."""
    allowed = {
        Role.TASK_VIEWER: set(),
        Role.AUDIT_VIEWER: set(),
        Role.TASK_OPERATOR: {"retry", "skip", "cancel"},
        Role.TASK_MANAGER: {"retry", "skip", "cancel", "rollback", "delete"},
    }
    for role, words in allowed.items():
        client = await api.bearer(role)
        for word in ("retry", "skip", "cancel", "rollback", "delete"):
            answer = await bulk(api, word, client=client, name="nobody is called that")
            assert answer.status_code == (200 if word in words else 403), (role, word)


async def test_users_cannot_make_a_bulk_task_by_hand(api: ServedApi) -> None:
    """Not even when an executor offers such a type."""
    error = refused(await api.admin.post(INSTANCES, json={"type": "bulk.delete", "params": {}}), 422, 1001)
    assert "instances:retry" in error["message"]


# ---- teams ----------------------------------------------------------------------------------------------------


async def test_a_team_commands_its_own_tasks_alone(api: ServedApi) -> None:
    """Others' are not chosen; the bulk task is the team's, and the log is asked again for each target."""
    name, red = await failed(api, 1, labels={"team": "red"})
    _, blue = await failed(api, 1, name=name, labels={"team": "blue"})
    client = await api.bearer(Role.TASK_OPERATOR, teams=frozenset({"red"}), name="ruth")

    task = await made(api, "retry", client=client, name=name)
    assert (task["subtasks"][0]["params"]["tasks"], task["labels"]) == (red, {"team": "red"})
    assert await state(api, blue[0]) == "FAILED"
    items = f"{INSTANCES}/{task['id']}/items"
    assert (await client.get(items)).status_code == 200
    stranger = await api.bearer(Role.TASK_OPERATOR, teams=frozenset({"blue"}), name="bela")
    refused(await stranger.get(items), 404, 4001)


async def test_tasks_of_several_teams_are_commanded_one_team_at_a_time(api: ServedApi) -> None:
    """Somebody of two teams must not show one of them what the other one does."""
    name, red = await failed(api, 1, labels={"team": "red"})
    await failed(api, 1, name=name, labels={"team": "blue"})
    both = await api.bearer(Role.TASK_OPERATOR, teams=frozenset({"red", "blue"}), name="rob")
    assert "blue, red" in refused(await bulk(api, "retry", client=both, name=name), 400, 1001)["message"]
    task = await made(api, "retry", {"limit": 1}, client=both, name=name)
    assert task["labels"] == {"team": "blue"}
    assert red[0] not in task["subtasks"][0]["params"]["tasks"]


# ---- what an executor may ask for -----------------------------------------------------------------------------


async def test_a_target_is_commanded_once_as_the_creator(api: ServedApi) -> None:
    """Accepted or refused, the second question gets the first answer; the log says who, why and how."""
    name, ids = await failed(api, 2)
    task = await made(api, "retry", {"reason": "disk emptied"}, name=name)
    await api.admin.post(f"{INSTANCES}/{ids[1]}/retry")
    fence = await api.claim(task["id"], 1)

    good = await ask(api, task["id"], ids[0], fence)
    bad = await ask(api, task["id"], ids[1], fence)
    assert (good["status"], good["state"], good["task"]) == (200, "RUNNING", ids[0])
    assert (bad["status"], bad["error"]["code"]) == (400, 4007)
    assert await ask(api, task["id"], ids[0], fence) == {**good, "replayed": True}
    assert await ask(api, task["id"], ids[1], fence) == bad

    events = (await api.admin.get(f"{INSTANCES}/{ids[0]}/events")).json()["data"]["contents"]
    retries = [entry for entry in events if any(event["type"] == "task.retried" for event in entry["events"])]
    assert [(entry["by"], entry["reason"]) for entry in retries] == [
        ({"kind": "user", "name": "admin", "via": "bulk"}, "disk emptied")
    ]


async def test_many_ask_at_once(api: ServedApi) -> None:
    """A batch's questions are answered side by side."""
    name = f"Many {next(_numbers)}"
    ids = [(await api.create(plan("a", name=name)))["id"] for _ in range(60)]
    task = await made(api, "cancel", name=name)
    fence = await api.claim(task["id"], 1)
    answers = await asyncio.gather(*(ask(api, task["id"], target, fence) for target in ids))
    assert {answer["status"] for answer in answers} == {200}
    assert {await state(api, target) for target in ids} == {"CANCELLED"}


async def test_only_what_the_log_allows_is_carried_out(api: ServedApi) -> None:
    """Not a target the batch does not name, not before the claim, not under another one, not for another task."""
    name, (target,) = await failed(api, 1)
    _, (stranger,) = await failed(api, 1)
    task = (await made(api, "retry", name=name))["id"]

    assert "not run" in (await ask(api, task, target, 1))["denied"]
    fence = await api.claim(task, 1)
    assert "does not name" in (await ask(api, task, stranger, fence))["denied"]
    assert "does not name" in (await ask(api, task, target, fence, subtask=2))["denied"]
    assert "not run" in (await ask(api, task, target, fence - 1))["denied"]
    assert "no bulk command" in (await ask(api, stranger, target, fence))["denied"]
    assert "not exist" in (await ask(api, 2**39, target, fence))["denied"]
    for nonsense in (b"", b"{}", b"[1]", b'{"task": "1", "subtask": 1, "fence": 1, "target": 1}', b"\xff"):
        answer = json.loads(await request(api.nats, subjects.BULK_PERFORM, nonsense))
        assert answer["status"] == 400
    assert [await state(api, found) for found in (target, stranger)] == ["FAILED", "FAILED"]


async def test_a_cancelled_bulk_command_commands_nobody_any_more(api: ServedApi) -> None:
    """From the commit of the cancel on, whatever the executor has heard."""
    name, ids = await failed(api, 2)
    task = await made(api, "retry", name=name)
    fence = await api.claim(task["id"], 1)
    assert (await ask(api, task["id"], ids[0], fence))["status"] == 200
    await api.admin.post(f"{INSTANCES}/{task['id']}/cancel")
    assert "not run" in (await ask(api, task["id"], ids[1], fence))["denied"]
    assert await state(api, ids[1]) == "FAILED"


async def test_a_plan_of_ones_own_with_the_operation_commands_nobody(api: ServedApi) -> None:
    """`task.command` may stand in anybody's plan; the API carries nothing out for it."""
    _, (target,) = await failed(api, 1)
    card = OperationCard(name="task.command").model_dump_json().encode()
    await Bucket(api.nats, subjects.CATALOG).put(subjects.card("operation", "task.command", "default"), card)
    node = {"key": "a", "operation": "task.command", "params": {"word": "retry", "tasks": [target]}}
    body = {"plan": {"subtasks": [node]}, "name": "bulk.retry"}

    async def created() -> dict[str, Any] | None:
        answer = await api.admin.post(INSTANCES, json=body)
        return answer.json()["data"] if answer.status_code == 201 else None

    task = await eventually(created)
    fence = await api.claim(task["id"], 1)
    assert "no bulk command" in (await ask(api, task["id"], target, fence))["denied"]
    assert await state(api, target) == "FAILED"


# ---- the answers ----------------------------------------------------------------------------------------------


async def test_items_show_every_answer_wherever_it_lies(api: ServedApi) -> None:
    """Inline, in the object store, and not yet given; page by page across the batches."""
    name = f"Many {next(_numbers)}"
    ids = [(await api.create(plan("a", name=name)))["id"] for _ in range(201)][::-1]
    task = await made(api, "cancel", name=name)
    path = f"{INSTANCES}/{task['id']}/items"
    said = [{"task": target, "status": 200, "state": "CANCELLED"} for target in ids]
    said[1] = {"task": ids[1], "status": 400, "error": {"code": 4007, "message": "No."}}
    await api.finish(task["id"], 1, cmd.Succeeded({"accepted": 99, "refused": 1, "items": said[:100]}))
    stored = json.dumps({"accepted": 100, "refused": 0, "items": said[100:200]}).encode()
    await api.finish(task["id"], 2, cmd.Succeeded(output_ref=await Results(api.nats).put("items", stored)))

    answer = await api.admin.get(path, params={"page": 1, "size": 2000})
    Answer[Items].model_validate_json(answer.content)
    data = answer.json()["data"]
    assert data["page"]["totalElements"] == 201
    shown = [{name: value for name, value in item.items() if name != "subtask"} for item in data["contents"]]
    assert shown == [*said[:200], {"task": ids[200]}]
    page = (await api.admin.get(path, params={"page": 2, "size": 150})).json()["data"]["contents"]
    assert page == data["contents"][150:]


async def test_other_tasks_have_no_items(api: ServedApi) -> None:
    """404, as for a task that is not there."""
    task = await api.create(plan("a"))
    refused(await api.admin.get(f"{INSTANCES}/{task['id']}/items"), 404, 4001)
    refused(await api.admin.get(f"{INSTANCES}/{2**39}/items"), 404, 4001)


async def test_a_filter_does_not_mean_the_command_that_it_belongs_to(api: ServedApi) -> None:
    """Who cancels all that runs, twice, finds the tasks both times, and the first bulk task only when it is named."""
    name = f"Meant {next(_numbers)}"
    label = name.replace(" ", "-")
    target = await api.create(plan("a", name=name, labels={"of": label}))
    first = await made(api, "cancel", label=f"of:{label}")

    assert first["state"] in {"READY", "RUNNING"}
    everybody = await meant(api, state="READY,RUNNING", all=True)
    assert target["id"] in everybody
    assert first["id"] not in everybody
    assert await meant(api, ids=str(first["id"])) == [first["id"]]
    assert first["id"] in await meant(api, taskType="bulk.cancel")


async def meant(api: ServedApi, **query: Any) -> list[int]:
    """The tasks that a cancel of this filter would be for."""
    found = DRY.validate_json((await bulk(api, "cancel", dry_run=True, **query)).content).data
    assert isinstance(found, BulkPreview)
    return [item.task for item in found.items]
