"""Executors and queues over REST: who is alive, what waits, and what comes of a wish to drain."""

import pytest

from services.api.access import Role
from services.api.rest.schemas import Answer
from services.api.rest.shapes_fleet import ExecutorShape, ExecutorsShape, QueuesShape
from shared.task.ids import subtask_id
from tests.integration.api.executor import Executor
from tests.integration.api.harness import ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/api/v2/executors"


async def listed(client: object) -> list[ExecutorShape]:
    """The executors as somebody sees them."""
    answer = await client.get(PATH)  # type: ignore[attr-defined]  # a client
    return Answer[ExecutorsShape].model_validate_json(answer.content).data.contents


async def test_executors_are_listed_with_what_they_run(api: ServedApi) -> None:
    """Each caller sees the runs of the tasks that the caller may see; the number of slots taken is everybody's."""
    red = int((await api.create(plan(labels={"team": "red"})))["id"])
    blue = int((await api.create(plan(labels={"team": "blue"})))["id"])
    running = [
        {"task": red, "subtask": 1, "fence": 1, "progress": [0.5, "half"]},
        {"task": blue, "subtask": 2, "fence": 2},
    ]
    viewer = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"blue"}), name="blue-fleet")
    async with Executor(api, "1-aa", running=running, held=2, version="9.9"):
        (seen,) = await listed(api.admin)
        (bounded,) = await listed(viewer)

    assert (seen.name, seen.version, seen.busy, seen.slots, seen.draining) == ("named-1-aa", "9.9", 2, 4, False)
    assert [(run.task, run.subtask, run.progress, run.note) for run in seen.running] == [
        (red, subtask_id(red, 1), 0.5, "half"),
        (blue, subtask_id(blue, 2), None, None),
    ]
    assert [run.task for run in bounded.running] == [blue]
    assert bounded.busy == 2
    assert await listed(api.admin) == []


async def test_an_executor_drains_and_takes_work_again(api: ServedApi) -> None:
    """The answer is what it says itself; who asked is told to everybody."""
    async with Executor(api, "2-bb"):
        drained = await api.admin.post(f"{PATH}/2-bb/drain")
        resumed = await api.admin.post(f"{PATH}/2-bb/resume")

    found = Answer[ExecutorShape].model_validate_json(drained.content).data
    assert (found.draining, found.drained_by) == (True, "admin")
    assert not Answer[ExecutorShape].model_validate_json(resumed.content).data.draining


async def test_what_cannot_be_done_is_said(api: ServedApi) -> None:
    """One that is not alive, one that does not answer, and somebody who may not ask."""
    manager = await api.bearer(Role.TASK_MANAGER, name="fleet-manager")
    async with Executor(api, "3-cc", deaf=True):
        refused(await manager.post(f"{PATH}/3-cc/drain"), 403, 3100)
        error = refused(await api.admin.post(f"{PATH}/3-cc/drain"), 503, 1006)

    assert error["target"] == {"effect": "unknown"}
    for gone in ("3-cc", "a.b", "*", "x" * 200):
        refused(await api.admin.post(f"{PATH}/{gone}/drain"), 404, 1002)


async def test_queues_say_what_waits(api: ServedApi) -> None:
    """For whom nobody works, too; which task waits longest is for those who see all teams."""
    body = {"plan": {"subtasks": [{"key": "a", "operation": "noop", "pool": "nowhere"}]}, "labels": {"team": "red"}}
    task = int((await api.create(body))["id"])
    viewer = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}), name="red-fleet")

    seen, bounded = [
        Answer[QueuesShape].model_validate_json((await client.get("/api/v2/queues")).content).data.contents
        for client in (api.admin, viewer)
    ]

    (far,) = [one for one in seen if one.pool == "nowhere"]
    assert (far.waiting, far.in_hand, far.oldest_task) == (1, 0, task)
    assert far.oldest_at is not None
    assert "default" in {one.pool for one in seen}
    assert {one.oldest_task for one in bounded} == {None}
