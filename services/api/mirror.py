"""A bucket mirrored in memory: followed by a watch, and read whole now and then, should a change have been missed."""

import asyncio
from collections.abc import Awaitable, Callable

from services.api.background import ended
from shared.runtime.logging import get
from shared.store.kv import Bucket, BucketUnavailable, Entry

REFRESH_SECONDS = 30.0

log = get(__name__)


async def follow(bucket: Bucket, seen: Callable[[Entry], Awaitable[None]], load: Callable[[], Awaitable[None]]) -> None:
    """Keep a mirror up to date for ever: `seen` takes one entry, `load` reads all. Outages are waited out."""
    watching = asyncio.create_task(bucket.watch(seen))
    try:
        while True:
            await asyncio.wait({watching}, timeout=REFRESH_SECONDS)
            if watching.done():
                watching.result()  # a fault of ours: the process shall not go on with an old mirror
            try:
                await load()
            except BucketUnavailable as problem:
                log.warning("mirror not refreshed", why=str(problem))
    finally:
        await ended(watching)
