"""The queue is a cache of the log: delete it, and the rescuer brings it back."""

from pathlib import Path

from shared.messages import subjects
from shared.runtime.nats import ApiError
from shared.runtime.nats import api as jetstream
from tests.integration.api.harness import ServedApi, plan, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer


async def queued(api: ServedApi) -> set[str]:
    """The subjects of what is queued; empty also without a queue."""
    try:
        info = await jetstream(api.nats, f"STREAM.INFO.{subjects.WORK}", {"subjects_filter": ">"})
    except ApiError:
        return set()
    return set(info["state"].get("subjects") or {})


async def test_a_deleted_queue_comes_back_from_the_log(tmp_path: Path, nats_server: NatsServer) -> None:
    """Stream, consumer and items: what was ready is queued again, what was planned by nobody too."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db", rescue_after_seconds=0.6) as api:
        planned = await api.create({"plan": {"subtasks": [{"key": k, "operation": "noop"} for k in "ab"]}})
        typed = await api.create({"type": "greeting", "params": {"name": "a"}})
        ended = await api.create(plan())
        await api.finish(ended["id"], 1)
        wanted = {
            subjects.work("default", planned["id"], 1, 1, 1),
            subjects.work("default", planned["id"], 2, 1, 1),
            subjects.work("default", typed["id"], 0, 0, 0),
        }
        await eventually(lambda: _has(api, wanted))

        await jetstream(api.nats, f"STREAM.DELETE.{subjects.WORK}")
        assert await queued(api) == set()

        await eventually(lambda: _has(api, wanted), timeout=15)
        consumers = await jetstream(api.nats, f"CONSUMER.NAMES.{subjects.WORK}")
        assert len(consumers["consumers"]) == 1
        numbers = (await api.admin.get("/metrics")).text
        assert "opsledger_rescued_items_total 0.0" not in numbers


async def _has(api: ServedApi, wanted: set[str]) -> bool:
    found = await queued(api)
    assert wanted <= found, found
    return True
