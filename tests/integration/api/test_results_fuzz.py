"""Schemathesis over the routes of results, on a task that has some: no 5xx, nothing that the document does not name."""

import json
from pathlib import Path

import pytest

from shared.store.objects import Results
from shared.task import commands as cmd
from tests.integration.api.harness import ServedApi, plan
from tests.integration.api.test_fuzz import checked

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_examples_of_results(api: ServedApi, tmp_path: Path) -> None:
    """Good and bad pages, statements and files."""
    task = int((await api.create(plan("script")))["id"])
    file = await Results(api.nats).put(f"{task}-1-1-1/1.jsonl", json.dumps([1, None, "x"]).encode() + b"\n")
    column = {"name": "a", "type": ""}
    one = {"index": 1, "sql": "SELECT", "columns": [column] * 3, "rows": 1, "truncated": False, "file": file}
    await api.finish(task, 1, cmd.Succeeded({"kind": "sql", "records": [], "results": [one]}))
    found = await api.admin.get(f"/api/v2/tasks/instances/{task}/results")
    assert found.json()["data"]["results"][0]["files"][0]["name"] == "1.jsonl"
    known: dict[str, object] = {"task_id": task, "subtask_id": task * 10_000 + 1, "index": 1, "name": "1.jsonl"}
    only = "--include-path-regex=/(results|files)(/|$)"
    await checked(api, tmp_path, known, "--phases=examples,coverage,fuzzing", "--max-examples=5", only)
