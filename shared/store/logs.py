"""LOGS: what operations print, in batches, by task and subtask. Bounded by age and bytes; never the truth.

A subtask's batches can be read forwards from a position and backwards from the end. The server counts what follows a
position, so the place some batches before the end is found in a few steps, however long the log is.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.messages import headers, subjects
from shared.runtime.direct import BatchReads
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request

NO_MESSAGE = 10037
CHUNK = 32
"""How many batches are read at once: about 2 MiB."""


class LogsUnavailable(Exception):  # noqa: N818  what the world did
    """The lines could not be stored, or read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One batch and its stream sequence."""

    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What LOGS holds of all subtasks together: whether something has expired, and since when it has everything."""

    expired: bool
    since: datetime | None


class LogStore:
    """LOGS over one connection."""

    def __init__(self, client: Client, *, timeout: float = 5.0) -> None:
        self._client = client
        self._timeout = timeout
        self._reads = BatchReads(client)

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:
        """Store one batch. Raises `LogsUnavailable`; a batch may then be stored twice by a repeat."""
        try:
            raw = await request(self._client, subjects.logs(task_id, subtask), body, timeout=self._timeout)
        except (Unreachable, Unanswered) as problem:
            raise LogsUnavailable(str(problem)) from problem
        error = json.loads(raw).get("error")
        if error:
            raise LogsUnavailable(str(error.get("description")))

    async def read(self, task_id: int, subtask: int) -> list[bytes]:
        """Return all batches of a subtask, in order. Raises `LogsUnavailable`."""
        return [batch.body async for batch in self.batches(task_id, subtask)]

    async def batches(self, task_id: int, subtask: int) -> AsyncIterator[Stored]:
        """Yield all batches of a subtask, in order, about 2 MiB of them in memory. Raises `LogsUnavailable`."""
        after, last = 0, await self.last(task_id, subtask)
        while after < last:
            found = await self.after(task_id, subtask, after, upto=last)
            if not found:
                return
            for batch in found:
                yield batch
            after = found[-1].seq

    async def newest(self, task_id: int, subtask: int, most: int) -> tuple[list[Stored], bool]:
        """Return the newest batches, a little more than `most` bytes, and whether that is all of them."""
        subject = subjects.logs(task_id, subtask)
        (found, more), last = await asyncio.gather(self._counted(subject, 0, CHUNK), self.last(task_id, subtask))
        if not more:
            seen = found[-1].seq if found else 0
            return found + (await self.after(task_id, subtask, seen, upto=last) if seen < last else []), True
        found, size, seq = [], 0, last + 1
        while size < most:
            some = await self.before(task_id, subtask, seq)
            found = some + found
            if len(some) < CHUNK:
                return found, True
            size += sum(len(batch.body) for batch in some)
            seq = some[0].seq
        return found, False

    async def last(self, task_id: int, subtask: int) -> int:
        """Return the leader's last sequence of the subtask, 0 when it has printed nothing. Raises `LogsUnavailable`."""
        found = await self._get({"last_by_subj": subjects.logs(task_id, subtask)})
        return found.seq if found is not None else 0

    async def after(self, task_id: int, subtask: int, seq: int, *, size: int = CHUNK, upto: int = 0) -> list[Stored]:
        """Return at most `size` batches behind `seq`, in order. Raises `LogsUnavailable`.

        `upto`: this one is known to be stored; a replica that lags is helped out by the leader.
        """
        subject = subjects.logs(task_id, subtask)
        found, _ = await self._counted(subject, seq, size)
        while len(found) < size and (found[-1].seq if found else seq) < upto:
            more = await self._get({"seq": (found[-1].seq if found else seq) + 1, "next_by_subj": subject})
            if more is None:
                break
            found.append(more)
        return found

    async def before(self, task_id: int, subtask: int, seq: int, *, size: int = CHUNK) -> list[Stored]:
        """Return the last `size` batches before `seq`, in order; fewer when there are no more of them.

        Steps back as far as `size` batches of this subtask alone would reach, and twice as far each time others' lie
        between. Raises `LogsUnavailable`.
        """
        subject = subjects.logs(task_id, subtask)
        behind = await self._count(subject, seq - 1)
        start, step = seq - 1, size
        low = 0  # behind this position are more than enough
        while True:
            start = max(low, seq - 1 - step)
            count = await self._count(subject, start) - behind
            if count >= size or start == 0:
                break
            step *= 2
        if count > 2 * size:  # too far: the place lies between the last two steps
            start, count = await self._narrow(subject, start, seq - 1 - step // 2, behind, size)
        found: list[Stored] = []
        while count > 0:
            some, _ = await self._counted(subject, start, min(CHUNK, count))
            some = [batch for batch in some if batch.seq < seq]
            if not some:
                break
            found = (found + some)[-size:]
            start, count = some[-1].seq, count - len(some)
        return found

    async def _narrow(self, subject: str, low: int, high: int, behind: int, size: int) -> tuple[int, int]:
        """Return a position between `low` and `high` with at least `size` and at most twice as many batches."""
        while True:
            count = await self._count(subject, low) - behind
            if count <= 2 * size or high - low <= 1:
                return low, count
            middle = (low + high) // 2
            if await self._count(subject, middle) - behind >= size:
                low = middle
            else:
                high = middle

    async def kept(self) -> Kept:
        """Return since when LOGS holds everything that was printed. Raises `LogsUnavailable`."""
        try:
            info = await api(self._client, f"STREAM.INFO.{subjects.LOGS}", timeout=self._timeout)
        except (ApiError, Unreachable, Unanswered) as problem:
            raise LogsUnavailable(str(problem)) from problem
        state = info["state"]
        if int(state["first_seq"]) <= 1:
            return Kept(expired=False, since=None)
        if not int(state["messages"]):
            return Kept(expired=True, since=datetime.now(UTC))
        return Kept(expired=True, since=_time(state["first_ts"]))

    @asynccontextmanager
    async def heard(self, task_id: int, subtask: int) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set whenever the subtask prints, as far as that is heard: at most once."""
        event = asyncio.Event()

        async def arrived(_: Msg) -> None:
            event.set()

        try:
            subscription = await self._client.subscribe(subjects.logs(task_id, subtask), cb=arrived)
        except (NatsError, OSError) as problem:
            raise LogsUnavailable(str(problem)) from problem
        try:
            yield event
        finally:
            with suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _count(self, subject: str, seq: int) -> int:
        """Return how many batches lie behind `seq`."""
        found, more = await self._counted(subject, seq, 1)
        return len(found) + more

    async def _counted(self, subject: str, seq: int, size: int) -> tuple[list[Stored], int]:
        try:
            found, more = await self._reads.counted(subjects.LOGS, subject, seq, size, self._timeout)
        except Unreachable as problem:
            raise LogsUnavailable(str(problem)) from problem
        return [Stored(int((one.headers or {})[headers.SEQUENCE]), one.data) for one in found], more

    async def _get(self, query: dict[str, Any]) -> Stored | None:
        """Ask the leader for one batch."""
        try:
            answer = await api(self._client, f"STREAM.MSG.GET.{subjects.LOGS}", query, timeout=self._timeout)
        except ApiError as error:
            if error.code == NO_MESSAGE:
                return None
            raise LogsUnavailable(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise LogsUnavailable(str(problem)) from problem
        message = answer["message"]
        return Stored(int(message["seq"]), base64.b64decode(message.get("data", "")))


def _time(text: str) -> datetime:
    """Return a server's RFC 3339 time."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6]:0<6}").replace(tzinfo=UTC)
