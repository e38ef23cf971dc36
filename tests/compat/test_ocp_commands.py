"""OCP's commands: what each answers, when it is legal, with which code it is refused, and who may give it."""

import pytest

from services.api.access import Role
from tests.compat import scenes, wire
from tests.integration.api.harness import INSTANCES, ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_task_is_retried(api: ServedApi) -> None:
    """The task comes back RUNNING with operation RETRY; its failed step is READY, the done one as it was."""
    task = await scenes.failed(api)
    found = wire.data(await api.admin.post(f"{INSTANCES}/{task}/retry"))
    wire.task(found)
    assert (found["status"], found["operation"]) == ("RUNNING", "RETRY")
    steps = [(step["status"], step["operation"]) for step in found["subtasks"]]
    assert steps == [("SUCCESSFUL", "EXECUTE"), ("READY", "RETRY"), ("PENDING", "EXECUTE")]


async def test_a_client_that_polls_at_once_sees_its_retry(api: ServedApi) -> None:
    """Details never show FAILED again after a retry was answered, without a position to wait for."""
    task = await scenes.failed(api)
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/retry"))
    assert wire.data(await api.admin.get(f"{INSTANCES}/{task}"))["status"] == "RUNNING"


async def test_a_task_is_rolled_back(api: ServedApi) -> None:
    """The whole task comes back, RUNNING with operation ROLLBACK (specification §8)."""
    task = await scenes.failed(api)
    found = wire.data(await api.admin.post(f"{INSTANCES}/{task}/rollback"))
    wire.task(found)
    assert (found["status"], found["operation"]) == ("RUNNING", "ROLLBACK")


async def test_a_subtask_is_retried(api: ServedApi) -> None:
    """The subtask comes back, READY with operation RETRY; the task's own operation stays (R5)."""
    task = await scenes.failed(api)
    found = wire.data(await api.admin.post(f"{scenes.step(task, 2)}/retry"))
    wire.holds(found, wire.SUBTASK, wire.SUBTASK_LATER)
    assert (found["id"], found["status"], found["operation"]) == (task * 10_000 + 2, "READY", "RETRY")
    shown = wire.data(await api.admin.get(f"{INSTANCES}/{task}"))
    assert (shown["status"], shown["operation"]) == ("RUNNING", "EXECUTE")


async def test_skip_and_cancel_answer_no_data(api: ServedApi) -> None:
    """Nothing but the envelope; the step is done, or on its way to its end."""
    task = await scenes.failed(api)
    wire.no_data(await api.admin.post(f"{scenes.step(task, 2)}/skip"))
    skipped = wire.data(await api.admin.get(f"{INSTANCES}/{task}"))["subtasks"][1]
    assert (skipped["status"], skipped["operation"]) == ("SUCCESSFUL", "SKIP")
    task = await scenes.running(api)
    wire.no_data(await api.admin.post(f"{scenes.step(task, 1)}/cancel"))
    assert wire.data(await api.admin.get(f"{INSTANCES}/{task}"))["subtasks"][0]["status"] == "CANCELING"


async def test_a_skip_in_a_rollback_is_a_skip(api: ServedApi) -> None:
    """v2 has five operations; what OCP Express calls ROLLBACK_SKIP is SKIP and PENDING (specification §8)."""
    task = await scenes.failed(api)
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/rollback"))
    await scenes.fail(api, task, 2)
    wire.no_data(await api.admin.post(f"{scenes.step(task, 2)}/skip"))
    found = (await scenes.shown(api, task))["subtasks"][1]
    assert (found["status"], found["operation"]) == ("PENDING", "SKIP")


async def test_what_is_not_legal_is_4007(api: ServedApi) -> None:
    """The table of specification §3.1, and nothing has changed afterwards."""
    fresh, broken, back = await scenes.created(api), await scenes.failed(api), await scenes.failed(api)
    await api.admin.post(f"{INSTANCES}/{back}/rollback")
    await scenes.fail(api, back, 2)
    refused = [
        f"{INSTANCES}/{fresh}/retry",
        f"{INSTANCES}/{fresh}/rollback",
        f"{INSTANCES}/{back}/retry",
        f"{scenes.step(fresh, 1)}/retry",
        f"{scenes.step(fresh, 1)}/skip",
        f"{scenes.step(fresh, 1)}/cancel",
        f"{scenes.step(broken, 1)}/retry",
        f"{scenes.step(broken, 1)}/skip",
        f"{scenes.step(broken, 2)}/cancel",
        f"{scenes.step(back, 2)}/retry",
    ]
    before = {task: (await scenes.shown(api, task))["version"] for task in (fresh, broken, back)}
    for path in refused:
        found = wire.error(await api.admin.post(path), 400, 4007)
        assert "is in" in found["message"], path
    assert before == {task: (await scenes.shown(api, task))["version"] for task in (fresh, broken, back)}


