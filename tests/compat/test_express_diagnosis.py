"""The diagnosis zip of OCP Express: one line per subtask, one log per run, and no memory for what is large."""

import io
import tracemalloc
from typing import Any
from zipfile import ZipFile

import pytest

from shared.task import commands as cmd
from tests.compat import scenes, wire
from tests.compat.scenes import V1
from tests.integration.api.harness import ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def downloaded(api: ServedApi, task: int) -> ZipFile:
    """The zip, found to be whole."""
    answer = await api.admin.post(f"{V1}/{task}/downloadDiagnosis", headers={"Accept": "*/*"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="task_{task}.zip"'
    found = ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    return found


async def test_it_has_every_subtask_and_every_run(api: ServedApi) -> None:
    """Subtasks stand behind what they depend on; a run's file has its separator, its lines and its end."""
    task = await scenes.created(api)
    await scenes.fail(api, task, 1)
    await api.say(task, 1, "first try")
    await api.admin.post(f"{V1}/{task}/retry")
    await api.finish(task, 1)
    await api.say(task, 1, "second try", generation=2, attempt=2)
    found = await downloaded(api, task)
    base = task * 10_000
    assert found.namelist() == ["task_info.txt", f"subtask_{base + 1}_1.log", f"subtask_{base + 1}_2.log"]
    assert found.read("task_info.txt").decode().splitlines() == [
        f"Subtask: {base + 1}, State: SUCCESSFUL, Dependencies: []",
        f"Subtask: {base + 2}, State: READY, Dependencies: [{base + 1}]",
        f"Subtask: {base + 3}, State: PENDING, Dependencies: [{base + 2}]",
    ]
    for number, operation, said, state in ((1, "EXECUTE", "first", "FAILED"), (2, "RETRY", "second", "SUCCESSFUL")):
        text = found.read(f"subtask_{base + 1}_{number}.log").decode()
        (run,) = wire.runs(text)
        assert run.operation == operation
        assert run.lines[0].endswith(f"{said} try")
        assert run.lines[-1].endswith(f"state: {state}")


async def test_what_goes_with_a_run_stands_in_its_file(api: ServedApi) -> None:
    """Undoing before a retry belongs to the run that follows, rolling back to the last one (R5, R8)."""
    plan = {"subtasks": [{"key": "a", "operation": "noop", "undo": {"operation": "noop"}}]}
    task = (await api.create({"plan": plan}))["id"]
    await scenes.fail(api, task, 1)
    await api.admin.post(f"{V1}/{task}/retry")
    await api.finish(task, 1, cmd.Undone())
    await scenes.fail(api, task, 1)
    await api.admin.post(f"{V1}/{task}/rollback")
    await api.finish(task, 1, cmd.Undone())
    found = await downloaded(api, task)
    base = task * 10_000 + 1
    runs = {name: [run.operation for run in wire.runs(found.read(name).decode())] for name in found.namelist()[1:]}
    assert runs == {f"subtask_{base}_1.log": ["EXECUTE"], f"subtask_{base}_2.log": ["RETRY", "RETRY", "ROLLBACK"]}


async def test_a_plan_written_backwards_is_listed_forwards(api: ServedApi) -> None:
    """The order is that of the edges, not of the ids."""
    nodes: list[dict[str, Any]] = [
        {"key": "last", "operation": "noop", "upstreams": ["first"]},
        {"key": "first", "operation": "noop"},
    ]
    task = (await api.create({"plan": {"subtasks": nodes}}))["id"]
    lines = (await downloaded(api, task)).read("task_info.txt").decode().splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Subtask: {task * 10_000 + number}" for number in (2, 1)]


async def test_lines_of_an_unknown_run_are_not_lost(api: ServedApi) -> None:
    """What an attempt printed whose claim was never stored, and a batch that cannot be read, are in the zip."""
    task = await scenes.failed(api)
    await api.say(task, 2, "from nowhere", generation=9, attempt=9)
    await api.logs.append(task, 2, b"not json")
    text = (await downloaded(api, task)).read(f"subtask_{task * 10_000 + 2}_1.log").decode()
    assert "from nowhere" in text
    assert "8 bytes of log cannot be read" in text


async def test_a_task_without_subtasks_has_a_zip(api: ServedApi) -> None:
    """Its only file is empty."""
    task = (await api.create({"type": "greeting", "params": {"name": "a"}}))["id"]
    found = await downloaded(api, task)
    assert (found.namelist(), found.read("task_info.txt")) == (["task_info.txt"], b"")


async def test_large_logs_take_little_memory(api: ServedApi) -> None:
    """40 MB of lines pass through with 5 MB in use at a time."""
    task = await scenes.failed(api)
    for _ in range(640):
        await api.say(task, 2, *["x" * 1000] * 64, attempt=1)
    tracemalloc.start()
    try:
        size = 0
        async with api.admin.stream("POST", f"{V1}/{task}/downloadDiagnosis") as answer:
            async for piece in answer.aiter_raw():
                size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 10_000
    assert peak < 12 * 1024 * 1024, peak
