"""Copies of single objects: read, written, checked, tried again; small ones whole, large ones part by part.

Responsible for bounded memory and for leaving nothing half-written: stores show an object when it is whole, and parts
of one that was given up are taken back. Refuses to know why an object is copied and who counts it.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, Final

from services.executor.sync import check
from services.executor.sync.budget import memory
from services.executor.sync.store import MIB, Store
from services.executor.sync.survey import seen
from services.executor.sync.trouble import Trouble, Troubled, explained

TRIES: Final = 3
PAUSE: Final = 0.2
"""Seconds before the second try; twice that before the third."""
SECONDS: Final = 90.0
"""An object gets this long, and a second more for each 128 KiB."""
PARTS: Final = 9_000
"""S3 takes 10,000 parts an object; beyond this many, parts grow."""
STREAM_PARTS: Final = 6
"""How many parts a large object takes of the budget, measured: two on their way, one being cut, and copies of them."""


class Copier:
    """Copies objects from one store to another. `stop` gives up what is on its way, tidily."""

    def __init__(self, source: Store, destination: Store, *, metadata: bool) -> None:
        self._source = source
        self._destination = destination
        self._metadata = metadata and destination.has_attributes
        self._stopped = False

    def stop(self) -> None:
        """Let streams end at their next piece; what was not whole by then is taken back."""
        self._stopped = True

    async def copy(self, name: str, to: str, size: int) -> int:
        """Copy one object of about this size; return its bytes. Raises `Troubled` after the last try."""
        for tried in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(SECONDS + size / (128 * 1024)):
                    return await self._once(name, to, size)
            except _Grown as grown:
                size = grown.size
                continue
            except Exception as error:  # noqa: BLE001 - whatever a store raises is told of its object
                trouble = self._explained(error)
                if tried == TRIES or not trouble.transient or self._stopped:
                    raise Troubled(trouble) from None
            await asyncio.sleep(PAUSE * tried * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        cause = f"{self._source.where}: it grew each time it was read"
        raise Troubled(Trouble("SourceChanged", cause, transient=True))

    def _explained(self, error: Exception) -> Trouble:
        side = self._destination if isinstance(error, _AtDestination) else self._source
        return explained(error.__cause__ or error if isinstance(error, _AtDestination) else error, side.where)

    async def _once(self, name: str, to: str, size: int) -> int:
        import obstore  # noqa: PLC0415 - an optional extra

        part = max(self._destination.part, -(-size // PARTS // MIB) * MIB)
        small = size <= part
        async with memory.of(max(size, 64 * 1024) if small else STREAM_PARTS * part):
            got = await obstore.get_async(self._source.objects, name)
            now = seen(got.meta).size
            if now > part and small:
                raise _Grown(now)
            attributes = dict(got.attributes) if self._metadata else None
            if small:
                await self._whole(got, to, now, attributes)
            else:
                await self._parts(got, to, now, part, attributes)
        return now

    async def _whole(self, got: Any, to: str, size: int, attributes: Any) -> None:
        import obstore  # noqa: PLC0415 - an optional extra

        data = bytes(await got.bytes_async())
        if len(data) != size:
            raise _short(self._source)
        try:
            answer = await obstore.put_async(
                self._destination.objects, to, data, attributes=attributes, use_multipart=False
            )
            await check.small(self._destination, to, data, answer)
        except Exception as error:
            raise _AtDestination from error

    def _go_on(self, well: bool) -> None:
        if not well:
            raise _short(self._source)

    async def _parts(self, got: Any, to: str, size: int, part: int, attributes: Any) -> None:
        import obstore  # noqa: PLC0415 - an optional extra

        digest = check.Digest(part, parts=self._destination.kind == "s3")
        troubles: list[Exception] = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in got.stream(min_chunk_size=MIB):
                    self._go_on(not self._stopped)
                    await digest.add(piece)
                    yield piece
                self._go_on(digest.size == size)
            except Exception as error:
                troubles.append(error)
                raise

        try:
            answer = await obstore.put_async(
                self._destination.objects,
                to,
                pieces(),
                attributes=attributes,
                use_multipart=True,
                chunk_size=part,
                max_concurrency=2,
            )
            await check.large(self._destination, to, digest, answer)
        except Exception as error:
            if troubles:
                raise troubles[0] from None
            raise _AtDestination from error


class _Grown(Exception):  # noqa: N818  what the world did
    """The object is larger than was known, and too large to be held whole."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _AtDestination(Exception):  # noqa: N818  what the world did
    """The destination raised, not the source."""


def _short(store: Store) -> Troubled:
    return Troubled(Trouble("ReadShort", f"{store.where}: less came than the object has", transient=True))
