"""Huawei's own client asks for objects and reads what became of them: events, months, statistics."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import huaweicloudsdkoms.v2 as oms  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from services.api.synchronisation import REQUEST
from shared.runtime.clock import now
from tests.compat.huawei import Sdk, done_by, key_pair, offer
from tests.integration.api.harness import INSTANCES, ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(api: ServedApi) -> tuple[str, str]:
    """An access key and its secret key; the task types are on offer."""
    await offer(api)
    return await key_pair(api)


@pytest.fixture
def sdk(api: ServedApi, keys: tuple[str, str], request: pytest.FixtureRequest) -> Sdk:
    """A client in a project of the test's own."""
    return Sdk(api, *keys, re.sub("[^a-z]", "-", request.node.name)[:60].strip("-"))


def event(task: str, *keys: str) -> oms.CreateSyncEventsRequest:
    """A request for these objects."""
    return oms.CreateSyncEventsRequest(task, oms.SyncObjectReq(object_keys=list(keys)))


async def children(api: ServedApi, task: str) -> list[dict[str, Any]]:
    """The task's children with their parameters, the oldest first."""
    listed = await api.admin.get(INSTANCES, params={"parent": task, "sort": "id,asc", "min_seq": await api.last_seq()})
    ids = [found["id"] for found in listed.json()["data"]["contents"]]
    return [(await api.admin.get(f"{INSTANCES}/{child}")).json()["data"] for child in ids]


async def requested(api: ServedApi, sdk: Sdk, task: str, key: str = "a") -> int:
    """Ask for one object; return the child's id."""
    await sdk(event(task, key))
    return int((await children(api, task))[-1]["id"])


async def test_an_event_is_a_child_task(api: ServedApi, sdk: Sdk) -> None:
    """Its keys are decoded, it has the parent's parameters and team, and an executor may plan it at once."""
    task = await sdk.create(description="nightly")
    await sdk(event(task, "a%2Fb%20c.txt", "%C3%A4%2B+", "100%25"))
    (child,) = await children(api, task)
    assert (child["taskType"], child["state"], child["parent"]) == (REQUEST, "INITIALIZING", int(task))
    assert child["params"]["keys"] == ["a/b c.txt", "ä++", "100%"]
    of = {"source": "src", "destination": "dst", "metadata": False, "description": "nightly"}
    assert child["params"]["of"] == {**of, "task": int(task)}
    assert child["labels"]["team"] == sdk.client._credentials.project_id
    assert child["creator"]["name"] == "robot"


@pytest.mark.parametrize(
    "names", [[], ["k"] * 11, [""], ["%FF"], ["k" * 16_385]], ids=["none", "eleven", "empty", "not-utf-8", "too-long"]
)
async def test_events_that_are_refused(api: ServedApi, sdk: Sdk, names: list[str]) -> None:
    """One to ten keys, URL-encoded UTF-8: else 400, and no child."""
    task = await sdk.create()
    refusal = await sdk.refused(event(task, *names))
    assert (refusal.status_code, refusal.error_code) == (400, "OMS.1001")
    assert "object_keys" in refusal.error_msg
    assert await children(api, task) == []


async def test_a_stopped_task_takes_no_events(api: ServedApi, sdk: Sdk) -> None:
    """400 until it is started again; a missing one is 404."""
    task = await sdk.create()
    await sdk(oms.StopSyncTaskRequest(sync_task_id=task))
    refusal = await sdk.refused(event(task, "a"))
    assert (refusal.status_code, refusal.error_code) == (400, "OMS.4007")
    assert (await sdk.refused(event("999999", "a"))).status_code == 404
    assert await children(api, task) == []
    await sdk(oms.StartSyncTaskRequest(task, oms.StartSyncTaskReq()))
    await sdk(event(task, "a"))
    assert len(await children(api, task)) == 1


