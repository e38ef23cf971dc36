"""Tasks in the states that clients meet them in; the test plays the executor."""

from typing import Any

from shared.task import commands as cmd
from shared.task.events import Problem
from tests.compat import wire
from tests.integration.api.harness import INSTANCES, ServedApi

V1 = "/api/v1/tasks/instances"
PLAN = {
    "subtasks": [
        {"key": "prepare", "operation": "noop"},
        {"key": "install", "operation": "noop", "upstreams": ["prepare"]},
        {"key": "check", "operation": "noop", "upstreams": ["install"]},
    ]
}


async def created(api: ServedApi, **more: Any) -> int:
    """The id of a new task of three steps in a row."""
    return int((await api.create({"plan": PLAN, **more}))["id"])


async def running(api: ServedApi, **more: Any) -> int:
    """The id of a task whose first step runs."""
    task = await created(api, **more)
    await api.claim(task, 1)
    return task


async def failed(api: ServedApi, **more: Any) -> int:
    """The id of a task whose second step failed."""
    task = await created(api, **more)
    await api.finish(task, 1)
    await fail(api, task, 2)
    return task


async def fail(api: ServedApi, task: int, number: int) -> int:
    """Let a step fail; the log position of that."""
    return await api.finish(task, number, cmd.Failed(Problem(kind="EXIT_CODE", message="disk is full")))


async def rolled_back(api: ServedApi, **more: Any) -> int:
    """The id of a task that failed in its first step and was rolled back."""
    task = await created(api, **more)
    await fail(api, task, 1)
    answer = await api.admin.post(f"{INSTANCES}/{task}/rollback")
    assert answer.status_code == 200, answer.text
    await api.finish(task, 1, cmd.Undone())
    return task


def step(task: int, number: int) -> str:
    """The address of a step in v2."""
    return f"{INSTANCES}/{task}/subtasks/{task * 10_000 + number}"


async def shown(api: ServedApi, task: int, **query: Any) -> dict[str, Any]:
    """A task's details, up to date."""
    query["min_seq"] = await api.last_seq()
    found: dict[str, Any] = wire.data(await api.admin.get(f"{INSTANCES}/{task}", params=query))
    return found


async def listed(api: ServedApi, path: str = INSTANCES, **query: Any) -> dict[str, Any]:
    """A page of the list, up to date."""
    query["min_seq"] = await api.last_seq()
    found: dict[str, Any] = wire.data(await api.admin.get(path, params=query))
    return found
