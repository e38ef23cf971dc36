"""Schemathesis over the addresses of synchronisation tasks, ours and Huawei's, with a task that is there."""

from pathlib import Path

import pytest

from tests.compat.huawei import offer
from tests.integration.api.harness import ServedApi
from tests.integration.api.test_fuzz import checked
from tests.integration.sync.stores import LISTS, Folder
from tests.integration.sync.told import Known, telling

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS = "--include-path-regex=^(/v2/|/api/v2/sync-tasks)"


async def test_examples_of_synchronisation_tasks(api: ServedApi, tmp_path: Path) -> None:
    """No 5xx, no answer that the document does not name, whatever state the calls leave the task in."""
    await offer(api)
    params = {"source": "src", "destination": "dst"}
    made = await api.create({"type": "object.sync", "params": params, "labels": {"team": "p"}})
    known: dict[str, object] = {"project_id": "p", "sync_task_id": str(made["id"]), "task_id": made["id"]}
    destination = Folder.new(tmp_path / "destination")
    destination.put(f"{LISTS}/{made['id']}/object_lists/8-2-1.txt", b"a\n")
    async with telling(api.nats, Known(destination.connection("dst"), team="p")):
        await checked(api, tmp_path, known, "--phases=examples,coverage,fuzzing", "--max-examples=10", OURS)
