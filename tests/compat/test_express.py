"""OCP Express v1: its objects, its codes, its answers. The same tasks as in v2."""

from typing import Any

import pytest

from services.api.access import Role
from tests.compat import scenes, wire
from tests.compat.scenes import V1
from tests.integration.api.harness import ServedApi, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATION = wire.one_of("EXECUTE", "RETRY", "ROLLBACK", "SKIP", "CANCEL", "ROLLBACK_SKIP")
BASIC_SUBTASK = wire.BASIC_SUBTASK | {"operation": OPERATION}
SUBTASK = wire.SUBTASK | {"operation": OPERATION}
BASIC_TASK_FIELDS = {"id", "name", "creator", "tenantInfo", "status", "startTime", "finishTime", "subtasks"}
TASK_FIELDS = BASIC_TASK_FIELDS | {
    "taskDefinitionId",
    "type",
    "executor",
    "createTime",
    "operation",
    "prohibitRollback",
}


def step(task: int, number: int) -> str:
    """The address of a step."""
    return f"{V1}/{task}/subtasks/{task * 10_000 + number}"


def wrapped(value: dict[str, Any]) -> None:
    """Fail unless it is v1's WrappedTaskInstance and nothing else."""
    assert value.keys() <= TASK_FIELDS
    wire.holds(value, wire.TASK, wire.TASK_LATER | {"executor": wire.text})
    wire.holds(value["creator"], {"name": wire.text})
    for subtask in value["subtasks"]:
        assert subtask.keys() <= SUBTASK.keys() | wire.SUBTASK_LATER.keys()
        wire.holds(subtask, SUBTASK, wire.SUBTASK_LATER)


async def shown(api: ServedApi, task: int) -> dict[str, Any]:
    """A task's details, up to date."""
    query = {"min_seq": await api.last_seq()}
    found: dict[str, Any] = wire.data(await api.admin.get(f"{V1}/{task}", params=query))
    return found


@pytest.mark.parametrize(
    "scene", [scenes.created, scenes.running, scenes.failed, scenes.rolled_back], ids=lambda scene: scene.__name__
)
async def test_objects_are_express_ones(api: ServedApi, scene: Any) -> None:
    """Details and list have v1's fields with their types, no cluster, nothing of ours and nothing null."""
    task = await scene(api, object={"kind": "cluster", "id": "1", "name": "c"})
    wrapped(await shown(api, task))
    page = await scenes.listed(api, V1)
    wire.holds(page["page"], wire.PAGE)
    row = next(row for row in page["contents"] if row["id"] == task)
    assert row.keys() <= BASIC_TASK_FIELDS
    wire.holds(row, wire.BASIC_TASK, wire.TASK_LATER)
    for subtask in row["subtasks"]:
        assert subtask.keys() == BASIC_SUBTASK.keys()
        wire.holds(subtask, BASIC_SUBTASK)


async def test_the_tenant_is_tenant_info(api: ServedApi) -> None:
    """With Express's one number; the cluster of the same labels is not shown."""
    labels = {"tenant.name": "sys", "tenant.obTenantId": "1584", "tenant.id": "3", "cluster.name": "c"}
    task = await scenes.created(api, labels=labels)
    found = await shown(api, task)
    assert found["tenantInfo"] == {"name": "sys", "obTenantId": 1584}
    assert not {"cluster", "tenant", "labels"} & found.keys()
    task = await scenes.created(api, object={"kind": "tenant", "id": "5", "name": "five"})
    assert (await shown(api, task))["tenantInfo"] == {"name": "five", "obTenantId": 5}


async def test_the_list_takes_a_keyword(api: ServedApi) -> None:
    """Part of the name, whatever its case; newest first; what else v1's page sends is ignored."""
    tasks = [await scenes.created(api, name=f"Reinstall agent {place}") for place in range(3)]
    more = {"type": "SCHEDULED", "clusterId": 99, "tenantName": "x", "creator": "nobody", "dialect": "oms"}
    found = await scenes.listed(api, V1, keyword="REINSTALL AGENT", **more)
    assert [row["id"] for row in found["contents"]] == tasks[::-1]
    found = await scenes.listed(api, V1, keyword="reinstall", page=2, size=2, sort="id,asc")
    assert [row["id"] for row in found["contents"]] == tasks[2:]
    assert (await scenes.listed(api, V1, keyword="no such task"))["contents"] == []


async def test_a_page_is_as_large_as_it_can_be(api: ServedApi) -> None:
    """Without a size, and with one that is larger than we have: 2000, and the answer says so."""
    await scenes.created(api)
    for query in ({}, {"size": 2**31 - 1}, {"size": 2001}):
        assert (await scenes.listed(api, V1, **query))["page"]["size"] == 2000
    for wrong in ("size=0", "page=0", "status=DONE", "sort=x,asc"):
        wire.error(await api.admin.get(f"{V1}?{wrong}"), 400, 10001)


async def test_commands_answer_as_express_does(api: ServedApi) -> None:
    """A retry gives the task or the subtask, everything else no data."""
    task = await scenes.failed(api)
    found = wire.data(await api.admin.post(f"{V1}/{task}/retry", params={"taskInstanceId": task}))
    wrapped(found)
    assert (found["status"], found["operation"]) == ("RUNNING", "RETRY")
    task = await scenes.failed(api)
    found = wire.data(await api.admin.post(f"{step(task, 2)}/retry"))
    wire.holds(found, SUBTASK, wire.SUBTASK_LATER)
    assert (found["status"], found["operation"], found["runTime"]) == ("READY", "RETRY", 2)
    task = await scenes.failed(api)
    wire.no_data(await api.admin.post(f"{step(task, 2)}/skip"))
    assert (await shown(api, task))["subtasks"][1]["status"] == "SUCCESSFUL"
    task = await scenes.failed(api)
    wire.no_data(await api.admin.post(f"{V1}/{task}/rollback"))
    assert (await shown(api, task))["operation"] == "ROLLBACK"
    task = await scenes.running(api)
    wire.no_data(await api.admin.post(f"{step(task, 1)}/cancel"))
    assert (await shown(api, task))["subtasks"][0]["status"] == "CANCELING"