async def test_a_rollback_that_failed_is_resumed(api: ServedApi) -> None:
    """A task that failed in its rollback is rolled back again (specification §3.1)."""
    task = await scenes.failed(api)
    await api.admin.post(f"{INSTANCES}/{task}/rollback")
    await scenes.fail(api, task, 2)
    found = wire.data(await api.admin.post(f"{INSTANCES}/{task}/rollback"))
    assert (found["status"], found["operation"]) == ("RUNNING", "ROLLBACK")


async def test_what_does_not_exist_is_4001(api: ServedApi) -> None:
    """A task, a subtask, and a subtask of another task."""
    task, other = await scenes.failed(api), await scenes.failed(api)
    nowhere = 2**40
    wire.error(await api.admin.get(f"{INSTANCES}/{nowhere}"), 404, 4001)
    for path in (f"{INSTANCES}/{nowhere}/retry", f"{scenes.step(nowhere, 1)}/retry", f"{scenes.step(task, 9)}/skip"):
        wire.error(await api.admin.post(path), 404, 4001)
    wire.error(await api.admin.get(f"{scenes.step(task, 9)}/log"), 404, 4001)
    wrong = f"{INSTANCES}/{task}/subtasks/{other * 10_000 + 2}"
    for word in ("retry", "skip", "cancel"):
        wire.error(await api.admin.post(f"{wrong}/{word}"), 404, 4001)
    wire.error(await api.admin.get(f"{wrong}/log"), 404, 4001)


async def test_a_loop_is_4003(api: ServedApi) -> None:
    """A plan that waits for itself."""
    nodes = [{"key": key, "operation": "noop", "upstreams": [other]} for key, other in ("ab", "ba")]
    wire.error(await api.admin.post(INSTANCES, json={"plan": {"subtasks": nodes}}), 400, 4003)


async def test_roles_are_ocps(api: ServedApi) -> None:
    """A TASK_VIEWER reads and is refused with 3100; nobody is refused with 3000; a TASK_MANAGER may do it all."""
    task = await scenes.failed(api)
    viewer, manager = await api.bearer(Role.TASK_VIEWER), await api.bearer(Role.TASK_MANAGER)
    reads = (INSTANCES, f"{INSTANCES}/{task}", f"{scenes.step(task, 2)}/log")
    writes = [f"{INSTANCES}/{task}/{word}" for word in ("retry", "rollback")]
    writes += [f"{scenes.step(task, 2)}/{word}" for word in ("retry", "skip", "cancel")]
    async with api.client() as nobody:
        for path in reads:
            wire.data(await viewer.get(path))
            wire.error(await nobody.get(path), 401, 3000)
        for path in writes:
            wire.error(await viewer.post(path), 403, 3100)
            wire.error(await nobody.post(path), 401, 3000)
    wire.data(await manager.post(writes[0]))


async def test_the_log_opens_each_run_with_a_separator(api: ServedApi) -> None:
    """Split at OCP's pattern, the log has one part a run, with the operation, a time, the lines and the end."""
    task = await scenes.created(api)
    await scenes.fail(api, task, 1)
    await api.say(task, 1, "first", attempt=1)
    await api.admin.post(f"{scenes.step(task, 1)}/retry")
    await api.finish(task, 1)
    await api.say(task, 1, "second", "third", generation=2, attempt=2)
    found = wire.data(await api.admin.get(f"{scenes.step(task, 1)}/log"))
    assert wire.text(found["log"])
    runs = wire.runs(found["log"])
    assert [run.operation for run in runs] == ["EXECUTE", "RETRY"]
    assert all(wire.moment(run.at) for run in runs)
    for run, lines, state in zip(runs, (["first"], ["second", "third"]), ("FAILED", "SUCCESSFUL"), strict=True):
        assert [line.rpartition(" ")[2] for line in run.lines if "INFO" in line] == lines
        assert run.lines[-1] == f"Set state for subtask: {task * 10_000 + 1}, operation:{run.operation}, state: {state}"
    assert wire.data(await api.admin.get(f"{scenes.step(task, 3)}/log")) == {"log": ""}
