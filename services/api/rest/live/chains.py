"""The chains of many tasks while messages of all of them are read in the order of the log. Bounded.

A task that is met in the middle of its history has what came before read from the log, once.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from services.api.rest.live.chain import Chain, entries, read
from services.api.rest.live.fan import Item
from shared.log.port import Stored
from shared.log.transact import TaskLog
from shared.messages.codec import Undecodable

KEPT = 4096
CHUNK = 512


class Chains:
    """For one reading of the log: `at` must be asked for each message, in order."""

    def __init__(self, log: TaskLog, *, kept: int = KEPT) -> None:
        self._log = log
        self._limit = kept
        self._chains: OrderedDict[int, Chain] = OrderedDict()

    async def at(self, task_id: int, seq: int, *, first: bool) -> Chain:
        """Return the task's chain as it stands before its message at `seq`. Raises `LogUnavailable`.

        `first`: the server took that message as the first one of the task.
        """
        chain = self._chains.get(task_id)
        if chain is None:
            chain = Chain(task_id) if first else await self._before(task_id, seq)
            self._chains[task_id] = chain
            if len(self._chains) > self._limit:
                self._chains.popitem(last=False)
        else:
            self._chains.move_to_end(task_id)
        return chain

    def forget(self) -> None:
        """Begin anew: the reading goes on elsewhere."""
        self._chains.clear()

    async def _before(self, task_id: int, seq: int) -> Chain:
        chain, start = Chain(task_id), 0
        while True:
            found = await self._log.history(task_id, start, limit=CHUNK)
            for stored in found:
                if stored.seq >= seq:
                    return chain
                chain.take(stored.body)
            if len(found) < CHUNK:
                return chain
            start = found[-1].seq


async def item_of(chain: Chain, stored: Stored, whole: Callable[[int], Awaitable[Stored | None]]) -> Item:
    """Return what is handed on of a message, which the chain takes; `whole` reads a message with its time."""
    counts = chain.take(stored.body)
    if not counts and isinstance(read(chain.task_id, stored.body), Undecodable):
        stored = await whole(stored.seq) or stored  # all that is shown of it is when it was stored
    data = partial(entries, chain.task_id, stored, ignored=not counts)
    return Item(stored.seq, chain.task_id, chain.labels, 2 * len(stored.body) + 500, data)
