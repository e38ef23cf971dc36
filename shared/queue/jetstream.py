"""The queue on JetStream: puts items, makes the stream and its consumers, and pulls into free slots.

Knows nothing of what an item leads to. A pool's consumer carries the stream's creation stamp in its name: after a
re-creation an old delivery's ack must not remove somebody else's message.
"""

import json
from hashlib import sha256

from nats.aio.client import Client

from shared.messages import subjects
from shared.queue.port import QueueUnavailable
from shared.queue.work_item import WorkItem
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request
from shared.store.streams import create, work

ALREADY_QUEUED = 10077
NO_STREAM = 10059
NO_CONSUMER = 10014


def stamp_of(created: str) -> str:
    """Return WORK's creation stamp from its creation time."""
    return sha256(created.encode()).hexdigest()[:12]


def consumer_of(pool: str, stamp: str) -> str:
    """Return the name of a pool's consumer."""
    return f"{pool}-{stamp}"


class JetStreamQueue:
    """WORK over one connection."""

    def __init__(self, client: Client, *, replicas: int = 1, ack_wait: float = 30.0, timeout: float = 5.0) -> None:
        self.client = client
        self._replicas = replicas
        self._ack_wait = ack_wait
        self._timeout = timeout

    async def put(self, item: WorkItem) -> bool:
        """Queue an item; False when it is already queued or in flight."""
        try:
            answer = json.loads(await request(self.client, item.subject, item.encode(), timeout=self._timeout))
        except (Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem
        error = answer.get("error")
        if error is None:
            return True
        if error.get("err_code") == ALREADY_QUEUED:
            return False
        raise QueueUnavailable(f"{error.get('description')} ({error.get('err_code')})")

    async def stamp(self) -> str | None:
        """Return the stream's creation stamp, or None when WORK does not exist. Raises `QueueUnavailable`."""
        try:
            info = await api(self.client, f"STREAM.INFO.{subjects.WORK}", timeout=self._timeout)
        except ApiError as error:
            if error.code == NO_STREAM:
                return None
            raise QueueUnavailable(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem
        return stamp_of(info["created"])

    async def bound(self, pool: str) -> tuple[str, str] | None:
        """Return (stamp, consumer) of a pool, or None while one of them is missing. Raises `QueueUnavailable`."""
        stamp = await self.stamp()
        if stamp is None:
            return None
        consumer = consumer_of(pool, stamp)
        try:
            await api(self.client, f"CONSUMER.INFO.{subjects.WORK}.{consumer}", timeout=self._timeout)
        except ApiError as error:
            if error.code in {NO_CONSUMER, NO_STREAM}:
                return None
            raise QueueUnavailable(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem
        return stamp, consumer

    async def ensure(self, pools: set[str]) -> bool:
        """Create WORK and the pools' consumers where they are missing, change none; return whether any was missing.

        Only `init` and the rescuer may call this. Raises `QueueUnavailable`.
        """
        made = False
        try:
            made = await create(self.client, work(self._replicas))
            stamp = await self.stamp()
            for pool in sorted(pools) if stamp is not None else ():
                if await self.bound(pool) is None:
                    await self._create_consumer(pool, stamp or "")
                    made = True
        except ApiError as error:
            raise QueueUnavailable(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem
        return made

    async def _create_consumer(self, pool: str, stamp: str) -> None:
        name = consumer_of(pool, stamp)
        config = {
            "durable_name": name,
            "name": name,
            "filter_subject": subjects.work_pool(pool),
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait * 1e9),
            "max_deliver": -1,
            "max_ack_pending": -1,
            "deliver_policy": "all",
            "replay_policy": "instant",
            "max_waiting": 2048,
        }
        await api(
            self.client,
            f"CONSUMER.CREATE.{subjects.WORK}.{name}.{subjects.work_pool(pool)}",
            {"stream_name": subjects.WORK, "config": config, "action": "create"},
            timeout=self._timeout,
        )
