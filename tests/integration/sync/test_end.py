"""How synchronisation ends early: cancelled, out of space, without a connection; and what is left for the retry."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.operations.contract import Cancelled, Connection, Context, PermanentFault, TransientFault
from services.executor.operations.object_sync_batch import ObjectSyncBatch, ObjectSyncBatchParams
from services.executor.operations.object_sync_finish import ObjectSyncFinish
from tests.integration.sync.stores import OF, Folder, objects, rows
from tests.support.eventually import eventually
from tests.support.s3 import Bucket, S3Server

MIB = 1024 * 1024


async def test_a_cancel_ends_within_a_second_and_the_retry_tells_what_was_copied(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """Cancelled in the middle it stops; nothing is listed yet; the retry lists and counts everything, once."""
    keys = [f"k-{number}" for number in range(1_000)]
    for key in keys:
        source.put(key, os.urandom(40_000))
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    cancelled, ran = asyncio.Event(), Ran()
    running = asyncio.ensure_future(
        run_operation(
            ObjectSyncBatch(), {"keys": keys, "of": OF}, connections=connections, cancelled=cancelled, into=ran
        )
    )
    await eventually(lambda: any(destination.path.iterdir()), interval=0.001)
    cancelled.set()
    began = time.monotonic()

    with pytest.raises(Cancelled):
        await running
    took = time.monotonic() - began
    before = destination.all()
    await run_operation(ObjectSyncBatch(), {"keys": keys, "of": OF}, connections=connections, generation=2, into=ran)

    assert took < 1
    assert 0 < len(before) < 1_000
    assert objects(before) == before
    assert ran.output["sync"]["synced"] == 1_000
    assert ran.output["sync"]["ignored"] == 0
    assert sorted(row[1] for row in rows(destination.all(), "success_object_lists")) == sorted(keys)


async def test_a_cancel_takes_back_the_parts_of_a_large_object(
    run_operation: RunOperation, source: Folder, s3_server: S3Server, bucket: Bucket
) -> None:
    """A large object on its way to a bucket is given up: no object, no unfinished upload."""
    source.put("large", os.urandom(64 * MIB))
    connections = {"from": source.connection("from"), "to": s3_server.connection("to", bucket.name, part_mib="5")}
    cancelled = asyncio.Event()
    running = asyncio.ensure_future(
        run_operation(ObjectSyncBatch(), {"keys": ["large"], "of": OF}, connections=connections, cancelled=cancelled)
    )
    await eventually(bucket.unfinished, timeout=10)
    cancelled.set()
    began = time.monotonic()

    with pytest.raises(Cancelled):
        await running

    assert time.monotonic() - began < 1.5
    assert bucket.all() == {}
    await eventually(lambda: bucket.unfinished() == [], what="the parts are taken back")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Folder]:
    """A folder on a disk of 256 KiB."""
    path = tmp_path / "small-disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(path)], check=False)
    if made.returncode != 0:
        pytest.skip("no right to mount a small disk")
    try:
        yield Folder(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)


async def test_a_full_disk_is_a_cause_and_what_was_copied_is_told_later(
    run_operation: RunOperation, source: Folder, full_disk: Folder
) -> None:
    """Objects that find no room fail with the cause and are listed while lists find room; nothing is half there."""
    for key, size in (("a", 100_000), ("b", 100_000), ("c", 100_000)):
        source.put(key, os.urandom(size))
    connections = {"from": source.connection("from"), "to": full_disk.connection("to")}
    ran = Ran()

    await run_operation(ObjectSyncBatch(), {"keys": ["a", "b", "c"], "of": OF}, connections=connections, into=ran)
    assert ran.output["sync"]["synced"] == 2
    with pytest.raises(PermanentFault, match="the disk is full: free space there") as failure:
        await run_operation(
            ObjectSyncFinish(), {"of": OF}, upstreams={"b": ran.output}, connections=connections, into=ran
        )

    assert failure.value.detail["causes"] == {"DiskFull": 1}
    found = objects(full_disk.all())
    assert len(found) == 2
    assert all(body == (source.path / key).read_bytes() for key, body in found.items())


async def test_a_disk_too_full_for_lists_fails_the_batch(
    run_operation: RunOperation, source: Folder, full_disk: Folder
) -> None:
    """When not even a list fits, the batch fails and says so; with room again its retry tells everything."""
    source.put("a", b"1" * 8_000)
    (full_disk.path / "filler").write_bytes(os.urandom(256 * 1024 - 3 * 4096))
    (full_disk.path / "more").write_bytes(b"")
    connections = {"from": source.connection("from"), "to": full_disk.connection("to")}
    ran = Ran()

    with pytest.raises(TransientFault, match=r"cannot be written.*the disk is full") as failure:
        await run_operation(ObjectSyncBatch(), {"keys": ["a"], "of": OF}, connections=connections, into=ran)
    (full_disk.path / "filler").unlink()
    await run_operation(ObjectSyncBatch(), {"keys": ["a"], "of": OF}, connections=connections, generation=2, into=ran)

    assert failure.value.detail["code"] == "DiskFull"
    assert ran.output["sync"]["requested"] == 1


async def test_a_missing_connection_fails_with_its_name(run_operation: RunOperation, source: Folder) -> None:
    """Nothing can be said of objects then; the batch fails and names the connection."""
    with pytest.raises(PermanentFault, match="'to'"):
        await run_operation(
            ObjectSyncBatch(), {"keys": ["a"], "of": OF}, connections={"from": source.connection("from")}
        )


async def test_between_memories(run_operation: RunOperation, tmp_path: Path) -> None:
    """Two stores in memory, filled from a folder and emptied into one, keep content type and bytes."""
    folder = Folder.new(tmp_path / "in")
    out = Folder.new(tmp_path / "out")
    folder.put("k", b"1" * 3 * MIB)
    name = f"{tmp_path.name}-{time.time_ns()}".lower().replace("_", "-")
    memory = Connection("memory", f"memory://{name}")

    await run_operation(
        ObjectSyncBatch(), {"keys": ["k"], "of": OF}, connections={"from": folder.connection("from"), "to": memory}
    )
    await run_operation(
        ObjectSyncBatch(), {"keys": ["k"], "of": OF}, connections={"from": memory, "to": out.connection("to")}
    )

    assert objects(out.all()) == folder.all()


async def test_an_attempt_that_lost_its_lease_writes_nothing_more(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """When the coroutine is cancelled, no thread goes on copying behind its back."""
    keys = [f"k-{number}" for number in range(1_000)]
    for key in keys:
        source.put(key, os.urandom(40_000))
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    running = asyncio.ensure_future(run_operation(ObjectSyncBatch(), {"keys": keys, "of": OF}, connections=connections))
    await eventually(lambda: any(destination.path.iterdir()), interval=0.001)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    before = destination.all()
    source.put("after", b"1")
    await run_operation(ObjectSyncBatch(), {"keys": ["after"], "of": OF}, connections=connections)

    assert len(before) < 1_000
    assert objects(destination.all()) == before | {"after": b"1"}


async def test_unfinished_files_of_a_killed_attempt_are_removed_and_others_are_not(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """What the next attempt finds half-written beside its names goes; what is older, or differs, stays."""
    for key in ("a", "b", "c"):
        source.put(key, key.encode() * 100)
    destination.put("b#1", b"bbb", age=3600)
    ran = Ran()
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    cancelled = asyncio.Event()
    with pytest.raises(Cancelled):
        await run_operation(
            _CancelledAfterDeciding(cancelled),
            {"keys": ["a", "b", "c"], "of": OF},
            connections=connections,
            cancelled=cancelled,
            into=ran,
        )
    (destination.path / "a#1").write_bytes(b"a" * 50)
    (destination.path / "c#1").write_bytes(b"somebody's own")

    await run_operation(ObjectSyncBatch(), {"keys": ["a", "b", "c"], "of": OF}, connections=connections, into=ran)

    found = objects(destination.all())
    assert found == {"a": b"a" * 100, "b": b"b" * 100, "c": b"c" * 100, "b#1": b"bbb", "c#1": b"somebody's own"}


class _CancelledAfterDeciding(ObjectSyncBatch):
    """A batch that is cancelled when its decisions are written down, and before it copies."""

    name = "object.sync.batch"

    def __init__(self, cancelled: asyncio.Event) -> None:
        self._cancelled = cancelled

    async def execute(self, ctx: Context, params: ObjectSyncBatchParams) -> dict[str, Any]:
        """As a batch."""
        put = ctx.results.put

        async def store(name: str, data: bytes) -> dict[str, Any]:
            self._cancelled.set()
            return await put(name, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ctx.results, "put", store)
            return await super().execute(ctx, params)
