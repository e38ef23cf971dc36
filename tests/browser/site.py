"""A whole installation to look at with a browser: `opsledger up` with real executors, and tasks made over REST.

One per test process, shared by its tests: none may take it for empty, each makes its own tasks.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import httpx2

from tests.support.eventually import eventually
from tests.support.up import Up

INSTANCES = "/api/v2/tasks/instances"
_numbers = itertools.count(1)


class Site:
    """The installation and a REST client of its administrator."""

    def __init__(self, up: Up, rest: httpx2.AsyncClient) -> None:
        self.up = up
        self.rest = rest

    @property
    def url(self) -> str:
        """Where the console is."""
        return self.up.url

    async def create(self, *subtasks: Mapping[str, Any], name: str | None = None, **more: Any) -> int:
        """Create a task with its own plan; return its id. A subtask is {key, operation, params?, upstreams?, ...}."""
        body = {"name": name or f"task {next(_numbers)}", "plan": {"subtasks": list(subtasks)}, **more}
        return await self.make(body)

    async def make(self, body: Mapping[str, Any]) -> int:
        """Create what the body asks for; return the task's id."""
        answer = await self.rest.post(INSTANCES, json=dict(body))
        assert answer.status_code == 201, answer.text
        return int(answer.json()["data"]["id"])

    async def task(self, task_id: int) -> dict[str, Any]:
        """The task as REST shows it now."""
        answer = await self.rest.get(f"{INSTANCES}/{task_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def ended(self, task_id: int, status: str = "SUCCESSFUL", *, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until the task has this status in OCP's words (SUCCESSFUL, FAILED, RUNNING ...); return it."""

        async def there() -> dict[str, Any]:
            found = await self.task(task_id)
            return found if found["status"] == status else {}

        found: dict[str, Any] = await eventually(there, timeout=timeout, what=f"task {task_id} is {status}")
        return found


def shell(key: str, script: str, upstreams: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """A subtask that runs a shell script."""
    return {
        "key": key,
        "operation": "command.run",
        "params": {"argv": ["sh", "-c", script]},
        "upstreams": list(upstreams),
        **more,
    }
