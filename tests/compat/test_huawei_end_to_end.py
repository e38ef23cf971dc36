"""Huawei's own client against the whole system: what it asks for is in the destination, listed, and counted."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huaweicloudsdkoms.v2 as oms  # type: ignore[import-untyped]
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException  # type: ignore[import-untyped]

from tests.support.eventually import eventually_sync
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("huawei")]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """One running system with one executor."""
    with Up(tmp_path, executors=1) as running:
        yield running


def test_events_of_their_client_bring_objects_over(up: Up, tmp_path: Path) -> None:
    """Two objects are copied, one is missing, one is there and newer: lists, counters and the refusal after a stop."""
    source, destination = tmp_path / "source", tmp_path / "destination"
    for folder in (source / "2026", destination):
        folder.mkdir(parents=True)
    (source / "2026" / "a b.txt").write_bytes(b"one")
    (source / "ä.txt").write_bytes(b"fourty")
    (source / "same").write_bytes(b"same")
    (destination / "same").write_bytes(b"same")
    with Rest(up.url, up.password) as rest:
        for name, folder in (("photos", source), ("archive", destination)):
            answer = rest.http.put(f"/api/v2/connections/{name}", json={"url": f"file://{folder}"})
            assert answer.status_code in {200, 201}, answer.text
        pair = rest.http.post("/api/v2/tokens", json={"name": "robot", "role": "TASK_MANAGER"}).json()["data"]
        client = (
            oms.OmsClient.new_builder()
            .with_credentials(BasicCredentials(pair["access_key"], pair["secret_key"], "media"))
            .with_endpoint(up.url)
            .build()
        )
        body = oms.CreateSyncTaskReq(src_cloud_type="HuaweiCloud", src_bucket="photos", dst_bucket="archive")
        task = client.create_sync_task(oms.CreateSyncTaskRequest(body=body)).sync_task_id
        keys = ["2026%2Fa%20b.txt", "%C3%A4.txt", "same", "missing"]
        client.create_sync_events(oms.CreateSyncEventsRequest(task, oms.SyncObjectReq(object_keys=keys)))

        def shown() -> Any:
            return client.show_sync_task(oms.ShowSyncTaskRequest(task, round(time.time() * 1000)))

        eventually_sync(lambda: _settled(shown()) == 4, timeout=60, what="four objects are settled")
        found = shown()
        assert (found.monthly_acceptance_request, found.monthly_size) == (4, 9)
        assert (found.monthly_success_object, found.monthly_failure_object, found.monthly_skip_object) == (2, 1, 1)
        assert (destination / "2026" / "a b.txt").read_bytes() == b"one"
        assert (destination / "ä.txt").read_bytes() == b"fourty"
        lists = destination / "oms" / "sync_task" / task
        assert {row[1] for row in _rows(lists / "success_object_lists")} == {"2026/a b.txt", "ä.txt"}
        assert [row[1] for row in _rows(lists / "skip_object_lists")] == ["same"]
        assert len(_rows(lists / "failed_object_lists")) == 1
        (child,) = rest.http.get("/api/v2/tasks/instances", params={"parent": task}).json()["data"]["contents"]
        ended = rest.ended(child["id"])
        assert (ended["state"], ended["error"]["kind"]) == ("FAILED", "OBJECTS_FAILED")

        client.stop_sync_task(oms.StopSyncTaskRequest(task))
        with pytest.raises(ServiceResponseException) as refusal:
            client.create_sync_events(oms.CreateSyncEventsRequest(task, oms.SyncObjectReq(object_keys=["same"])))
        assert refusal.value.status_code == 400


def _settled(found: Any) -> int:
    return int(found.monthly_success_object + found.monthly_failure_object + found.monthly_skip_object)


def _rows(folder: Path) -> list[list[str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [line.split("\t") for path in files for line in path.read_text(encoding="utf-8").splitlines()]
