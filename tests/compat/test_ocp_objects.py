"""OCP's objects, field by field and type by type, in every state that clients meet."""

from typing import Any

import pytest

from services.api.access import Role
from shared.runtime.clock import now
from shared.task import commands as cmd
from tests.compat import scenes, wire
from tests.integration.api.harness import INSTANCES, ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")
STATES = (scenes.created, scenes.running, scenes.failed, scenes.rolled_back)


@pytest.mark.parametrize("scene", STATES, ids=lambda scene: scene.__name__)
async def test_details_are_a_wrapped_task(api: ServedApi, scene: Any) -> None:
    """Every field has its name and its type, whatever the task has been through; nothing is null."""
    found = await scenes.shown(api, await scene(api))
    wire.task(found)
    assert found["taskDefinitionId"] == -1
    assert found["type"] == "MANUAL"
    for subtask in found["subtasks"]:
        assert (subtask["nodeType"], subtask["parallelIdx"]) == ("JAVA_TASK", -1)


@pytest.mark.parametrize("scene", STATES, ids=lambda scene: scene.__name__)
async def test_the_list_has_basic_tasks(api: ServedApi, scene: Any) -> None:
    """The same task in the list; its subtasks are the short ones."""
    task = await scene(api)
    page = await scenes.listed(api, sort="id,desc")
    wire.holds(page["page"], wire.PAGE)
    found = next(one for one in page["contents"] if one["id"] == task)
    wire.basic_task(found)


async def test_what_has_not_happened_has_no_field(api: ServedApi) -> None:
    """No start, no end, no executor, no cluster and no tenant before there is one."""
    found = await scenes.shown(api, await scenes.created(api))
    for name in ("startTime", "finishTime", "executor", "cluster", "tenant", "isRemote"):
        assert name not in found
    for subtask in found["subtasks"]:
        assert not {"startTime", "finishTime", "executor", "className", "context"} & subtask.keys()


async def test_an_end_is_taken_back_by_a_retry(api: ServedApi) -> None:
    """`finishTime` goes while the subtask is READY and RUNNING again, `startTime` stays the first one."""
    task = await scenes.failed(api)
    before = (await scenes.shown(api, task))["subtasks"][1]
    assert "finishTime" in before
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/retry"))
    await api.claim(task, 2)
    found = await scenes.shown(api, task)
    again = found["subtasks"][1]
    assert "finishTime" not in again
    assert "finishTime" not in found
    assert again["startTime"] == before["startTime"]


async def test_the_run_time_counts_runs_from_one(api: ServedApi) -> None:
    """It is 1 before and in the first run, and one more as soon as a retry is asked for (R4)."""
    task = await scenes.created(api)
    seen = [(await scenes.shown(api, task))["subtasks"][0]["runTime"]]
    await scenes.fail(api, task, 1)
    seen.append((await scenes.shown(api, task))["subtasks"][0]["runTime"])
    for _ in range(2):
        again = wire.data(await api.admin.post(f"{scenes.step(task, 1)}/retry"))
        wire.holds(again, wire.SUBTASK, wire.SUBTASK_LATER)
        seen.append(again["runTime"])
        await scenes.fail(api, task, 1)
        seen.append((await scenes.shown(api, task))["subtasks"][0]["runTime"])
    assert seen == [1, 1, 2, 2, 3, 3]


async def test_edges_give_the_order_and_series_the_creation(api: ServedApi) -> None:
    """A plan written backwards has its edges right; `seriesId` counts its subtasks as they were written."""
    plan = {
        "subtasks": [
            {"key": "last", "operation": "noop", "upstreams": ["first"]},
            {"key": "first", "operation": "noop"},
        ]
    }
    task = await api.create({"plan": plan})
    last, first = task["subtasks"]
    assert (last["seriesId"], first["seriesId"]) == (0, 1)
    assert (first["upstreams"], first["downstreams"]) == ([], [last["id"]])
    assert (last["upstreams"], last["downstreams"]) == ([first["id"]], [])


async def test_a_rolled_back_task_is_successful_with_pending_steps(api: ServedApi) -> None:
    """As the first sample of OCP's documents has it (specification §8)."""
    task = await scenes.rolled_back(api)
    found = await scenes.shown(api, task)
    assert (found["status"], found["operation"]) == ("SUCCESSFUL", "ROLLBACK")
    assert {subtask["status"] for subtask in found["subtasks"]} == {"PENDING"}
    assert found["subtasks"][0]["operation"] == "ROLLBACK"


async def test_rollback_is_prohibited_once_such_a_step_has_run(api: ServedApi) -> None:
    """`prohibitRollback` true means forbidden, of a subtask as of the task (specification §3.1)."""
    plan = {"subtasks": [{"key": "a", "operation": "noop", "prohibit_rollback": True}]}
    task = await api.create({"plan": plan})
    assert (task["prohibitRollback"], task["subtasks"][0]["prohibitRollback"]) == (False, True)
    await scenes.fail(api, task["id"], 1)
    assert (await scenes.shown(api, task["id"]))["prohibitRollback"] is True
    wire.error(await api.admin.post(f"{INSTANCES}/{task['id']}/rollback"), 400, 4009)


