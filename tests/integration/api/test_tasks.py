"""Tasks over REST: created once, answered at once, listed, shown, their history and their lines."""

import asyncio
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from services.api.rest import render
from services.api.rest.schemas import Answer, History, LogShape, OperationCards, TaskDetails, TaskPage, TypeCards
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import api as jetstream
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.plan import TypeCard
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def body(answer: Any, shape: Any) -> dict[str, Any]:
    """The data of an answer, held against its documented shape."""
    Answer[shape].model_validate_json(answer.content)
    data: dict[str, Any] = from_json(answer.content)["data"]
    return data


async def test_a_created_task_is_answered_from_the_log(api: ServedApi) -> None:
    """201 with details, Location and X-Log-Seq; its first item is in the queue."""
    answer = await api.admin.post(INSTANCES, json=plan("a", "b", name="First", labels={"team": "ops"}))

    data = body(answer, TaskDetails)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{INSTANCES}/{data['id']}"
    assert int(answer.headers["x-log-seq"]) == data["logSeq"] == await api.last_seq()
    assert [found["status"] for found in data["subtasks"]] == ["READY", "PENDING"]
    subject = subjects.work("default", data["id"], 1, 1, 1)

    async def queued() -> bool:
        info = await jetstream(api.nats, f"STREAM.INFO.{subjects.WORK}", {"subjects_filter": subject})
        return bool((info["state"].get("subjects") or {}).get(subject))

    await eventually(queued)


async def test_a_task_can_be_read_at_once(api: ServedApi) -> None:
    """Right after its creation details come, if need be from the log; min_seq makes the view wait."""
    for _ in range(20):
        task = await api.create(plan())
        found = body(await api.admin.get(f"{INSTANCES}/{task['id']}"), TaskDetails)
        assert found["id"] == task["id"]
    listed = await api.admin.get(INSTANCES, params={"min_seq": task["logSeq"], "size": 1})
    assert body(listed, TaskPage)["contents"][0]["id"] == task["id"]


async def test_the_view_shows_what_the_log_showed(api: ServedApi) -> None:
    """Details drawn from rows are the very ones drawn from the log."""
    task = await api.create(plan("a", "b", object={"kind": "tenant", "id": "5", "name": "t"}, labels={"k": "v"}))
    seq = await api.finish(task["id"], 1)
    failed = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3", detail={"code": 3}))
    seq = await api.finish(task["id"], 2, failed)

    shown = body(await api.admin.get(f"{INSTANCES}/{task['id']}", params={"min_seq": seq}), TaskDetails)
    state = await api.log.load(task["id"], fresh=True)
    assert state is not None
    assert shown == from_json(to_json(render.details(state)))
    assert (shown["state"], shown["subtasks"][1]["error"]["kind"]) == ("FAILED", "EXIT_CODE")
    assert shown["subtasks"][0]["output"] == {"n": 1}


