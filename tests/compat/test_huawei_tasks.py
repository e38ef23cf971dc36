"""Huawei's own client (huaweicloudsdkoms) creates, lists, shows, starts, stops and deletes synchronisation tasks."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import huaweicloudsdkoms.v2 as oms  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from tests.compat.huawei import Sdk, key_pair, offer
from tests.integration.api.harness import INSTANCES, ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALWAYS = {
    *("sync_task_id", "src_cloud_type", "src_region", "src_bucket", "create_time", "last_start_time", "dst_bucket"),
    *("dst_region", "description", "status", "enable_metadata_migration", "enable_restore", "object_overwrite_mode"),
    "consistency_check",
}
MONTHLY = {f"monthly_{word}" for word in ("acceptance_request", "success_object", "failure_object", "skip_object")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(api: ServedApi) -> tuple[str, str]:
    """An access key and its secret key; the task types are on offer."""
    await offer(api)
    return await key_pair(api)


@pytest.fixture
def sdk(api: ServedApi, keys: tuple[str, str], request: pytest.FixtureRequest) -> Sdk:
    """A client in a project of the test's own."""
    return Sdk(api, *keys, re.sub("[^a-z]", "-", request.node.name)[:60].strip("-"))


async def test_a_task_lives_as_their_documents_say(sdk: Sdk) -> None:
    """Created it synchronizes; stopped it is STOPPED; started again; deleted it is gone."""
    began = datetime.now(UTC).timestamp() * 1000
    task = await sdk.create(src_region="r1", dst_region="r2", description="nightly", enable_metadata_migration=True)
    shown = await sdk.show(task)
    assert (shown.sync_task_id, shown.status, shown.src_bucket, shown.dst_bucket) == (
        task,
        "SYNCHRONIZING",
        "src",
        "dst",
    )
    assert (shown.src_cloud_type, shown.src_region, shown.dst_region) == ("HuaweiCloud", "r1", "r2")
    assert (shown.description, shown.enable_metadata_migration, shown.enable_restore) == ("nightly", True, False)
    assert shown.object_overwrite_mode == "SIZE_LAST_MODIFIED_COMPARISON_OVERWRITE"
    assert shown.consistency_check == "size_last_modified"
    assert type(shown.create_time) is int
    assert began - 1000 <= shown.create_time <= shown.last_start_time <= began + 60_000

    await sdk(oms.StopSyncTaskRequest(sync_task_id=task))
    assert (await sdk.show(task)).status == "STOPPED"
    await sdk(oms.StartSyncTaskRequest(sync_task_id=task, body=oms.StartSyncTaskReq(src_ak="a", src_sk="b")))
    again = await sdk.show(task)
    assert again.status == "SYNCHRONIZING"
    assert again.last_start_time > shown.last_start_time
    assert again.create_time == shown.create_time

    await sdk(oms.StopSyncTaskRequest(sync_task_id=task))
    await sdk(oms.DeleteSyncTaskRequest(sync_task_id=task))
    refusal = await sdk.refused(oms.StopSyncTaskRequest(sync_task_id=task))
    assert (refusal.status_code, refusal.error_code) == (404, "OMS.4001")
    assert (await sdk(oms.ListSyncTasksRequest())).count == 0


async def test_lists_have_pages_and_states(sdk: Sdk) -> None:
    """The newest first; `count` is how many there are, whatever the page."""
    made = [await sdk.create(description=str(n)) for n in range(3)]
    await sdk(oms.StopSyncTaskRequest(sync_task_id=made[0]))
    every = await sdk(oms.ListSyncTasksRequest())
    assert [task.sync_task_id for task in every.tasks] == made[::-1]
    assert every.count == 3
    page = await sdk(oms.ListSyncTasksRequest(limit=1, offset=1))
    assert ([task.sync_task_id for task in page.tasks], page.count) == ([made[1]], 3)
    stopped = await sdk(oms.ListSyncTasksRequest(status="STOPPED"))
    assert ([task.sync_task_id for task in stopped.tasks], stopped.count) == ([made[0]], 1)
    for bad in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"status": "RUNNING"}):
        refusal = await sdk.refused(oms.ListSyncTasksRequest(**bad))
        assert (refusal.status_code, refusal.error_code) == (400, "OMS.1001"), bad


async def test_answers_have_their_fields_and_no_others(api: ServedApi, sdk: Sdk) -> None:
    """On the wire: names to the letter, numbers as numbers, absent values left out; 200 for what went well."""
    task = await sdk.create(dst_storage_policy="IA")
    base = f"/v2/{sdk.client._credentials.project_id}/sync-tasks"
    shown = await api.admin.get(f"{base}/{task}", params={"query_time": "1700639560751"})
    assert shown.status_code == 200, shown.text
    assert set(shown.json()) == ALWAYS | MONTHLY | {"monthly_size", "dst_storage_policy"}
    assert all(shown.json()[name] == 0 for name in MONTHLY)
    listed = (await api.admin.get(base, params={"min_seq": await api.last_seq()})).json()
    assert set(listed) == {"tasks", "count"}
    assert set(listed["tasks"][0]) == ALWAYS | {"dst_storage_policy"}
    stopped = await api.admin.post(f"{base}/{task}/stop")
    assert (stopped.status_code, stopped.json()) == (200, {})


