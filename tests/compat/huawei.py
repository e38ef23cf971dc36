"""Huawei's own client against a running API, and what an executor would offer and do for it.

Operations of `object.sync` are played here: the counters come from ends of attempts, whoever makes them.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import huaweicloudsdkoms.v2 as oms  # type: ignore[import-untyped]
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException  # type: ignore[import-untyped]

from services.api.synchronisation import SWEEP
from services.executor.catalog import Catalog
from services.executor.task_types.object_sync import object_sync, object_sync_request, object_sync_sweep
from shared.log.port import Note
from shared.messages import subjects
from shared.messages.commit import By
from shared.runtime.clock import commit_id
from shared.store.kv import Bucket
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Problem
from shared.task.plan import OperationCard, Plan, SubtaskPlan, freeze
from tests.integration.api.harness import CLAIMANT, ServedApi
from tests.support.eventually import eventually

CARDS = Catalog(types={kind.name: kind for kind in (object_sync, object_sync_request, object_sync_sweep)}).type_cards(
    "default"
)


async def offer(api: ServedApi) -> None:
    """Put the task types into the catalogue, and wait until the API has heard of them."""
    bucket = Bucket(api.nats, subjects.CATALOG)
    for card in CARDS:
        await bucket.put(f"type/{card.name}/{card.pool}", card.model_dump_json().encode())

    async def offered() -> bool:
        answer = await api.admin.get(f"/api/v2/task-types/{SWEEP}")
        return answer.status_code == 200

    await eventually(offered)


async def key_pair(api: ServedApi, **about: Any) -> tuple[str, str]:
    """A new token's access key and secret key."""
    answer = await api.admin.post("/api/v2/tokens", json={"name": "robot", "role": "TASK_MANAGER", **about})
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    return data["access_key"], data["secret_key"]


class Sdk:
    """Huawei's client, whose calls block, on threads of their own."""

    def __init__(self, api: ServedApi, access_key: str, secret_key: str, project: str) -> None:
        credentials = BasicCredentials(access_key, secret_key, project)
        self.client = oms.OmsClient.new_builder().with_credentials(credentials).with_endpoint(api.url).build()

    async def __call__(self, request: Any) -> Any:
        """Call what the request is for; its name says it."""
        name = type(request).__name__.removesuffix("Request")
        method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        return await asyncio.to_thread(getattr(self.client, method), request)

    async def refused(self, request: Any) -> ServiceResponseException:
        """Call what must be refused."""
        with pytest.raises(ServiceResponseException) as refusal:
            await self(request)
        assert refusal.value.error_msg
        assert refusal.value.error_code
        return refusal.value

    async def create(self, **body: Any) -> str:
        """Create a task from `src` to `dst`; return its id."""
        told = {"src_bucket": "src", "dst_bucket": "dst", "src_cloud_type": "HuaweiCloud", **body}
        answer = await self(oms.CreateSyncTaskRequest(body=oms.CreateSyncTaskReq(**told)))
        found: str = answer.sync_task_id
        return found

    async def show(self, sync_task_id: str, at: datetime | None = None) -> Any:
        """Show a task with the counts of the month in which `at` lies."""
        ms = int((at or datetime.now(UTC)).timestamp() * 1000)
        return await self(oms.ShowSyncTaskRequest(sync_task_id=sync_task_id, query_time=ms))


async def done_by(api: ServedApi, child: int, at: datetime, sync: dict[str, Any], *, fails: bool = False) -> None:
    """Plan a child with one batch, run it, and end it at this time with these counts; wait until the view knows."""
    task = await api.log.load(child, fresh=True)
    assert task is not None
    nodes = freeze(Plan(subtasks=[SubtaskPlan(key="b", operation="noop")]), {"noop": OperationCard(name="noop")})
    outcome: cmd.Outcome = cmd.Succeeded({"sync": sync})
    if fails:
        outcome = cmd.Failed(_problem(sync), retryable=False)
    await _commit(api, child, at, cmd.RecordPlan("p", nodes, at))
    fence = await _commit(api, child, at, cmd.Claim(1, CLAIMANT, at))
    seq = await _commit(api, child, at, cmd.Settle(1, fence, outcome, at))
    answer = await api.admin.get(f"/api/v2/tasks/instances/{child}", params={"min_seq": seq})
    assert answer.status_code == 200, answer.text


def _problem(sync: dict[str, Any]) -> Any:

    return Problem(kind="SYNC_FAILED", message="some objects failed", detail={"sync": sync})


async def _commit(api: ServedApi, task_id: int, at: datetime, command: cmd.Command) -> int:
    note = Note(commit_id(), at, By(kind="executor", name="worker-1"))
    return (await api.log.transact(task_id, lambda task: decide(task, command), note, fresh=True)).seq
