"""Commands over REST: decided at once, refused with what is allowed, previewed without a trace."""

import asyncio
from typing import Any

import pytest

from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.ids import subtask_id
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def failed(api: ServedApi, **more: Any) -> str:
    """The path of a task whose first subtask failed."""
    task = (await api.admin.post(INSTANCES, json=plan("a", "b", **more))).json()["data"]
    await api.finish(task["id"], 1, cmd.Failed(Problem(kind="EXIT", message="disk is full")))
    return f"{INSTANCES}/{task['id']}"


async def test_a_failed_task_is_retried(api: ServedApi) -> None:
    """The answer is the task as it is now; its version and position are in the headers."""
    path = await failed(api)
    answer = await api.admin.post(f"{path}/retry", json={"reason": "disk emptied"})
    data = answer.json()["data"]
    assert (answer.status_code, data["status"], data["operation"]) == (200, "RUNNING", "RETRY")
    assert answer.headers["ETag"] == f'"{data["version"]}"'
    events = (await api.admin.get(f"{path}/events")).json()["data"]["contents"]
    assert (events[-1]["reason"], events[-1]["by"]["name"]) == ("disk emptied", "admin")


async def test_a_refusal_says_what_is_allowed(api: ServedApi) -> None:
    """400 with OCP's code, the state and the legal commands."""
    path = await failed(api)
    await api.admin.post(f"{path}/rollback")
    answer = await api.admin.post(f"{path}/retry")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, 4007)
    assert "retry" not in error["target"]["allowed"]


async def test_a_dry_run_leaves_no_trace(api: ServedApi) -> None:
    """It names the events and the subtasks, and the log stays as it is."""
    path = await failed(api)
    before = (await api.admin.get(f"{path}/events")).json()["data"]["contents"]
    shown = (await api.admin.post(f"{path}/retry?dry_run=true")).json()["data"]
    assert (shown["accepted"], [event["type"] for event in shown["events"]]) == (True, ["task.retried"])
    assert shown["subtasks"][0]["before"]["status"] == "FAILED"
    assert shown["subtasks"][0]["after"] == {"status": "READY", "operation": "RETRY"}
    refused = (await api.admin.post(f"{path}/cancel?dry_run=1")).json()["data"]
    assert (refused["accepted"], refused["refusal"]["code"]) == (False, 4007)
    assert (await api.admin.get(f"{path}/events")).json()["data"]["contents"] == before


async def test_a_dry_run_on_what_is_not_there_is_404(api: ServedApi) -> None:
    """As the command itself would be: there is nothing to decide on."""
    path = await failed(api)
    missing = f"{path}/subtasks/{subtask_id(int(path.rpartition('/')[2]), 9)}/retry"
    asked = [await api.admin.post(missing, params={"dry_run": given}) for given in ("true", "false")]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in asked] == [(404, 4001)] * 2


async def test_a_stale_version_is_412(api: ServedApi) -> None:
    """If-Match counts commits that changed the state."""
    path = await failed(api)
    version = (await api.admin.get(path, params={"min_seq": await api.last_seq()})).headers["ETag"]
    assert (await api.admin.post(f"{path}/retry", headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.admin.post(f"{path}/retry", headers={"If-Match": version})).status_code == 200


async def test_a_key_is_used_once(api: ServedApi) -> None:
    """The same key answers the first outcome again; with another command it is 409."""
    path = await failed(api)
    first = await api.admin.post(f"{path}/skip", headers={"Idempotency-Key": "k1"})
    again = await api.admin.post(f"{path}/skip", headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await api.admin.post(f"{path}/cancel", headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, 4011)


async def test_subtask_answers_are_ocps(api: ServedApi) -> None:
    """A retry answers the subtask, a skip no data at all, unless it is asked for."""
    path = await failed(api)
    subtask = f"{path}/subtasks/{int(path.rpartition('/')[2]) * 10_000 + 1}"
    retried = (await api.admin.post(f"{subtask}/retry")).json()
    assert (retried["data"]["status"], retried["data"]["operation"]) == ("READY", "RETRY")
    path = await failed(api)
    subtask = f"{path}/subtasks/{int(path.rpartition('/')[2]) * 10_000 + 1}"
    skipped = (await api.admin.post(f"{subtask}/skip")).json()
    assert (skipped["successful"], "data" in skipped) == (True, False)


async def test_a_reason_is_a_readable_text(api: ServedApi) -> None:
    """In the body or in the query; what does not fit names its place, and two different ones are refused."""
    path = await failed(api)
    refused(await api.admin.post(f"{path}/retry", json={"reason": "x" * 501}), 422, 1001)
    refused(await api.admin.post(f"{path}/retry", json={"reason": "a\u202eb"}), 422, 1001)
    refused(await api.admin.post(f"{path}/retry", json={"why": "x"}), 422, 1001)
    refused(await api.admin.post(f"{path}/retry", params={"reason": "x" * 501}), 400, 1001)
    refused(await api.admin.post(f"{path}/retry", params={"reason": "a"}, json={"reason": "b"}), 400, 1001)
    assert (await api.admin.post(f"{path}/retry", params={"reason": "a"})).status_code == 200


async def test_bodies_as_ocp_clients_send_them(api: ServedApi) -> None:
    """None at all, with an empty JSON type, an empty object: all are fine."""
    ways: list[dict[str, Any]] = [
        {},
        {"headers": {"Content-Type": "application/json"}},
        {"json": {}},
        {"content": b"null"},
    ]
    for sent in ways:
        path = await failed(api)
        assert (await api.admin.post(f"{path}/retry", **sent)).status_code == 200


async def test_of_two_commands_at_once_one_wins(api: ServedApi) -> None:
    """Three commands race: one takes effect, the others are refused and recorded (B13)."""
    path = await failed(api)
    answers = await asyncio.gather(*(api.admin.post(f"{path}/{word}") for word in ("retry", "rollback", "skip")))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    events = (await api.admin.get(f"{path}/events")).json()["data"]["contents"]
    assert [entry["outcome"] for entry in events if entry["by"]["kind"] == "user"][1:].count("refused") == 2


async def test_a_list_shows_what_its_caller_just_did(api: ServedApi) -> None:
    """Without `min_seq` too: a program that retries and lists at once does not find its task among the failed ones."""
    for _ in range(5):
        path = await failed(api)
        await api.admin.post(f"{path}/retry")
        listed = (await api.admin.get(INSTANCES, params={"state": "FAILED"})).json()["data"]["contents"]
        assert int(path.rpartition("/")[2]) not in [task["id"] for task in listed]