async def test_a_project_has_five_tasks_at_most(sdk: Sdk) -> None:
    """A deleted one makes room."""
    made = [await sdk.create() for _ in range(5)]
    refusal = await sdk.refused(_create())
    assert (refusal.status_code, refusal.error_code) == (400, "OMS.4007")
    assert "5" in refusal.error_msg
    await sdk(oms.StopSyncTaskRequest(sync_task_id=made[0]))
    assert (await sdk.refused(_create())).status_code == 400
    await sdk(oms.DeleteSyncTaskRequest(sync_task_id=made[0]))
    assert await sdk.create()


async def test_what_the_state_forbids_is_refused(sdk: Sdk) -> None:
    """Start while it runs, stop while it is stopped, delete while it synchronizes: 400, and it says what is allowed."""
    task = await sdk.create()
    for request in (oms.StartSyncTaskRequest(task, oms.StartSyncTaskReq()), oms.DeleteSyncTaskRequest(task)):
        refusal = await sdk.refused(request)
        assert (refusal.status_code, refusal.error_code) == (400, "OMS.4007")
        assert "Allowed now: cancel" in refusal.error_msg
    await sdk(oms.StopSyncTaskRequest(sync_task_id=task))
    assert (await sdk.refused(oms.StopSyncTaskRequest(sync_task_id=task))).error_code == "OMS.4007"


@pytest.mark.parametrize(
    "body",
    [
        {"src_bucket": None},
        {"dst_bucket": ""},
        {"src_cloud_type": "Nowhere"},
        {"description": "a <b>"},
        {"description": "x" * 256},
        {"enable_restore": True},
        {"consistency_check": "crc64"},
        {"src_crypto_type": "KMS"},
        {"source_cdn": oms.SourceCdnReq(domain="a.b", protocol="http")},
    ],
    ids="-".join,
)
async def test_what_cannot_be_done_is_refused_and_not_passed_over(sdk: Sdk, body: dict[str, object]) -> None:
    """400 that names the field; nothing is created."""
    refusal = await sdk.refused(_create(**body))
    assert (refusal.status_code, refusal.error_code) == (400, "OMS.1001")
    assert next(iter(body)) in refusal.error_msg
    assert (await sdk(oms.ListSyncTasksRequest())).count == 0


async def test_keys_in_a_body_are_never_kept(api: ServedApi, sdk: Sdk) -> None:
    """Connections log in; keys that clients send all the same are in no answer, no task and not in the log."""
    task = await sdk.create(src_ak="AKCANARY1", src_sk="SKCANARY2", dst_ak="AKCANARY3", dst_sk="SKCANARY4")
    shown = await api.admin.get(f"{INSTANCES}/{task}")
    assert shown.json()["data"]["params"] == {"source": "src", "destination": "dst", "metadata": False}
    bodies = b"".join(message.body for message in await api.log.history(int(task)))
    assert b"CANARY" not in bodies
    assert "CANARY" not in shown.text


@pytest_asyncio.fixture(loop_scope="module")
async def red(api: ServedApi, keys: tuple[str, str]) -> AsyncIterator[Sdk]:
    """A client of team red alone."""
    yield Sdk(api, *await key_pair(api, teams=["red"], name="redrobot"), "red")


async def test_a_project_is_a_team(api: ServedApi, keys: tuple[str, str], red: Sdk) -> None:
    """Tasks bear its label; others' projects are closed to a team's callers, their tasks not there in one's own."""
    task = await red.create()
    assert (await api.admin.get(f"{INSTANCES}/{task}")).json()["data"]["labels"]["team"] == "red"
    other = Sdk(api, *keys, "blue")
    elsewhere = await other.create()
    for request in (oms.StopSyncTaskRequest(sync_task_id=task), oms.ShowSyncTaskRequest(task, 0)):
        assert (await other.refused(request)).status_code == 404
    assert (await red.refused(oms.StopSyncTaskRequest(sync_task_id=elsewhere))).status_code == 404
    outside = Sdk(api, red.client._credentials.ak, red.client._credentials.sk, "blue")
    refusal = await outside.refused(oms.ListSyncTasksRequest())
    assert (refusal.status_code, refusal.error_code) == (403, "APIGW.0302")


async def test_tasks_that_are_none(api: ServedApi, sdk: Sdk) -> None:
    """Ids of nothing, of other types' tasks, and texts that are no id: 404 alike."""
    other = await api.create({"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}})
    for wrong in ("999999", "0", "x", str(other["id"]), "9" * 30):
        refusal = await sdk.refused(oms.StopSyncTaskRequest(sync_task_id=wrong))
        assert (refusal.status_code, refusal.error_code) == (404, "OMS.4001"), wrong
    answer = await api.admin.get("/v2/p/nothing")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")


def _create(**body: object) -> oms.CreateSyncTaskRequest:
    told = {"src_bucket": "src", "dst_bucket": "dst", "src_cloud_type": "AWS", **body}
    return oms.CreateSyncTaskRequest(body=oms.CreateSyncTaskReq(**told))
