"""The queue on JetStream: puts items, makes the stream and its consumers, and pulls into free slots.

Knows nothing of what an item leads to. A pool's consumer carries the stream's creation stamp in its name: after a
re-creation an old delivery's ack must not remove somebody else's message.
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from nats.aio.client import Client

from shared.messages import subjects
from shared.queue.port import Depth, QueueUnavailable, Waiting
from shared.queue.work_item import WorkItem, parse
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request
from shared.store.streams import create, work

ALREADY_QUEUED = 10077
NO_STREAM = 10059
NO_CONSUMER = 10014
NO_MESSAGE = 10037


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

    async def depth(self, pool: str) -> Depth | None:
        """Return how deep a pool's queue is, None while it has none. Raises `QueueUnavailable`."""
        bound = await self.bound(pool)
        if bound is None:
            return None
        try:
            info = await api(self.client, f"CONSUMER.INFO.{subjects.WORK}.{bound[1]}", timeout=self._timeout)
            oldest = await self._behind(pool, info["delivered"]["stream_seq"]) if info["num_pending"] else None
        except (ApiError, Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem
        return Depth(info["num_pending"], info["num_ack_pending"], oldest)

    async def strays(self, known: Mapping[str, Depth]) -> dict[str, Depth]:
        """Return how deep the queues of pools are that are not known: nobody has ever worked for them.

        Every item's name is asked for (the server tells 100,000), but only when there are more items than those known.
        Raises `QueueUnavailable`.
        """
        info, accounted = f"STREAM.INFO.{subjects.WORK}", sum(one.waiting + one.in_hand for one in known.values())
        try:
            if (await api(self.client, info, timeout=self._timeout))["state"]["messages"] <= accounted:
                return {}
            state = (await api(self.client, info, {"subjects_filter": "work.>"}, timeout=self._timeout))["state"]
            found = Counter(subject.split(".")[1] for subject in state.get("subjects") or ())
            return {
                pool: Depth(count, 0, await self._behind(pool, 0)) for pool, count in found.items() if pool not in known
            }
        except ApiError as error:
            if error.code == NO_STREAM:
                return {}
            raise QueueUnavailable(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise QueueUnavailable(str(problem)) from problem

    async def _behind(self, pool: str, seq: int) -> Waiting | None:
        """Return the first item of a pool behind this sequence: what was handed out lies before it."""
        asked = {"seq": seq + 1, "next_by_subj": subjects.work_pool(pool)}
        try:
            found = (await api(self.client, f"STREAM.MSG.GET.{subjects.WORK}", asked, timeout=self._timeout))["message"]
            item = parse(found["subject"], b64decode(found.get("data", "")))
        except ApiError as error:
            if error.code == NO_MESSAGE:
                return None
            raise
        except ValueError:
            return None
        return Waiting(item.task_id, item.subtask, datetime.fromisoformat(found["time"]))

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