async def test_counts_are_of_the_calendar_month_in_utc(api: ServedApi, sdk: Sdk) -> None:
    """What was decided in the last microsecond of a month is that month's, what was in the next one is the next's."""
    task = await sdk.create()
    march = datetime(2026, 3, 1, tzinfo=UTC)
    before = march - timedelta(microseconds=1)
    counts = {"requested": 11, "synced": 9, "failed": 1, "ignored": 1, "bytes": 52311, "at": "2026-02-28T23:59:59Z"}
    await done_by(api, await requested(api, sdk, task, "a"), before, counts)
    await done_by(
        api, await requested(api, sdk, task, "b"), march, {"requested": 1, "failed": 1, "bytes": 0}, fails=True
    )

    february = await sdk.show(task, before)
    assert february.monthly_acceptance_request == 11
    assert (february.monthly_success_object, february.monthly_failure_object) == (9, 1)
    assert (february.monthly_skip_object, february.monthly_size) == (1, 52311)
    first = await sdk.show(task, march)
    assert (first.monthly_acceptance_request, first.monthly_success_object, first.monthly_failure_object) == (1, 0, 1)
    assert (await sdk.show(task, march + timedelta(days=30, hours=23))).monthly_failure_object == 1
    assert (await sdk.show(task, march + timedelta(days=31))).monthly_failure_object == 0
    assert (await sdk.show(task, datetime(2026, 2, 1, tzinfo=UTC))).monthly_size == 52311
    assert (await sdk.show(task, datetime(2025, 2, 1, tzinfo=UTC))).monthly_size == 0


async def test_statistics_by_five_minutes_and_by_the_hour(api: ServedApi, sdk: Sdk) -> None:
    """A day at most is told by five minutes, more by the hour; series as asked for, in their order; times in ms."""
    task = await sdk.create()
    noon = datetime(2026, 3, 5, 12, tzinfo=UTC)
    for minutes, synced in ((1, 2), (4, 3), (5, 4), (59, 5), (61, 6)):
        child = await requested(api, sdk, task, str(minutes))
        counts = {"requested": synced, "synced": synced, "bytes": 100 * synced}
        await done_by(api, child, noon + timedelta(minutes=minutes), counts)

    fine = await _statistics(sdk, task, "SUCCESS,SIZE,SKIP", noon, noon + timedelta(hours=24))
    assert (fine.sync_task_id, fine.statistic_time_type) == (task, "FIVE_MINUTES")
    assert [each.data_type for each in fine.statistic_datas] == ["SUCCESS", "SIZE", "SKIP"]
    success, size, skip = (
        [((d.time_stamp - _ms(noon)) // 60_000, d.statistic_num) for d in each.data] for each in fine.statistic_datas
    )
    assert success == [(0, 5), (5, 4), (55, 5), (60, 6)]
    assert size == [(0, 500), (5, 400), (55, 500), (60, 600)]
    assert skip == []
    coarse = await _statistics(sdk, task, "REQUEST", noon, noon + timedelta(hours=24, milliseconds=1))
    assert coarse.statistic_time_type == "ONE_HOUR"
    assert [(d.time_stamp, d.statistic_num) for d in coarse.statistic_datas[0].data] == [
        (_ms(noon), 14),
        (_ms(noon + timedelta(hours=1)), 6),
    ]
    part = await _statistics(sdk, task, "SUCCESS", noon + timedelta(minutes=5), noon + timedelta(minutes=55))
    assert [d.statistic_num for d in part.statistic_datas[0].data] == [4]


async def test_statistics_that_are_refused(sdk: Sdk) -> None:
    """Kinds that are none, ranges that are none or longer than 92 days, times that are no milliseconds."""
    task, at = await sdk.create(), now()
    hour = timedelta(hours=1)
    for kinds, since, before in (
        ("SUCCESS,WHAT", at - hour, at),
        ("", at - hour, at),
        ("SUCCESS", at, at),
        ("SUCCESS", at - timedelta(days=93), at),
    ):
        request = oms.ListSyncTaskStatisticRequest(task, kinds, _ms(since), _ms(before))
        assert (await sdk.refused(request)).error_code == "OMS.1001"
    refusal = await sdk.refused(oms.ShowSyncTaskRequest(task, "yesterday"))
    assert (refusal.status_code, refusal.error_code) == (400, "OMS.1001")
    assert "query_time" in refusal.error_msg


async def _statistics(sdk: Sdk, task: str, kinds: str, since: datetime, before: datetime) -> Any:
    return await sdk(oms.ListSyncTaskStatisticRequest(task, kinds, _ms(since), _ms(before)))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
