"""An executor of which there is nothing but its entry: it says how it is, and drains when it is told."""

import json
from typing import Any, Self

from shared.messages import subjects
from shared.runtime.clock import now
from shared.store.kv import Bucket
from tests.integration.api.harness import ServedApi


class Executor:
    """Use it as a context: it is alive in the block. `deaf`: nudges do not reach it."""

    def __init__(self, api: ServedApi, incarnation: str, *, deaf: bool = False, **more: Any) -> None:
        self.incarnation, self._deaf = incarnation, deaf
        self._bucket, self._nats = Bucket(api.nats, subjects.EXECUTORS), api.nats
        at = now().isoformat()
        self._said = {"name": f"named-{incarnation}", "pools": ["default"], "slots": 4, "startedAt": at, **more}

    async def __aenter__(self) -> Self:
        await self.say()
        heard = subjects.nudge(self.incarnation if not self._deaf else "nobody")
        self._subscription = await self._nats.subscribe(heard, cb=self._nudged)
        await self._nats.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscription.unsubscribe()
        await self._bucket.delete(self.incarnation)

    async def say(self, **more: Any) -> None:
        """Renew the entry."""
        self._said |= {"at": now().isoformat(), **more}
        await self._bucket.put(self.incarnation, json.dumps(self._said).encode())

    async def _nudged(self, message: Any) -> None:
        wish = json.loads(message.data)
        await self.say(draining=wish["drain"], drainedBy=wish["by"])
