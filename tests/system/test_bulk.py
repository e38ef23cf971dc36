"""A bulk command on real processes: paced, its executor killed in the middle, every target commanded once."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually_sync
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = pytest.mark.timeout(180)
INSTANCES = "/api/v2/tasks/instances"
TARGETS = 30


def breaks(flag: Path) -> dict[str, Any]:
    """A body whose one subtask fails until the file is there."""
    params = {"argv": ["test", "-e", str(flag)]}
    node = {"key": "a", "operation": "command.run", "params": params, "delivery": "at_least_once"}
    return {"name": "Broken", "plan": {"subtasks": [node]}}


def retries(rest: Rest, task_id: int) -> list[dict[str, Any]]:
    """The decisions that retried a task."""
    return [
        entry for entry in rest.events(task_id) if any(event["type"] == "task.retried" for event in entry["events"])
    ]


def items(rest: Rest, task_id: int) -> list[dict[str, Any]]:
    """The answers of a bulk command."""
    found = rest.http.get(f"{INSTANCES}/{task_id}/items", params={"size": 1000})
    assert found.status_code == 200, found.text
    contents: list[dict[str, Any]] = found.json()["data"]["contents"]
    return contents


@pytest.mark.long
def test_a_killed_executor_retries_nobody_twice_and_forgets_nobody(tmp_path: Path) -> None:
    """Thirty failed tasks, ten a second, kill -9 in the middle: one retry each, and an answer for each."""
    flag = tmp_path / "mended"
    with Up(tmp_path, executors=0) as up, Rest(up.url, up.password) as rest, up.joined("executor") as first:
        ids = [rest.create(breaks(flag))["id"] for _ in range(TARGETS)]
        for task_id in ids:
            assert rest.ended(task_id)["state"] == "FAILED"
        flag.touch()

        seq = rest.task(ids[-1])["logSeq"]
        answer = rest.http.post(
            f"{INSTANCES}:retry",
            params={"name": "Broken", "state": "FAILED", "min_seq": seq},
            json={"reason": "mended", "pace": 600},
        )
        assert answer.status_code == 201, answer.text
        bulk = answer.json()["data"]["id"]
        eventually_sync(
            lambda: any(retries(rest, task_id) for task_id in ids[-8:-5]), timeout=30, what="eight are done"
        )
        first.kill()
        first.wait()
        done = sum(bool(retries(rest, task_id)) for task_id in ids)
        assert 0 < done < TARGETS
        with up.joined("executor"):
            assert rest.ended(bulk)["state"] == "SUCCESSFUL"
            assert [rest.ended(task_id)["state"] for task_id in ids] == ["SUCCESSFUL"] * TARGETS

        for task_id in ids:
            (once,) = retries(rest, task_id)
            assert (once["by"], once["reason"]) == ({"kind": "user", "name": "admin", "via": "bulk"}, "mended")
        assert [(item["task"], item["status"]) for item in items(rest, bulk)] == [(found, 200) for found in ids[::-1]]
        audit = rest.http.get("/api/v2/audit", params={"via": "bulk", "command": "retry"}).json()["data"]["contents"]
        assert {entry["task"] for entry in audit} == set(ids)
        assert len(audit) == TARGETS
        verified = up.run("projection", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