async def test_a_skip_in_a_rollback_has_its_own_word(api: ServedApi) -> None:
    """ROLLBACK_SKIP, in details and list; a skip on the way forward is SKIP."""
    task, forward = await scenes.failed(api), await scenes.failed(api)
    await api.admin.post(f"{V1}/{task}/rollback")
    await scenes.fail(api, task, 2)
    for one in (task, forward):
        wire.no_data(await api.admin.post(f"{step(one, 2)}/skip"))
    assert (await shown(api, task))["subtasks"][1]["operation"] == "ROLLBACK_SKIP"
    assert (await shown(api, forward))["subtasks"][1]["operation"] == "SKIP"
    rows = {row["id"]: row for row in (await scenes.listed(api, V1))["contents"]}
    assert rows[task]["subtasks"][1]["operation"] == "ROLLBACK_SKIP"


async def test_the_log_is_the_same(api: ServedApi) -> None:
    """One string with separators, as in v2."""
    task = await scenes.failed(api)
    found = wire.data(await api.admin.get(f"{step(task, 2)}/log"))
    assert found == wire.data(await api.admin.get(f"{scenes.step(task, 2)}/log"))
    assert [run.operation for run in wire.runs(found["log"])] == ["EXECUTE"]


async def test_codes_are_express_ones(api: ServedApi) -> None:
    """Each refusal's status and code (specification §2.4), in the same envelope as everything else."""
    fresh, viewer = await scenes.created(api), await api.bearer(Role.TASK_VIEWER)
    plan = {"subtasks": [{"key": "a", "operation": "noop", "prohibit_rollback": True}]}
    kept = (await api.create({"plan": plan}))["id"]
    await scenes.fail(api, kept, 1)
    async with api.client() as nobody:
        answers = [
            (await api.admin.get(f"{V1}/{2**40}"), 404, 20000),
            (await api.admin.post(f"{step(fresh, 9)}/skip"), 404, 20000),
            (await api.admin.post(f"{V1}/{2**40}/downloadDiagnosis"), 404, 20000),
            (await api.admin.post(f"{V1}/{fresh}/retry"), 400, 20003),
            (await api.admin.post(f"{step(fresh, 1)}/cancel"), 400, 20003),
            (await api.admin.post(f"{V1}/{kept}/rollback"), 400, 20004),
            (await api.admin.get(V1, params={"page": "x"}), 400, 10001),
            (await api.admin.get("/api/v1/tasks/nothing"), 404, 10002),
            (await viewer.post(f"{V1}/{fresh}/retry"), 403, 30014),
            (await nobody.get(V1), 401, 30000),
        ]
    for answer, status, code in answers:
        wire.error(answer, status, code)
        refused(answer, status, code)
    chinese = await api.admin.get(f"{V1}/{2**40}", headers={"Accept-Language": "zh-CN"})
    assert wire.error(chinese, 404, 20000)["message"].startswith("任务")


async def test_a_dry_run_does_not_become_a_wet_one(api: ServedApi) -> None:
    """Express has none: it is refused, and the task stays as it is; strangers are ignored as everywhere."""
    task = await scenes.failed(api)
    wire.error(await api.admin.post(f"{V1}/{task}/rollback?dry_run=true"), 400, 10001)
    assert (await shown(api, task))["status"] == "FAILED"
    wire.no_data(await api.admin.post(f"{V1}/{task}/rollback?dry_run=false&force=1"))


async def test_a_viewer_reads_it_all(api: ServedApi) -> None:
    """List, details, log and diagnosis need no more than reading."""
    task, viewer = await scenes.failed(api), await api.bearer(Role.TASK_VIEWER)
    for path in (V1, f"{V1}/{task}", f"{step(task, 2)}/log"):
        wire.data(await viewer.get(path))
    assert (await viewer.post(f"{V1}/{task}/downloadDiagnosis")).status_code == 200


async def test_a_task_of_another_team_is_not_there(api: ServedApi) -> None:
    """Not in the list, and 20000 for details, log, commands and diagnosis, exactly as one that is missing."""
    mine = await scenes.failed(api, labels={"team": "blue"})
    theirs = await scenes.failed(api, labels={"team": "red"})
    blue = await api.bearer(Role.TASK_MANAGER, teams=frozenset({"blue"}))
    rows = wire.data(await blue.get(V1, params={"min_seq": await api.last_seq()}))
    assert [row["id"] for row in rows["contents"]] == [mine]
    assert rows["page"]["totalElements"] == 1
    wire.data(await blue.get(f"{V1}/{mine}"))
    for task in (theirs, 2**40):
        asked = [
            await blue.get(f"{V1}/{task}"),
            await blue.get(f"{step(task, 2)}/log"),
            await blue.post(f"{V1}/{task}/retry"),
            await blue.post(f"{step(task, 2)}/skip"),
            await blue.post(f"{V1}/{task}/downloadDiagnosis"),
        ]
        messages = {wire.error(answer, 404, 20000)["message"] for answer in asked}
        assert messages == {f"The task {task} does not exist."}
