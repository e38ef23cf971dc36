"""Stand-ins for the parts of the API that reach outside: buckets, the queue, ids, the object store."""

from hashlib import sha256
from typing import Any

from services.api.catalog import Catalog
from services.api.commands import Commands
from services.api.creator import Creator
from services.api.keys import Keys
from shared.log.memory import MemoryStorage
from shared.log.transact import TaskLog
from shared.queue.port import QueueUnavailable
from shared.queue.work_item import WorkItem
from shared.store.kv import Entry
from shared.task.plan import OperationCard, TypeCard

GREETING = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "times": {"type": "integer", "minimum": 1}},
    "required": ["name"],
    "additionalProperties": False,
}


class FakeBucket:
    """A bucket in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.revisions: dict[str, int] = {}
        self._last = 0

    async def get(self, key: str) -> Entry | None:
        """Look a key up."""
        return Entry(key, self.entries[key], self.revisions.get(key, 1)) if key in self.entries else None

    async def put(self, key: str, value: bytes) -> int:
        """Store a value."""
        self._last += 1
        self.entries[key], self.revisions[key] = value, self._last
        return self._last

    async def create(self, key: str, value: bytes) -> bool:
        """Store a value unless the key is there."""
        if key in self.entries:
            return False
        await self.put(key, value)
        return True

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        """Store a value if the key is still at this revision."""
        return await self.put(key, value) if self.revisions.get(key, 1) == revision else None

    async def delete(self, key: str, revision: int | None = None) -> bool:
        """Delete a key, if it is still at this revision where one is given."""
        if revision is not None and self.revisions.get(key, 1) != revision:
            return False
        self.entries.pop(key, None)
        await self.put(key, b"")
        del self.entries[key]
        return True

    async def all(self) -> list[Entry]:
        """Return every entry."""
        return [Entry(key, value, self.revisions.get(key, 1)) for key, value in self.entries.items()]


class FakeQueue:
    """A queue in memory that refuses a second copy, as WORK does."""

    def __init__(self) -> None:
        self.items: dict[str, WorkItem] = {}
        self.away = False
        self.bound_pools = {"default"}
        self.ensured: list[set[str]] = []

    async def put(self, item: WorkItem) -> bool:
        """Queue an item; False when it is queued already."""
        if self.away:
            raise QueueUnavailable("no responders")
        fresh = item.subject not in self.items
        self.items[item.subject] = item
        return fresh

    async def bound(self, pool: str) -> tuple[str, str] | None:
        """Say whether a pool has its consumer."""
        return ("stamp", pool) if pool in self.bound_pools else None

    async def ensure(self, pools: set[str]) -> bool:
        """Make what is missing."""
        self.ensured.append(pools)
        self.bound_pools |= pools
        return True


class FakeIds:
    """Ids from 1."""

    def __init__(self) -> None:
        self.last = 0

    async def next(self) -> int:
        """Return the next id."""
        self.last += 1
        return self.last


class FakeObjects:
    """An object store in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store the data; return its reference."""
        self.objects[name] = data
        return {"object": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}


class FakeNudges:
    """Remembers whom it was to nudge."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    async def nudge(self, incarnation: str, task_id: int) -> None:
        """Remember."""
        self.sent.append((incarnation, task_id))


class Desk:
    """Commands over stand-ins and the log in memory."""

    def __init__(self, storage: MemoryStorage | None = None) -> None:
        self.storage = storage or MemoryStorage()
        self.log = TaskLog(self.storage, patience=0.2)
        self.queue, self.ids, self.objects, self.bucket = FakeQueue(), FakeIds(), FakeObjects(), FakeBucket()
        self.catalog = Catalog(FakeBucket())  # type: ignore[arg-type]  # a bucket in memory
        creator = Creator(self.log, self.ids, Keys(self.bucket), self.objects, self.catalog)  # type: ignore[arg-type]
        self.nudges = FakeNudges()
        self.commands = Commands(self.log, self.queue, creator, self.nudges)

    async def offer(self, *cards: OperationCard | TypeCard) -> None:
        """Put cards into the catalogue."""
        for card in cards:
            kind = "operation" if isinstance(card, OperationCard) else "type"
            entry = Entry(f"{kind}/{card.name}/{card.pool}", card.model_dump_json().encode(), 1)
            await self.catalog.seen(entry)

    @classmethod
    async def furnished(cls) -> "Desk":
        """A desk with an operation `noop`, one `greet` and a type `greeting`."""
        desk = cls()
        await desk.offer(
            OperationCard(name="noop"),
            OperationCard(name="greet", params_schema=GREETING),
            TypeCard(name="greeting", version=3, params_schema=GREETING, pool="default"),
        )
        return desk
