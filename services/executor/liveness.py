"""Liveness: this incarnation's entry in KV `executors`, renewed every AckWait/3, gone when this process is.

Also puts the cards of what this executor offers into KV `catalog`. Knows nothing of other executors.
"""

import asyncio
import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from services.executor.catalog import Catalog
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, BucketUnavailable

log = get(__name__)


class Liveness:
    """Keeps one entry alive. `describe` gives what changes: fences, attempts, what runs."""

    def __init__(
        self,
        executors: Bucket,
        catalog: Bucket,
        offers: Catalog,
        *,
        incarnation: str,
        pools: frozenset[str],
        slots: int,
        ack_wait: float,
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        self._executors = executors
        self._catalog = catalog
        self._offers = offers
        self._incarnation = incarnation
        self._pools = pools
        self._pause = ack_wait / 3
        self._describe = describe
        self._changed = asyncio.Event()
        self._fixed = {
            "host": platform.node(),
            "pid": os.getpid(),
            "pools": sorted(pools),
            "slots": slots,
            "startedAt": now().isoformat(),
            "version": version("opsledger"),
            "beatSeconds": round(self._pause, 3),
            "operations": sorted(offers.operations),
            "taskTypes": sorted(offers.types),
        }

    async def announce(self) -> None:
        """Publish the cards and the first entry. Raises `BucketUnavailable`."""
        for pool in self._pools:
            for kind, card in cards(self._offers, pool):
                key = subjects.card(kind, str(card["name"]), str(card["pool"]))
                value = json.dumps(card).encode()  # in its author's order: forms follow it
                known = await self._catalog.get(key)
                if known is None or known.value != value:
                    await self._catalog.put(key, value)
        await self.beat()

    async def beat(self) -> None:
        """Renew the entry. Raises `BucketUnavailable`."""
        content = {**self._fixed, **self._describe(), "at": now().isoformat()}
        await self._executors.put(self._incarnation, json.dumps(content).encode())

    def changed(self) -> None:
        """Renew the entry now: what it says has changed, and somebody waits to see it."""
        self._changed.set()

    async def run(self) -> None:
        """Renew the entry until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.beat()
            except BucketUnavailable as problem:
                log.warning("liveness entry not renewed", why=str(problem))

    async def leave(self) -> None:
        """Remove the entry: this incarnation runs nothing any more."""
        try:
            await asyncio.wait_for(self._executors.delete(self._incarnation), 1.0)
        except (BucketUnavailable, TimeoutError) as problem:
            log.debug("liveness entry not removed; it expires", why=str(problem))


def cards(offers: Catalog, pool: str) -> list[tuple[str, dict[str, Any]]]:
    """Return (`operation` or `type`, card as JSON) of everything on offer in a pool."""
    found: list[tuple[str, dict[str, Any]]] = []
    found.extend(("operation", card.model_dump(mode="json")) for card in offers.operation_cards(pool))
    found.extend(("type", card.model_dump(mode="json")) for card in offers.type_cards(pool))
    return found
