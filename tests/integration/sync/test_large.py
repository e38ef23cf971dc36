"""Large objects: streamed part by part, with memory that does not grow with them."""

import asyncio
import hashlib
import os
import resource
import sys
from pathlib import Path

import pytest

from opsledger.testing import RunOperation
from services.executor.operations.object_sync_batch import ObjectSyncBatch
from services.executor.sync.budget import Budget
from services.executor.sync.check import Digest
from services.executor.sync.copying import Copier
from services.executor.sync.store import open_store
from tests.integration.sync.stores import OF, Folder
from tests.support.s3 import Bucket, S3Server

MIB = 1024 * 1024


def _peak() -> int:
    """The most memory this process had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.long
@pytest.mark.parametrize("to", ["file", "s3"])
async def test_200_mib_pass_through_less_than_80(
    run_operation: RunOperation, source: Folder, destination: Folder, s3_server: S3Server, bucket: Bucket, to: str
) -> None:
    """An object of 200 MiB arrives whole, and the process never holds more than 80 MiB for it."""
    file = source.path / "large"
    with file.open("wb") as out:
        for _ in range(200):
            out.write(os.urandom(MIB))
    os.utime(file, (1_000_000_000, 1_000_000_000))
    there = destination.connection("to") if to == "file" else s3_server.connection("to", bucket.name)
    before = _peak()

    ran = await run_operation(
        ObjectSyncBatch(),
        {"keys": ["large"], "of": OF},
        connections={"from": source.connection("from"), "to": there},
    )

    assert ran.output["sync"]["bytes"] == 200 * MIB
    assert _peak() - before < 80 * MIB
    if to == "file":
        assert _hash(destination.path / "large") == _hash(file)
    else:
        assert bucket.sha256("large") == _hash(file)
        assert bucket.head("large")["ETag"].endswith('-25"')


async def test_an_object_that_turns_out_large_is_streamed(source: Folder, destination: Folder) -> None:
    """What was taken for empty, since nobody could tell its size, comes over whole all the same."""
    source.put("grown", os.urandom(12 * MIB))
    from_there = open_store(source.connection("from"), "source")
    copier = Copier(from_there, open_store(destination.connection("to", part_mib="5"), "destination"), metadata=True)

    size = await copier.copy("grown", "grown", 0)

    assert size == 12 * MIB
    assert destination.all() == source.all()


async def test_a_digest_cuts_parts_where_the_store_does() -> None:
    """However pieces come, the e-tag is that of parts of one size, the last one shorter."""
    data = os.urandom(25)
    parts = [hashlib.md5(data[at : at + 10], usedforsecurity=False).digest() for at in (0, 10, 20)]
    expected = f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-3"

    for cuts in ((25,), (3, 22), (10, 10, 5), (1,) * 25):
        digest = Digest(10, parts=True)
        at = 0
        for cut in cuts:
            await digest.add(data[at : at + cut])
            at += cut
        assert digest.e_tag() == expected
        assert digest.whole() == hashlib.sha256(data).hexdigest()


async def test_a_budget_hands_out_no_more_than_it_has() -> None:
    """Who wants more than is left waits; one who gives up waiting takes nothing; one who wants all gets all at last."""
    budget, held, most = Budget(10), 0, 0

    async def take(size: int) -> None:
        nonlocal held, most
        async with budget.of(size):
            held += min(size, 10)
            most = max(most, held)
            await asyncio.sleep(0)
            held -= min(size, 10)

    async with budget.of(8):
        waiting = asyncio.create_task(take(5))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for size in (3, 4, 5, 100, 1, 2):
            group.create_task(take(size))

    assert most == 10
    assert held == 0
