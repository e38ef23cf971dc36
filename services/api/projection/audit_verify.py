"""The hash chains of the whole log, task by task, with the view as the witness of their ends. Changes nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.chain import Broken, Witness, check
from services.api.projection.checkpoint import check_log, read_checkpoint
from services.api.projection.faults import reading
from services.api.projection.fold import READERS
from services.api.projection.tables import tasks
from services.api.projection.verify import task_ids
from shared.log.jetstream import JetStreamStorage

PAGE = 500
KEPT = 1_000
"""How many broken links are kept to be named; all are counted."""


@dataclass(slots=True)
class Verified:
    """What was followed. `broken` are (task, link), the lowest log position first."""

    tasks: int = 0
    commits: int = 0
    links: int = 0
    """How many links are broken."""
    broken: list[tuple[int, Broken]] = field(default_factory=list)


async def verify_chains(storage: JetStreamStorage, engine: AsyncEngine) -> Verified:
    """Follow every task's chain. Raises `LogRegression`, `NotStored` or `ViewUnavailable`."""
    await check_log(storage, await read_checkpoint(engine))
    found = Verified()
    known: set[int] = set()
    last = 0
    while page := await _witnesses(engine, last):
        await _follow(storage, page, found)
        known.update(page)
        last = max(page)
    missing = sorted(await task_ids(storage) - known)
    for start in range(0, len(missing), PAGE):
        await _follow(storage, dict.fromkeys(missing[start : start + PAGE]), found)
    found.broken.sort(key=lambda one: one[1].seq)
    return found


async def _witnesses(engine: AsyncEngine, last: int) -> dict[int, Witness | None]:
    query = select(tasks.c.id, tasks.c.seq, tasks.c.head).where(tasks.c.id > last).order_by(tasks.c.id).limit(PAGE)
    async with reading(engine) as connection:
        return {row.id: Witness(row.seq, row.head) for row in await connection.execute(query)}


async def _follow(storage: JetStreamStorage, page: Mapping[int, Witness | None], found: Verified) -> None:
    gate = asyncio.Semaphore(READERS)

    async def follow(task_id: int, witness: Witness | None) -> None:
        async with gate:
            chain = check(task_id, await storage.read(task_id), witness)
        found.commits += chain.commits
        found.links += len(chain.broken)
        found.broken.extend((task_id, broken) for broken in chain.broken[: max(0, KEPT - len(found.broken))])

    await asyncio.gather(*(follow(task_id, witness) for task_id, witness in page.items()))
    found.tasks += len(page)
