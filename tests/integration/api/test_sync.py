"""Our own addresses of synchronisation tasks: lists and counts, statistics, requests over REST and over the bus."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.api.access import Role
from services.api.rest.schemas import Answer, TaskDetails
from services.api.rest.shapes_sync import SyncStatistics, SyncTask, SyncTasks
from shared.messages import subjects
from shared.runtime.nats import api as jetstream
from tests.compat.huawei import done_by, offer
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.integration.bus.producer import producer
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/v2/sync-tasks"
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def task(api: ServedApi, **more: Any) -> int:
    """A synchronisation task from `src` to `dst`."""
    await offer(api)
    found = await api.create({"type": "object.sync", "params": {"source": "src", "destination": "dst"}, **more})
    assert (found["state"], found["subtasks"], found["allowed"]) == ("RUNNING", [], ["cancel"])
    return int(found["id"])


async def test_tasks_are_told_with_a_months_counts(api: ServedApi) -> None:
    """The list, and one of them; this month without `month`, any other with it; other tasks are none."""
    sync = await task(api, name="nightly", labels={"team": "red"})
    child = (await api.admin.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]})).json()["data"]
    counts = {"requested": 4, "synced": 2, "failed": 1, "ignored": 1, "bytes": 99}
    await done_by(api, child["id"], MARCH, counts)

    shown = await api.admin.get(f"{PATH}/{sync}", params={"month": "2026-03"})
    found = Answer[SyncTask].model_validate_json(shown.content).data
    assert (found.name, found.state, found.month, found.counts.model_dump()) == (
        "nightly",
        "RUNNING",
        "2026-03",
        counts,
    )
    assert (found.source, found.destination, found.allowed) == ("src", "dst", ["cancel"])
    now = Answer[SyncTask].model_validate_json((await api.admin.get(f"{PATH}/{sync}")).content).data
    assert set(now.counts.model_dump().values()) == {0}
    listed = await api.admin.get(PATH, params={"month": "2026-03", "size": 100})
    page = Answer[SyncTasks].model_validate_json(listed.content).data
    assert [one.counts.requested for one in page.contents if one.id == sync] == [4]
    assert all(one.id != child["id"] for one in page.contents)
    other = await api.create(plan())
    refused(await api.admin.get(f"{PATH}/{other['id']}"), 404, 4001)
    refused(await api.admin.get(f"{PATH}/{sync}", params={"month": "2026-13"}), 400, 1001)


async def test_statistics_have_series(api: ServedApi) -> None:
    """By five minutes for a day, by the hour beyond; the kinds that are asked for."""
    sync = await task(api)
    child = (await api.admin.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]})).json()["data"]
    await done_by(api, child["id"], MARCH + timedelta(minutes=7), {"synced": 3, "bytes": 30})
    for days, seconds, at in ((1, 300, 5), (2, 3600, 0)):
        wanted = {"types": "SUCCESS,SIZE", "from": MARCH.isoformat(), "to": (MARCH + timedelta(days=days)).isoformat()}
        answer = await api.admin.get(f"{PATH}/{sync}/statistics", params=wanted)
        data = Answer[SyncStatistics].model_validate_json(answer.content).data
        assert data.step_seconds == seconds
        points = {kind: [(point.at, point.n) for point in found] for kind, found in data.series.items()}
        when = MARCH + timedelta(minutes=at)
        assert points == {"SUCCESS": [(when, 3)], "SIZE": [(when, 30)]}
    every = (await api.admin.get(f"{PATH}/{sync}/statistics")).json()["data"]["series"]
    assert list(every) == ["REQUEST", "SUCCESS", "FAILURE", "SKIP", "SIZE"]
    wrong: dict[str, str]
    for wrong in ({"types": "X"}, {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}):
        refused(await api.admin.get(f"{PATH}/{sync}/statistics", params=wrong), 400, 1001)


async def test_requests_are_child_tasks(api: ServedApi) -> None:
    """For keys, or for a prefix; 201 with the child; the same key gives the same child; a dry run stores nothing."""
    sync = await task(api, name="nightly")
    answer = await api.admin.post(
        f"{PATH}/{sync}/requests", json={"keys": ["a", "b"]}, headers={"Idempotency-Key": "r1"}
    )
    assert answer.status_code == 201, answer.text
    child = Answer[TaskDetails].model_validate_json(answer.content).data
    assert (child.task_type, child.parent, child.params["keys"]) == ("object.sync.request", sync, ["a", "b"])
    assert child.name == "nightly: 2 objects"
    assert answer.headers["Location"] == f"{INSTANCES}/{child.id}"
    again = await api.admin.post(
        f"{PATH}/{sync}/requests", json={"keys": ["a", "b"]}, headers={"Idempotency-Key": "r1"}
    )
    assert again.json()["data"]["id"] == child.id
    sweep = (await api.admin.post(f"{PATH}/{sync}/requests", json={"prefix": "2026/"})).json()["data"]
    assert (sweep["taskType"], sweep["params"]["prefix"]) == ("object.sync.sweep", "2026/")
    whole = (await api.admin.post(f"{PATH}/{sync}/requests", json={"prefix": ""})).json()["data"]
    assert (whole["name"], whole["params"]["of"]["task"]) == ("nightly: all objects", sync)
    last = await api.last_seq()
    tried = await api.admin.post(f"{PATH}/{sync}/requests", params={"dry_run": "true"}, json={"keys": ["a"]})
    assert tried.status_code == 200, tried.text
    body: dict[str, Any]
    for body in ({}, {"keys": []}, {"keys": ["a"], "prefix": "b"}, {"keys": [""]}, {"keys": "a"}, {"what": 1}):
        refused(await api.admin.post(f"{PATH}/{sync}/requests", json=body), 422, 1001)
    refused(await api.admin.post(f"{PATH}/999999/requests", json={"keys": ["a"]}), 404, 4001)
    assert await api.last_seq() == last


async def test_a_stopped_task_takes_no_requests(api: ServedApi) -> None:
    """422 that says how to start it; started again it does."""
    sync = await task(api)
    await api.admin.post(f"{INSTANCES}/{sync}/cancel")
    error = refused(await api.admin.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]}), 422, 1001)
    assert "Start it (retry) first" in error["message"]
    started = await api.admin.post(f"{INSTANCES}/{sync}/retry")
    assert started.json()["data"]["state"] == "RUNNING"
    assert (await api.admin.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]})).status_code == 201


async def test_others_tasks_are_not_there(api: ServedApi) -> None:
    """To callers of another team: in no list, 404 by id, and no child of theirs."""
    sync = await task(api, labels={"team": "red"})
    blue = await api.bearer(Role.TASK_MANAGER, teams=frozenset({"blue"}), name="blue")
    red = await api.bearer(Role.TASK_MANAGER, teams=frozenset({"red"}), name="red")
    seq = {"min_seq": str(await api.last_seq())}
    assert (await blue.get(PATH, params=seq)).json()["data"]["contents"] == []
    assert sync in [one["id"] for one in (await red.get(PATH, params=seq)).json()["data"]["contents"]]
    for answer in (
        await blue.get(f"{PATH}/{sync}"),
        await blue.get(f"{PATH}/{sync}/statistics"),
        await blue.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]}),
    ):
        assert refused(answer, 404, 4001)["message"] == f"The task {sync} does not exist."
    child = (await red.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]})).json()["data"]
    assert child["labels"] == {"team": "red"}


async def test_requests_come_in_over_the_bus(api: ServedApi) -> None:
    """As every create: signed, with type and parent; refused with the same words."""
    sync, sender = await task(api), await producer(api)
    body = {"type": "object.sync.request", "parent": sync, "params": {"keys": ["a/b", "c"]}}
    answer = await sender.ask("create", body, key="sync-1")
    assert (answer["status"], answer["state"]) == (201, "INITIALIZING"), answer
    child = (await api.admin.get(f"{INSTANCES}/{answer['task']}")).json()["data"]
    assert (child["parent"], child["params"]["keys"], child["params"]["of"]["task"]) == (sync, ["a/b", "c"], sync)
    forged = await sender.ask("create", {**body, "params": {"keys": ["a"], "of": {"task": 1}}})
    assert (forged["status"], "/params/of" in str(forged["error"])) == (422, True)


async def test_a_standing_task_is_never_queued(tmp_path: Path, nats_server: NatsServer) -> None:
    """Neither when it is created nor by the rescuer; a child that nobody planned is brought back."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db", rescue_after_seconds=0.6) as api:
        sync = await task(api)
        child = (await api.admin.post(f"{PATH}/{sync}/requests", json={"keys": ["a"]})).json()["data"]["id"]
        wanted = {subjects.work("default", child, 0, 0, 0)}
        await eventually(lambda: _queued(api, wanted))
        await jetstream(api.nats, f"STREAM.PURGE.{subjects.WORK}")
        await eventually(lambda: _queued(api, wanted), timeout=15)
        assert "opsledger_rescued_items_total 1.0" in (await api.admin.get("/metrics")).text


async def _queued(api: ServedApi, wanted: set[str]) -> bool:
    info = await jetstream(api.nats, f"STREAM.INFO.{subjects.WORK}", {"subjects_filter": ">"})
    return set(info["state"].get("subjects") or {}) == wanted
