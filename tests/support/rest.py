"""A REST client for system tests: as a user's program would speak, with the envelope opened."""

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.support.eventually import eventually_sync

ENDED = {"SUCCESSFUL", "FAILED", "CANCELLED"}


class Rest:
    """One user at one API."""

    def __init__(self, url: str, password: str, *, user: str = "admin") -> None:
        self.http = httpx2.Client(base_url=url, auth=(user, password), timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def create(self, body: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Create a task and return its details; anything but 201 fails the test."""
        answer = self.post(body, key=key)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def post(self, body: Mapping[str, Any], *, key: str | None = None) -> httpx2.Response:
        """Ask for a task and return whatever is answered."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.http.post("/api/v2/tasks/instances", json=body, headers=headers)

    def task(self, task_id: int) -> dict[str, Any]:
        """Return a task's details."""
        answer = self.http.get(f"/api/v2/tasks/instances/{task_id}")
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def ended(self, task_id: int, *, timeout: float = 60) -> dict[str, Any]:
        """Wait until the task has ended and return its details."""
        found: dict[str, Any] = {}

        def check() -> bool:
            with suppress(httpx2.TransportError):
                found.update(self.task(task_id))
            return found.get("state") in ENDED

        eventually_sync(check, timeout=timeout, what=f"task {task_id} ends")
        return found

    def events(self, task_id: int) -> list[dict[str, Any]]:
        """Return all decisions of a task, in order."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            answer = self.http.get(f"/api/v2/tasks/instances/{task_id}/events", params={"after": after, "size": 1000})
            assert answer.status_code == 200, answer.text
            data = answer.json()["data"]
            found.extend(data["contents"])
            if not data.get("next"):
                return found
            after = data["next"]

    def log(self, task_id: int, subtask_id: int) -> str:
        """Return what a subtask printed, in OCP's form."""
        answer = self.http.get(f"/api/v2/tasks/instances/{task_id}/subtasks/{subtask_id}/log")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["log"])