async def test_one_key_one_task(api: ServedApi) -> None:
    """A repeat gets 201 and the same id; another body 409; twenty at once make one task."""
    before = await api.last_seq()
    headers = {"Idempotency-Key": "order 66"}
    answers = await asyncio.gather(*(api.admin.post(INSTANCES, json=plan("x"), headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert await api.last_seq() == before + 1

    repeat = await api.admin.post(INSTANCES, json=plan("x"), headers=headers)
    assert repeat.status_code == 201
    assert repeat.headers["idempotency-replayed"] == "true"
    assert int(repeat.headers["x-log-seq"]) == before + 1
    refused(await api.admin.post(INSTANCES, json=plan("y"), headers=headers), 409, 4011)
    assert await api.last_seq() == before + 1


async def test_a_typed_task_is_checked_against_its_card(api: ServedApi) -> None:
    """Parameters that fit make an unplanned task; others are 422 with their place."""
    task = await api.create({"type": "greeting", "params": {"name": "Bo"}})
    assert (task["state"], task["status"], task["taskType"], task["subtasks"]) == (
        "INITIALIZING",
        "RUNNING",
        "greeting",
        [],
    )
    error = refused(await api.admin.post(INSTANCES, json={"type": "greeting", "params": {"name": 5}}), 422, 1001)
    assert error["target"]["pointer"] == "/params/name"
    assert error["subErrors"][0]["field"] == "/params/name"


async def test_an_oversized_plan_is_accepted(api: ServedApi) -> None:
    """Two megabytes of plan go to the object store; the task waits for an executor to record them."""
    nodes = [{"key": f"s{n}", "operation": "noop", "params": {"text": "x" * 1000}} for n in range(2000)]
    task = await api.create({"plan": {"subtasks": nodes}})
    assert (task["state"], task["subtasks"]) == ("INITIALIZING", [])


async def test_five_thousand_subtasks_are_accepted(api: ServedApi) -> None:
    """The largest plan there may be."""
    nodes = [{"key": f"s{n}", "operation": "noop"} for n in range(5000)]
    task = await api.create({"plan": {"subtasks": nodes}})
    assert task["state"] == "INITIALIZING"


async def test_lists_are_filtered_sorted_and_paged(api: ServedApi) -> None:
    """Names match in part and literally, status in OCP's words, pages count from one."""
    names = ["alpha 100%", "alpha_2", "beta"]
    for name in names:
        last = await api.create(plan(name=name, object={"kind": "host", "name": "db-9"}))
    where = {"objectKind": "host", "objectName": "db-9", "min_seq": last["logSeq"]}

    async def ask(**more: Any) -> list[str]:
        data = body(await api.admin.get(INSTANCES, params={**where, **more}), TaskPage)
        return [found["name"] for found in data["contents"]]

    assert await ask() == names[::-1]
    assert await ask(sort="name,asc") == names
    assert await ask(name="ALPHA") == names[1::-1]
    assert await ask(name="100%") == names[:1]
    assert await ask(name="a_2") == names[1:2]
    assert await ask(name="' OR 1=1 --") == []
    assert await ask(status="RUNNING", size=1, page=2) == names[1:2]
    assert await ask(status="SUCCESSFUL,FAILED") == []
    assert await ask(state="READY", operator="admin", taskType="plan") == names[::-1]
    assert await ask(operator="nobody") == []
    assert await ask(type="MANUAL") == names[::-1]
    assert await ask(type="SCHEDULED") == []
    page = body(await api.admin.get(INSTANCES, params={**where, "size": 2, "page": 2}), TaskPage)["page"]
    assert page == {"totalElements": 3, "totalPages": 2, "totalPage": 2, "number": 2, "size": 2}


async def test_the_history_has_every_decision_and_pages(api: ServedApi) -> None:
    """Accepted ones with their events, in the order of the log, in pages that join without a gap."""
    task = await api.create(plan("a", "b"))
    for number in (1, 2):
        await api.finish(task["id"], number)
    path = f"{INSTANCES}/{task['id']}/events"
    whole = body(await api.admin.get(path), History)
    assert whole["next"] is None
    types = [event["type"] for entry in whole["contents"] for event in entry["events"]]
    assert types == [
        "task.created",
        "task.planned",
        "subtask.started",
        "subtask.succeeded",
        "subtask.started",
        "subtask.succeeded",
        "task.finished",
    ]
    assert whole["contents"][0]["by"] == {"kind": "user", "name": "admin", "via": "rest"}

    joined: list[Any] = []
    after: int | None = 0
    while after is not None:
        part = body(await api.admin.get(path, params={"after": after, "size": 2}), History)
        joined += part["contents"]
        after = part["next"]
    assert joined == whole["contents"]
    assert body(await api.admin.get(path, params={"after": 10**9}), History)["contents"] == []


async def test_a_log_reads_as_ocps_clients_expect(api: ServedApi) -> None:
    """Runs with their separators, lines in order, the end of each."""
    task = await api.create(plan("a"))
    fence = await api.claim(task["id"], 1)
    await api.say(task["id"], 1, "one", "two")
    failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
    await api.act(task["id"], cmd.Settle(1, fence, failure, now()))
    subtask = task["subtasks"][0]["id"]
    text = body(await api.admin.get(f"{INSTANCES}/{task['id']}/subtasks/{subtask}/log"), LogShape)["log"]

    lines = text.split("\n")
    assert lines[0].startswith("############{EXECUTE}{")
    assert lines[0].endswith("}############")
    assert [line.rpartition(" INFO ")[2] for line in lines[1:3]] == ["one", "two"]
    assert lines[3] == "EXIT_CODE: exit code 3"
    assert lines[4] == f"Set state for subtask: {subtask}, operation:EXECUTE, state: FAILED"


async def test_what_is_not_there_is_404(api: ServedApi) -> None:
    """Tasks, subtasks, types and routes that do not exist, each with its own words."""
    task = await api.create(plan("a"))
    other = await api.create(plan("a"))
    for path in (
        f"{INSTANCES}/999999999",
        f"{INSTANCES}/999999999/events",
        f"{INSTANCES}/999999999/subtasks/9999999990001/log",
        f"{INSTANCES}/{task['id']}/subtasks/{other['id'] * 10_000 + 1}/log",
        f"{INSTANCES}/{task['id']}/subtasks/{task['id'] * 10_000 + 2}/log",
        "/api/v2/task-types/nope",
    ):
        refused(await api.admin.get(path), 404, 4001)
    refused(await api.admin.get("/api/v3/tasks"), 404, 1002)
    refused(await api.admin.get(f"{INSTANCES}//"), 404, None)


async def test_the_catalogue_is_shown(api: ServedApi) -> None:
    """Operations and types as cards; one type alone by its name."""
    types = body(await api.admin.get("/api/v2/task-types"), TypeCards)["contents"]
    assert [card["name"] for card in types] == ["greeting"]
    card = body(await api.admin.get("/api/v2/task-types/greeting"), TypeCard)
    assert card["params_schema"]["required"] == ["name"]
    operations = body(await api.admin.get("/api/v2/operations"), OperationCards)["contents"]
    assert [found["name"] for found in operations] == ["greet", "noop"]


async def test_a_position_the_log_has_not_reached_is_none(api: ServedApi) -> None:
    """Nobody can have been given it, so nobody waits for it."""
    refused(await api.admin.get(INSTANCES, params={"min_seq": 10**12}), 400, 1001)


async def test_health_names_each_resource(api: ServedApi) -> None:
    """Ready when NATS, database and projection are; live for anybody."""
    ready = await api.admin.get("/health/ready")
    assert ready.status_code == 200
    assert {name: found["ok"] for name, found in ready.json()["resources"].items()} == {
        "nats": True,
        "database": True,
        "projection": True,
    }
    async with api.client() as stranger:
        assert (await stranger.get("/health/live")).json() == {"status": "up"}


async def test_numbers_and_documentation_are_served(api: ServedApi) -> None:
    """Metrics by route template; the documentation needs nothing from elsewhere."""
    await api.admin.get(INSTANCES)
    numbers = (await api.admin.get("/metrics")).text
    assert f'route="{INSTANCES}"' in numbers
    assert "opsledger_view_position" in numbers
    page = (await api.admin.get("/docs")).text
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{asset}" in page
        assert (await api.admin.get(f"/docs/assets/{asset}")).status_code == 200
    assert (await api.admin.get("/openapi.json")).json()["info"]["title"] == "opsledger"


async def test_the_api_says_which_log_it_knows(api: ServedApi) -> None:
    """Executors ask `log.check` before they run anything (P12)."""
    await api.create(plan())

    answer = from_json((await api.nats.request(subjects.LOG_CHECK, b"{}", timeout=2)).data)
    info = await jetstream(api.nats, f"STREAM.INFO.{subjects.TASKS}")

    assert answer["created"] == info["created"]
    assert 0 < answer["highest"] <= info["state"]["last_seq"]


async def test_status_events_are_published(api: ServedApi) -> None:
    """Whoever listens on `events.<type>` hears what the view has taken in."""
    heard: list[dict[str, Any]] = []

    async def listen(message: Any) -> None:
        heard.append(from_json(message.data))

    listening = await api.nats.subscribe("events.task.created", cb=listen)
    await api.nats.flush()
    task = await api.create(plan(name="heard"))
    await eventually(lambda: [found for found in heard if found["task"] == task["id"]])
    found = next(found for found in heard if found["task"] == task["id"])
    assert (found["seq"], found["event"]["name"]) == (task["logSeq"], "heard")
    await listening.unsubscribe()
