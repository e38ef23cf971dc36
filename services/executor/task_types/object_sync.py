"""`object.sync`, a standing task, and its requests: `object.sync.request` for keys, `object.sync.sweep` for all.

A request is cut into batches of at most 500 keys, side by side, and `finish`; a sweep into a listing, lanes, and
`finish`. `of` holds the standing task's parameters and, as `task`, its id. Refuses to know stores.
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints
from pydantic_core import to_json

from services.executor.operations.contract import Params
from services.executor.sync.params import Key, ObjectSyncParams, Rules
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan

BATCH: Final = 500
BATCH_BYTES: Final = 120 * 1024
"""A subtask of a plan has room for 180 KiB, with everything around the keys."""
AT_ONCE: Final = 8
AGAIN: Final = RetryPolicy(times=3, delay_seconds=2)


class ObjectSyncRequestParams(Params):
    """Which objects; a key named twice is synchronised once."""

    keys: Annotated[list[Key], Field(min_length=1, max_length=10_000)]
    of: Rules


class ObjectSyncSweepParams(Params):
    """All objects whose key begins with `prefix`, in so many lanes side by side."""

    prefix: Annotated[str, StringConstraints(max_length=1_000)] = ""
    lanes: Annotated[int, Field(ge=1, le=64)] = 4
    of: Rules


@task_type("object.sync", standing=True)
def object_sync(params: ObjectSyncParams) -> None:
    """Keeps a destination in step with a source: takes requests for objects, and sweeps."""


@task_type("object.sync.request", child_of="object.sync")
def object_sync_request(params: ObjectSyncRequestParams) -> Plan:
    """Synchronises the objects that somebody named."""
    of = params.of.model_dump()
    batches = [
        SubtaskPlan(
            key=f"batch-{number}",
            name=f"Batch {number}, {len(keys)} objects",
            operation="object.sync.batch",
            params={"keys": keys, "of": of},
            retry=AGAIN,
        )
        for number, keys in enumerate(_batches(params.keys), start=1)
    ]
    return Plan(subtasks=[*batches, _finish(of, batches)], concurrency=AT_ONCE)


@task_type("object.sync.sweep", child_of="object.sync")
def object_sync_sweep(params: ObjectSyncSweepParams) -> Plan:
    """Synchronises all objects of the source, or those below a prefix."""
    of = params.of.model_dump()
    listing = SubtaskPlan(
        key="list",
        name="List the source",
        operation="object.sync.list",
        params={"prefix": params.prefix, "of": of},
        retry=AGAIN,
    )
    lanes = [
        SubtaskPlan(
            key=f"lane-{lane}",
            name=f"Lane {lane}",
            operation="object.sync.lane",
            params={"lane": lane, "lanes": params.lanes, "of": of},
            upstreams=["list"],
            retry=AGAIN,
        )
        for lane in range(1, params.lanes + 1)
    ]
    return Plan(subtasks=[listing, *lanes, _finish(of, lanes)], concurrency=max(AT_ONCE, params.lanes))


def _finish(of: dict[str, object], upstreams: list[SubtaskPlan]) -> SubtaskPlan:
    return SubtaskPlan(
        key="finish",
        name="What was left",
        operation="object.sync.finish",
        params={"of": of},
        upstreams=[one.key for one in upstreams],
        retry=AGAIN,
    )


def _batches(keys: list[str]) -> list[list[str]]:
    """Cut keys, each once, into batches that fit into a subtask."""
    batches: list[list[str]] = [[]]
    size = 0
    for key in dict.fromkeys(keys):
        takes = len(to_json(key)) + 1
        if batches[-1] and (len(batches[-1]) == BATCH or size + takes > BATCH_BYTES):
            batches.append([])
            size = 0
        batches[-1].append(key)
        size += takes
    return batches
