"""Commands over the bus: signed, decided as over REST, answered where the producer wants it and on `results`."""

import asyncio
from typing import Any

import pytest

from services.api.access import Role
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import api as jetstream
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.ids import subtask_id
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.bus.producer import producer
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def failed(api: ServedApi, **more: Any) -> int:
    """A task whose first subtask failed."""
    task_id: int = (await api.create(plan("a", "b", **more)))["id"]
    await api.finish(task_id, 1, cmd.Failed(Problem(kind="EXIT", message="disk is full")))
    return task_id


async def waiting(api: ServedApi) -> int:
    """How many commands the stream holds."""
    return int((await jetstream(api.nats, f"STREAM.INFO.{subjects.COMMANDS}"))["state"]["messages"])


async def test_a_task_is_created(api: ServedApi) -> None:
    """The answer says which; the same is told on `results`; the message is gone from the stream."""
    sender = await producer(api)
    async with sender.inbox("results.*") as results:
        answer = await sender.ask("create", plan(name="from the bus"), key="bus-1")
        assert await results.next() == answer
    assert (answer["status"], answer["command"], answer["key"], answer["state"]) == (201, "create", "bus-1", "READY")
    shown = (await api.admin.get(f"{INSTANCES}/{answer['task']}")).json()["data"]
    assert shown["name"] == "from the bus"
    events = (await api.admin.get(f"{INSTANCES}/{answer['task']}/events")).json()["data"]["contents"]
    assert (events[0]["by"]["via"], events[0]["seq"]) == ("bus", answer["seq"])
    await eventually(lambda: _none(api))


async def _none(api: ServedApi) -> bool:
    return await waiting(api) == 0


@pytest.mark.parametrize(
    ("word", "state"),
    [("retry", "RUNNING"), ("skip", "RUNNING"), ("rollback", "RUNNING"), ("delete", "FAILED")],
)
async def test_every_command_on_a_failed_task(api: ServedApi, word: str, state: str) -> None:
    """Decided as over REST, with reason and author in the history."""
    sender, task_id = await producer(api), await failed(api)
    answer = await sender.ask(word, {"task": task_id, "reason": "disk emptied"})
    assert (answer["status"], answer["task"], answer["state"]) == (200, task_id, state), answer
    events = (await api.admin.get(f"{INSTANCES}/{task_id}/events")).json()["data"]["contents"]
    assert (events[-1]["reason"], events[-1]["by"]["via"]) == ("disk emptied", "bus")


@pytest.mark.parametrize("word", ["retry", "skip"])
async def test_a_failed_subtask(api: ServedApi, word: str) -> None:
    """`subtask` is the id that REST shows."""
    sender, task_id = await producer(api), await failed(api)
    answer = await sender.ask(word, {"task": task_id, "subtask": subtask_id(task_id, 1)})
    assert (answer["status"], answer["state"]) == (200, "RUNNING"), answer


async def test_cancel_of_a_task_and_of_a_subtask(api: ServedApi) -> None:
    """Both are answered at once."""
    sender = await producer(api)
    task_id = (await api.create(plan()))["id"]
    await api.claim(task_id, 1)
    answer = await sender.ask("cancel", {"task": task_id, "subtask": subtask_id(task_id, 1)})
    assert answer["status"] == 200, answer
    other = (await api.create(plan()))["id"]
    answer = await sender.ask("cancel", {"task": other})
    assert (answer["status"], answer["state"]) == (200, "CANCELLED"), answer


async def test_a_refusal_says_what_is_allowed(api: ServedApi) -> None:
    """OCP's code and the legal commands, as over REST; it is kept in the history and not set aside."""
    sender, task_id = await producer(api), (await api.create(plan()))["id"]
    answer = await sender.ask("retry", {"task": task_id})
    assert (answer["status"], answer["error"]["code"]) == (400, 4007)
    assert "cancel" in answer["error"]["target"]["allowed"]
    events = (await api.admin.get(f"{INSTANCES}/{task_id}/events")).json()["data"]["contents"]
    assert events[-1]["outcome"] == "refused"


