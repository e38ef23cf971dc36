"""Sweeps: what is listed, how lanes share it, and what is left out."""

import json
from typing import Any

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.operations.contract import Connection, PermanentFault, TransientFault
from services.executor.operations.object_sync_finish import ObjectSyncFinish
from services.executor.operations.object_sync_lane import ObjectSyncLane
from services.executor.operations.object_sync_list import ObjectSyncList
from services.executor.task_types.object_sync import object_sync_request, object_sync_sweep
from shared.task.plan import check_graph
from tests.integration.sync.stores import OF, Folder, objects, rows
from tests.support.s3 import Bucket, S3Server


async def _sweep(
    run_operation: RunOperation, ran: Ran, connections: dict[str, Connection], prefix: str = "", **of: Any
) -> list[Any]:
    of = {**OF, **of}
    await run_operation(ObjectSyncList(), {"prefix": prefix, "of": of}, connections=connections, into=ran)
    listed, outputs = ran.output, []
    for lane in (1, 2):
        params = {"lane": lane, "lanes": 2, "of": of}
        await run_operation(ObjectSyncLane(), params, connections=connections, upstreams={"list": listed}, into=ran)
        outputs.append(ran.output)
    return [listed, *outputs]


async def test_a_sweep_brings_everything_below_a_prefix(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """1,201 objects go through two lanes in three batches; others, and lists that lie there, stay behind."""
    for number in range(1_201):
        source.put(f"in/a-{number}", b"x")
    source.put("in/b", b"other")
    source.put("oms/sync_task/1/object_lists/l.txt", b"a list")
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    ran = Ran()

    listed, first, second = await _sweep(run_operation, ran, connections, "in/a-")
    everything = await run_operation(ObjectSyncList(), {"of": OF}, connections=connections)

    assert (listed["keys"], listed["batches"]) == (1_201, 3)
    assert (first["batches"], second["batches"]) == (2, 1)
    assert first["sync"]["synced"] + second["sync"]["synced"] == 1_201
    found = destination.all()
    assert len(rows(found, "success_object_lists")) == 1_201
    assert objects(found).keys() == objects(source.all()).keys() - {"in/b"}
    assert everything.output["keys"] == 1_202


async def test_a_lane_that_begins_anew_passes_over_what_is_done(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """A second attempt copies nothing again, and tells the same counts and lists."""
    for number in range(510):
        source.put(f"k-{number}", b"x")
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    ran = Ran()
    _, first, _ = await _sweep(run_operation, ran, connections)
    before = destination.all()
    for number in range(510):
        source.put(f"k-{number}", b"later")

    params = {"lane": 1, "lanes": 2, "of": OF}
    index = next(name for name in ran.results if name.endswith("/index"))
    listed = {"index": await ran.find(index)}
    await run_operation(ObjectSyncLane(), params, connections=connections, upstreams={"list": listed}, into=ran)

    assert {**ran.output["sync"], "at": ""} == {**first["sync"], "at": ""}
    assert destination.all() == before


async def test_a_sweep_of_a_bucket_whose_names_cannot_be_addressed_says_so(
    run_operation: RunOperation, s3_server: S3Server, bucket: Bucket, destination: Folder
) -> None:
    """A bucket that is not there, and a name that cannot be listed, each fail the listing with what to do."""
    gone = {"from": s3_server.connection("from", "no-such-bucket"), "to": destination.connection("to")}
    with pytest.raises(PermanentFault, match="there is no such bucket"):
        await run_operation(ObjectSyncList(), {"of": OF}, connections=gone)

    bucket.put("a/../b", b"1")
    odd = {"from": s3_server.connection("from", bucket.name), "to": destination.connection("to")}
    with pytest.raises((PermanentFault, TransientFault), match="rename it, or sweep the folders beside it"):
        await run_operation(ObjectSyncList(), {"of": OF}, connections=odd)


async def test_a_sweep_of_a_bucket(
    run_operation: RunOperation, s3_server: S3Server, bucket: Bucket, destination: Folder
) -> None:
    """What a bucket lists arrives in the folder, and `finish` has nothing left to do."""
    for number in range(30):
        bucket.put(f"deep/{number}", str(number).encode())
    connections = {"from": s3_server.connection("from", bucket.name), "to": destination.connection("to")}
    ran = Ran()

    _, *lanes = await _sweep(run_operation, ran, connections, source_prefix="deep", destination_prefix="here")
    upstreams = {f"lane-{number}": output for number, output in enumerate(lanes)}
    await run_operation(ObjectSyncFinish(), {"of": OF}, upstreams=upstreams, connections=connections, into=ran)

    assert ran.output["failed"] == 0
    assert objects(destination.all()) == {f"here/{number}": str(number).encode() for number in range(30)}


async def test_what_many_batches_of_a_lane_leave_reaches_finish(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """Objects that vanish between listing and copying are left by each batch, and listed as failed by `finish`."""
    for number in range(1_010):
        source.put(f"k-{number}", b"x")
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    ran = Ran()
    await run_operation(ObjectSyncList(), {"of": OF}, connections=connections, into=ran)
    listed = ran.output
    for number in range(1_000, 1_010):
        (source.path / f"k-{number}").unlink()

    params = {"lane": 1, "lanes": 1, "of": OF}
    await run_operation(ObjectSyncLane(), params, connections=connections, upstreams={"list": listed}, into=ran)
    lane = ran.output
    with pytest.raises(PermanentFault, match="10 objects could not be synced") as failure:
        await run_operation(
            ObjectSyncFinish(), {"of": OF}, upstreams={"lane-1": lane}, connections=connections, into=ran
        )

    assert (lane["sync"]["synced"], lane["unsettled"]) == (1_000, 10)
    assert failure.value.detail["sync"]["failed"] == 10
    assert len({row[3] for row in rows(destination.all(), "failed_object_lists")}) == 10


def test_a_request_is_cut_into_batches_that_fit() -> None:
    """10,000 keys become 20 batches of 500, each key once; long keys make smaller batches; every graph is sound."""
    many = object_sync_request.plan({"keys": [f"k{number}" for number in range(9_999)] + ["k0"], "of": OF})
    long = object_sync_request.plan({"keys": [f"{number:04}" + "ü" * 1_000 for number in range(200)], "of": OF})
    sweep = object_sync_sweep.plan({"of": {**OF, "description": "ignored"}, "lanes": 3})

    assert len(many.subtasks) == 21
    assert sum(len(node.params.get("keys", [])) for node in many.subtasks) == 9_999
    assert all(len(json.dumps(node.params, ensure_ascii=False).encode()) < 150 * 1024 for node in long.subtasks)
    assert [node.key for node in sweep.subtasks] == ["list", "lane-1", "lane-2", "lane-3", "finish"]
    for plan in (many, long, sweep):
        check_graph(plan)


def test_a_sweep_needs_a_prefix_that_can_be_one() -> None:
    """Prefixes with `..` are refused when the task is made, not when it runs."""
    with pytest.raises(PermanentFault, match=r"of\.source_prefix"):
        object_sync_request.plan({"keys": ["k"], "of": {**OF, "source_prefix": "../up"}})