async def test_a_cancelled_task_is_failed(api: ServedApi) -> None:
    """OCP has no CANCELLED; its status is FAILED and its operation none of the subtasks' own."""
    task = await scenes.running(api)
    wire.no_data(await api.admin.post(f"{scenes.step(task, 1)}/cancel"))
    assert (await scenes.shown(api, task))["subtasks"][0]["status"] == "CANCELING"
    claim = (await scenes.shown(api, task))["subtasks"][0]["claim"]
    await api.act(task, cmd.Settle(1, claim["fence"], cmd.Cancelled(), now()))
    found = await scenes.shown(api, task)
    wire.task(found)
    assert (found["status"], found["subtasks"][0]["operation"]) == ("FAILED", "CANCEL")


CLUSTER = {"id": 31, "name": "ob-1", "obClusterId": 1, "type": "PRIMARY"}
TENANT = {"id": 169, "name": "sys", "obTenantId": 1584, "mode": "ORACLE"}
LABELS = {
    "cluster.id": "31",
    "cluster.name": "ob-1",
    "cluster.obClusterId": "1",
    "cluster.type": "PRIMARY",
    "tenant.id": "169",
    "tenant.name": "sys",
    "tenant.obTenantId": "1584",
    "tenant.mode": "ORACLE",
}


@pytest.mark.parametrize(
    ("about", "labels", "cluster", "tenant"),
    [
        ({"kind": "cluster", "id": "31", "name": "ob-1"}, {}, {"id": 31, "name": "ob-1"}, None),
        ({"kind": "tenant", "id": "169", "name": "sys"}, LABELS, CLUSTER, TENANT),
        ({"kind": "host", "id": "9", "name": "h1"}, LABELS, CLUSTER, TENANT),
        (None, LABELS, CLUSTER, TENANT),
        ({"kind": "cluster", "name": "other"}, LABELS, {**CLUSTER, "name": "other"}, TENANT),
        (None, {"cluster.name": "c", "cluster.id": "x", "cluster.type": "BIG"}, {"name": "c"}, None),
        (None, {"tenant.mode": "ORACLE"}, None, None),
    ],
)
async def test_object_and_labels_say_cluster_and_tenant(
    api: ServedApi, about: Any, labels: dict[str, str], cluster: Any, tenant: Any
) -> None:
    """Whole objects with numbers as numbers, the same in list and details; what is not known is left out."""
    body = {"labels": labels, **({"object": about} if about else {})}
    task = await scenes.created(api, **body)
    rows = (await scenes.listed(api, sort="id,desc", size=5))["contents"]
    for found in (await scenes.shown(api, task), next(row for row in rows if row["id"] == task)):
        assert found.get("cluster") == cluster
        assert found.get("tenant") == tenant


async def test_filters_find_what_belongs_to_a_cluster(api: ServedApi) -> None:
    """By the object or by a label; all filters given must fit, and part of the cluster's name is enough."""
    mine = {"cluster.id": "77", "cluster.name": "Meta-77", "tenant.id": "5", "tenant.name": "five"}
    on_cluster = await scenes.created(api, object={"kind": "cluster", "id": "77", "name": "Meta-77"})
    on_tenant = await scenes.created(api, object={"kind": "tenant", "id": "5", "name": "five"}, labels=mine)
    on_host = await scenes.created(api, object={"kind": "host", "id": "8", "name": "h8"}, labels=mine)
    other = await scenes.created(api, object={"kind": "cluster", "id": "78", "name": "other"})

    async def ids(**query: Any) -> set[int]:
        return {task["id"] for task in (await scenes.listed(api, size=100, **query))["contents"]}

    everything = {on_cluster, on_tenant, on_host}
    assert await ids(clusterId=77) == everything
    assert await ids(cluterName="mETA-7") == everything
    assert await ids(clusterName="META", clusterId=77) == everything
    assert await ids(clusterId=77, tenantName="five") == {on_tenant, on_host}
    assert await ids(clusterId=77, tenantId=5, hostId=8) == {on_host}
    assert await ids(clusterId=78) == {other}
    assert await ids(clusterId=78, tenantId=5) == set()
    assert await ids(cluterName="a%") == set()


async def test_names_of_a_creator_keep_their_number(api: ServedApi) -> None:
    """A creator's id is a number, the same for the same name in list, details and another task."""
    manager = await api.bearer(Role.TASK_MANAGER)
    first, second = [
        wire.data(await manager.post(INSTANCES, json={"plan": scenes.PLAN}), 201)["creator"] for _ in range(2)
    ]
    wire.holds(first, wire.CREATOR)
    assert first == second
    assert first["id"] != (await scenes.shown(api, await scenes.created(api)))["creator"]["id"]