async def test_a_stale_version_is_412(api: ServedApi) -> None:
    """`version` is what REST calls If-Match."""
    sender, task_id = await producer(api), await failed(api)
    shown = await api.admin.get(f"{INSTANCES}/{task_id}", params={"min_seq": await api.last_seq()})
    version = int(shown.headers["ETag"].strip('"'))
    assert (await sender.ask("retry", {"task": task_id, "version": version - 1}))["status"] == 412
    assert (await sender.ask("retry", {"task": task_id, "version": version}))["status"] == 200


async def test_a_key_is_used_once_whichever_door(api: ServedApi) -> None:
    """The second use gets the first answer, and 409 with another command."""
    sender, task_id = await producer(api), await failed(api)
    first = await sender.ask("skip", {"task": task_id}, key="k-1")
    again = await sender.ask("skip", {"task": task_id}, key="k-1")
    assert (first["status"], again["status"], again.get("replayed")) == (200, 200, True)
    other = await sender.ask("rollback", {"task": task_id}, key="k-1")
    assert (other["status"], other["error"]["code"]) == (409, 4011)


async def test_a_message_sent_again_is_the_same_command(api: ServedApi) -> None:
    """Without a key it is derived from the signature: whoever copies the message creates nothing (B21)."""
    sender, date = await producer(api), now().isoformat()
    first = await sender.ask("create", plan(name="once"), date=date)
    again = await sender.ask("create", plan(name="once"), date=date)
    assert (again["status"], again["task"], again["replayed"]) == (201, first["task"], True)
    assert first["key"] == again["key"]


async def test_roles_and_teams_are_those_of_rest(api: ServedApi) -> None:
    """A viewer commands nothing; another team's task does not exist; a team's creation belongs to the team."""
    viewer, operator = await producer(api, Role.TASK_VIEWER), await producer(api, Role.TASK_OPERATOR)
    task_id = await failed(api)
    for sender, word in ((viewer, "retry"), (operator, "delete"), (operator, "create")):
        answer = await sender.ask(word, plan() if word == "create" else {"task": task_id})
        assert (answer["status"], answer["error"]["code"]) == (403, 3100)
    assert (await operator.ask("retry", {"task": task_id}))["status"] == 200
    ours = await producer(api, teams=["blue"])
    hidden, missing = await ours.ask("cancel", {"task": task_id}), await ours.ask("cancel", {"task": 999_999})
    assert (hidden["status"], missing["status"]) == (404, 404)
    made = await ours.ask("create", plan(name="blue's"))
    shown = (await api.admin.get(f"{INSTANCES}/{made['task']}")).json()["data"]
    assert shown["labels"] == {"team": "blue"}
    assert (await ours.ask("cancel", {"task": made["task"]}))["status"] == 200


async def test_commands_of_one_task_keep_their_order(api: ServedApi) -> None:
    """Sent without waiting for answers, one process decides them in the order of the stream."""
    sender = await producer(api)
    task_id = (await api.create(plan()))["id"]
    words = ["cancel", "retry", "cancel", "retry", "cancel"]
    async with sender.inbox() as inbox:
        for place, word in enumerate(words):
            await sender.send(word, {"task": task_id}, key=f"{task_id}-{place}", reply_to=inbox.subject)
        answers = [await inbox.next() for _ in words]
    assert [answer["command"] for answer in answers] == words
    assert {answer["status"] for answer in answers} == {200}, answers


async def test_many_at_once(api: ServedApi) -> None:
    """Two hundred creations, each answered once and none twice created."""
    sender = await producer(api)
    answers = await asyncio.gather(*(sender.ask("create", plan(name=f"n{place}")) for place in range(200)))
    assert {answer["status"] for answer in answers} == {201}
    assert len({answer["task"] for answer in answers}) == 200
