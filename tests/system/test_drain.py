"""Draining an executor that works: what runs ends there, what follows goes elsewhere, until it works again."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually_sync
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("drain")]
EXECUTORS = "/api/v2/executors"


def executors(rest: Rest) -> dict[str, dict[str, Any]]:
    """The executors by incarnation."""
    answer = rest.http.get(EXECUTORS)
    assert answer.status_code == 200, answer.text
    return {one["incarnation"]: one for one in answer.json()["data"]["contents"]}


def test_what_follows_goes_elsewhere(tmp_path: Path) -> None:
    """The step that runs when its executor is told to drain is the last one there, however many would follow it."""
    gate = tmp_path / "gate"
    argv = ["sh", "-c", f"until [ -e {gate} ]; do sleep 0.1; done"]
    steps = [
        {"key": "first", "operation": "command.run", "params": {"argv": argv}},
        {"key": "next", "operation": "noop", "upstreams": ["first"]},
        {"key": "last", "operation": "noop", "upstreams": ["next"]},
    ]
    with Up(tmp_path, executors=2) as up, Rest(up.url, up.password) as rest:
        task = rest.create({"plan": {"subtasks": steps}})["id"]

        def busy() -> list[str]:
            return [name for name, one in executors(rest).items() if one["running"]]

        (mine,) = eventually_sync(busy, timeout=20)
        drained = rest.http.post(f"{EXECUTORS}/{mine}/drain").json()["data"]
        assert (drained["draining"], drained["busy"], drained["drainedBy"]) == (True, 1, "admin")
        gate.touch()
        subtasks = rest.ended(task)["subtasks"]

        assert [one["status"] for one in subtasks] == ["SUCCESSFUL"] * 3
        assert subtasks[0]["executor"] == drained["name"]
        assert drained["name"] not in {one["executor"] for one in subtasks[1:]}
        eventually_sync(lambda: executors(rest)[mine]["busy"] == 0, timeout=20)

        (other,) = set(executors(rest)) - {mine}
        rest.http.post(f"{EXECUTORS}/{mine}/resume")
        rest.http.post(f"{EXECUTORS}/{other}/drain")
        again = rest.ended(rest.create({"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}})["id"])
        assert again["subtasks"][0]["executor"] == drained["name"]
