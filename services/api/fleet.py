"""The executors there are, and what waits for them: who is alive, what each runs, how deep each pool's queue is.

What executors say of themselves (KV `executors`, gone when they are) is believed as far as it can be read. One can be
asked to take no new work; whether it does is seen in what it says afterwards, never assumed. Knows no task.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from services.api.bus.replicas import Replica
from shared.queue.port import Depth
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry
from shared.store.streams import Figures

PATIENCE: Final = 3.0
"""How long (s) an executor that was asked to drain may take to say so."""
ASK_AGAIN: Final = 0.25
_INCARNATION: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")

log = get(__name__)


class Silent(Exception):  # noqa: N818  what the world did
    """The executor lives, and has not done in time what it was asked for."""


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Run(_Said):
    """An attempt that runs now. `subtask` is its number in the task; `progress` what the operation reports of it."""

    task: int
    subtask: int
    fence: int
    progress: tuple[float, str] | None = None


class Executor(_Said):
    """One executor process, as it says it is. Times are by its own clock."""

    incarnation: str = ""
    name: Annotated[str, Field(max_length=300)]
    host: str = ""
    pid: int = 0
    version: str = ""
    pools: tuple[str, ...]
    slots: int
    held: int = 0
    """How many slots are taken, those that are about to claim included."""
    running: tuple[Run, ...] = ()
    draining: bool = False
    drained_by: str = ""
    draining_since: AwareDatetime | None = None
    started_at: AwareDatetime
    at: AwareDatetime
    beat_seconds: float = 10.0
    operations: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    attempts: int = 0
    takeovers: int = 0
    stale_reports: int = 0
    fenced: int = 0

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return max(self.held, len(self.running))

    def late(self, now: datetime) -> bool:
        """Whether it has missed a beat: it may be gone, or its clock may be wrong."""
        return (now - self.at).total_seconds() > 2 * self.beat_seconds


class Wishes(Protocol):
    """How an executor is told to take no new work, or to take work again."""

    async def drain(self, incarnation: str, by: str, *, on: bool) -> None:
        """Tell it; it may never arrive, and nothing is raised."""


class Queue(Protocol):
    """What is asked of the queue."""

    async def depth(self, pool: str) -> Depth | None:
        """Return how deep a pool's queue is, None while it has none. Raises `QueueUnavailable`."""

    async def strays(self, known: Mapping[str, Depth]) -> dict[str, Depth]:
        """Return how deep the queues of pools are that are not known. Raises `QueueUnavailable`."""


class Fleet:
    """Executors and queues of this installation."""

    def __init__(
        self,
        executors: Bucket,
        queue: Queue,
        wishes: Wishes,
        pools: Callable[[], set[str]],
        *,
        replicas: Callable[[], Awaitable[list[Replica]]],
        storage: Callable[[], Awaitable[list[Figures]]],
    ) -> None:
        self._executors = executors
        self._queue = queue
        self._wishes = wishes
        self._pools = pools
        self.replicas = replicas
        """Returns the API processes that answer."""
        self.storage = storage
        """Returns how full each stream is. Raises `BucketUnavailable`."""

    async def executors(self) -> list[Executor]:
        """Return those that live, by name. Raises `BucketUnavailable`."""
        found = filter(None, map(_read, await self._executors.all()))
        return sorted(found, key=lambda one: (one.name, one.started_at))

    async def executor(self, incarnation: str) -> Executor | None:
        """Return one, or None when it does not live. Raises `BucketUnavailable`."""
        if not _INCARNATION.fullmatch(incarnation):
            return None
        entry = await self._executors.get(incarnation)
        return _read(entry) if entry is not None else None

    async def drain(self, incarnation: str, by: str, *, on: bool) -> Executor | None:
        """Have an executor take no new work (`on`), or take work again; return what it says then.

        None when it does not live. Raises `Silent` when it does not say so in time, `BucketUnavailable`.
        """
        found = await self.executor(incarnation)
        if found is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                while found is not None and found.draining is not on:
                    await self._wishes.drain(incarnation, by, on=on)
                    await asyncio.sleep(ASK_AGAIN)
                    found = await self.executor(incarnation)
        except TimeoutError:
            raise Silent(f"no answer from {incarnation}") from None
        return found

    async def depths(self) -> dict[str, Depth | None]:
        """Return how deep the queue of each pool is that anything is offered in, or that something waits for.

        None for one without a queue. Raises `QueueUnavailable`, `BucketUnavailable`.
        """
        pools = sorted(self._pools() | {pool for one in await self.executors() for pool in one.pools})
        found = dict(zip(pools, await asyncio.gather(*map(self._queue.depth, pools)), strict=True))
        return found | await self._queue.strays({pool: depth for pool, depth in found.items() if depth is not None})


def _read(entry: Entry) -> Executor | None:
    if entry.value is None:
        return None
    try:
        return Executor.model_validate_json(entry.value).model_copy(update={"incarnation": entry.key})
    except ValidationError as error:
        log.warning("an executor's entry cannot be read", key=entry.key, why=str(error.errors()[0]["msg"]))
        return None
