"""Checks: whether what lies at the destination is what was read.

| destination  | what is compared                                                                                    |
|--------------|-----------------------------------------------------------------------------------------------------|
| file, memory | what was read, with what is read back: byte by byte, large objects by their SHA-256                 |
| s3           | the MD5 of what was read (of its parts, for several) with the e-tag of the answer; where they       |
|              | differ, as in a bucket that encrypts with keys of its own, what is read back, as above              |
| gs, az       | the size                                                                                            |
"""

import asyncio
from hashlib import md5, sha256
from typing import Any, Final

from services.executor.sync.store import MIB, Store
from services.executor.sync.survey import seen
from services.executor.sync.trouble import Trouble, Troubled

_AT_ONCE: Final = MIB
"""Pieces larger than this are hashed in a thread, so that the loop goes on."""


class Digest:
    """What was read, hashed on its way: whole, and as the parts an S3 store makes of it."""

    def __init__(self, part: int, *, parts: bool) -> None:
        self._whole = sha256()
        self._part = part
        self._room = part
        self._current = md5(usedforsecurity=False)
        self._parts: list[bytes] | None = [] if parts else None
        self.size = 0

    async def add(self, piece: bytes) -> None:
        """Take the next piece."""
        if len(piece) > _AT_ONCE:
            await asyncio.to_thread(self._add, piece)
        else:
            self._add(piece)

    def _add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._whole.update(piece)
        view = memoryview(piece)
        while self._parts is not None and view:
            self._current.update(view[: self._room])
            taken = min(self._room, len(view))
            view, self._room = view[taken:], self._room - taken
            if self._room == 0:
                self._end_part()

    def _end_part(self) -> None:
        assert self._parts is not None  # noqa: S101 - asked for by the two callers
        self._parts.append(self._current.digest())
        self._current = md5(usedforsecurity=False)
        self._room = self._part

    def e_tag(self) -> str:
        """Return the e-tag that an S3 store gives to an object of these parts."""
        if self._parts is not None and self._room < self._part:
            self._end_part()
        parts = self._parts or []
        return f"{md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"

    def whole(self) -> str:
        """Return the SHA-256 of everything."""
        return self._whole.hexdigest()


async def small(store: Store, name: str, data: bytes, answer: Any) -> None:
    """Check an object that was written in one piece. Raises `Troubled`."""
    import obstore  # noqa: PLC0415 - an optional extra

    if store.kind == "s3" and _plain(answer) == md5(data, usedforsecurity=False).hexdigest():
        return
    if store.kind in {"gs", "az"}:
        await _size(store, name, len(data))
        return
    back = await obstore.get_async(store.objects, name)
    if bytes(await back.bytes_async()) != data:
        raise _differs(store)


async def large(store: Store, name: str, digest: Digest, answer: Any) -> None:
    """Check an object that was written in parts. Raises `Troubled`."""
    import obstore  # noqa: PLC0415 - an optional extra

    if store.kind == "s3" and _plain(answer) == digest.e_tag():
        return
    if store.kind in {"gs", "az"}:
        await _size(store, name, digest.size)
        return
    back = await obstore.get_async(store.objects, name)
    again = Digest(1, parts=False)
    async for piece in back.stream(min_chunk_size=4 * MIB):
        await again.add(piece)
    if again.whole() != digest.whole():
        raise _differs(store)


async def _size(store: Store, name: str, size: int) -> None:
    import obstore  # noqa: PLC0415 - an optional extra

    if seen(await obstore.head_async(store.objects, name)).size != size:
        raise _differs(store)


def _plain(answer: Any) -> str:
    return str(answer.get("e_tag") or "").strip('"')


def _differs(store: Store) -> Troubled:
    cause = f"{store.where}: what lies there now is not what was read; somebody else may write it at the same time"
    return Troubled(Trouble("ChecksumMismatch", cause, transient=True))
