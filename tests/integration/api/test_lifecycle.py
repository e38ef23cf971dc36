"""The transition table over REST: what a command answers, and how it is refused, in a handful of situations.

All situations stand in `docs/task-lifecycle.md` and are walked in the core; here it is status codes and bodies.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

OOPS = cmd.Failed(Problem(kind="EXIT", message="disk is full"), retryable=False)
Make = Callable[[ServedApi], Awaitable[int]]


async def ready(api: ServedApi) -> int:
    """Planned, nothing has started."""
    return int((await api.create(plan("a", "b")))["id"])


async def running(api: ServedApi) -> int:
    """The first one runs."""
    task_id = await ready(api)
    await api.claim(task_id, 1)
    return task_id


async def canceling(api: ServedApi) -> int:
    """The first one is being stopped."""
    task_id = await running(api)
    assert (await api.admin.post(f"{INSTANCES}/{task_id}/cancel")).status_code == 200
    return task_id


async def failed(api: ServedApi) -> int:
    """The first one has failed."""
    task_id = await ready(api)
    await api.finish(task_id, 1, OOPS)
    return task_id


async def prohibited(api: ServedApi) -> int:
    """It has failed, and its plan prohibits rollback."""
    body = plan("a", "b")
    body["plan"]["prohibit_rollback"] = True
    task_id = int((await api.create(body))["id"])
    await api.finish(task_id, 1, OOPS)
    return task_id


async def done(api: ServedApi) -> int:
    """Everything is done."""
    task_id = int((await api.create(plan("a")))["id"])
    await api.finish(task_id, 1)
    return task_id


async def undoing_failed(api: ServedApi) -> int:
    """A step of the rollback failed."""
    task_id = await failed(api)
    assert (await api.admin.post(f"{INSTANCES}/{task_id}/rollback")).status_code == 200
    await api.finish(task_id, 1, OOPS)
    return task_id


async def send(api: ServedApi, task_id: int, word: str) -> Any:
    """Send a command: a word, or a word of the first subtask."""
    path = f"{INSTANCES}/{task_id}"
    if word == "delete":
        return await api.admin.delete(path)
    below = f"/subtasks/{task_id * 10_000 + 1}" if word.startswith("subtask ") else ""
    return await api.admin.post(f"{path}{below}/{word.removeprefix('subtask ')}")


@pytest.mark.parametrize(
    ("make", "word", "code", "kind", "state", "operation", "allowed"),
    [
        (ready, "retry", 4007, "illegal_state", "READY", "EXECUTE", ["cancel"]),
        (ready, "delete", 4007, "illegal_state", "READY", "EXECUTE", ["cancel"]),
        (ready, "subtask cancel", 4007, "illegal_state", "READY", "EXECUTE", []),
        (running, "rollback", 4007, "illegal_state", "RUNNING", "EXECUTE", ["cancel"]),
        (running, "subtask retry", 4007, "illegal_state", "RUNNING", "EXECUTE", ["cancel"]),
        (canceling, "retry", 4007, "illegal_state", "RUNNING", "EXECUTE", ["cancel"]),
        (canceling, "subtask cancel", 4007, "illegal_state", "CANCELING", "CANCEL", []),
        (failed, "cancel", 4007, "illegal_state", "FAILED", "EXECUTE", ["retry", "skip", "rollback", "delete"]),
        (prohibited, "rollback", 4009, "rollback_prohibited", "FAILED", "EXECUTE", ["retry", "skip", "delete"]),
        (done, "cancel", 4007, "illegal_state", "SUCCESSFUL", "EXECUTE", ["delete"]),
        (done, "subtask skip", 4007, "illegal_state", "SUCCESSFUL", "EXECUTE", []),
        (undoing_failed, "retry", 4007, "illegal_state", "FAILED", "ROLLBACK", ["skip", "rollback", "delete"]),
        (undoing_failed, "subtask retry", 4007, "illegal_state", "FAILED", "ROLLBACK", ["skip"]),
    ],
)
async def test_what_is_not_legal_is_refused(
    api: ServedApi, make: Make, word: str, code: int, kind: str, state: str, operation: str, allowed: list[str]
) -> None:
    """400 with OCP's code; the target says where it stands and what is allowed now; nothing has changed."""
    task_id = await make(api)
    before = await api.log.load(task_id, fresh=True)

    error = refused(await send(api, task_id, word), 400, code)

    assert error["target"] == {"kind": kind, "state": state, "operation": operation, "allowed": allowed}
    after = await api.log.load(task_id, fresh=True)
    assert before is not None
    assert after is not None
    assert (after.version, after.seq > before.seq) == (before.version, True), "recorded, and without effect"


@pytest.mark.parametrize(
    ("make", "word", "status", "state", "direction", "operation"),
    [
        (ready, "cancel", "FAILED", "CANCELLED", "FORWARD", "EXECUTE"),
        (running, "cancel", "RUNNING", "RUNNING", "FORWARD", "EXECUTE"),
        (canceling, "cancel", "RUNNING", "RUNNING", "FORWARD", "EXECUTE"),
        (failed, "retry", "RUNNING", "RUNNING", "FORWARD", "RETRY"),
        (failed, "skip", "RUNNING", "RUNNING", "FORWARD", "EXECUTE"),
        (failed, "rollback", "RUNNING", "RUNNING", "BACKWARD", "ROLLBACK"),
        (undoing_failed, "rollback", "RUNNING", "RUNNING", "BACKWARD", "ROLLBACK"),
        (undoing_failed, "skip", "SUCCESSFUL", "SUCCESSFUL", "BACKWARD", "ROLLBACK"),
    ],
)
async def test_what_is_legal_is_answered_with_its_effect(
    api: ServedApi, make: Make, word: str, status: str, state: str, direction: str, operation: str
) -> None:
    """200 with the task as the command left it, in OCP's word and in ours."""
    answer = await send(api, await make(api), word)

    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    shown = (data["status"], data["state"], data["direction"], data["operation"])
    assert shown == (status, state, direction, operation)


async def test_what_was_deleted_is_gone(api: ServedApi) -> None:
    """Nothing is allowed on it any more, and its history stays."""
    task_id = await failed(api)
    assert (await send(api, task_id, "delete")).status_code in {200, 204}
    for word in ("retry", "skip", "rollback", "cancel", "delete", "subtask retry", "subtask skip"):
        assert (await send(api, task_id, word)).status_code in {400, 404}
    events = (await api.admin.get(f"{INSTANCES}/{task_id}/events")).json()["data"]["contents"]
    assert [entry["outcome"] for entry in events][-7:] == ["refused"] * 7
