"""The object store `results`: result files, oversized outputs and plans. Events name size and hash alone.

Written and read as any client of NATS object stores would, but with plain requests and Direct Gets: the library's own
`get` makes a consumer and its `put` purges, and an executor must be allowed neither (T29, `deploy/nats-accounts.conf`).
"""

import base64
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any, Final

from nats.aio.client import Client

from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.direct import BatchReads
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request

CHUNK: Final = 128 * 1024
AT_ONCE: Final = 32
"""How many chunks are read with one request: 4 MiB."""
NO_MESSAGE: Final = 10037
STREAM: Final = f"OBJ_{subjects.RESULTS}"


class ResultsUnavailable(Exception):  # noqa: N818  what the world did
    """The object store cannot be reached, or does not hold what an event names."""


class ResultMissing(ResultsUnavailable):
    """The object store answers, and has no object of this name: somebody removed it."""


class ResultDamaged(ResultsUnavailable):
    """The object store has an object of this name that is not, or not wholly, what was stored."""


class Writer:
    """One object being written: cuts what comes into chunks and counts them."""

    def __init__(self, name: str, nuid: str, store: Callable[[bytes], Awaitable[None]]) -> None:
        self._name = name
        self._nuid = nuid
        self._store = store
        self._digest = sha256()
        self._size = self._chunks = 0
        self._rest = bytearray()
        self._whole = False

    async def write(self, data: bytes) -> None:
        """Add bytes; returns when all whole chunks are stored."""
        self._digest.update(data)
        self._size += len(data)
        rest = self._rest
        rest += data
        place = 0
        while len(rest) - place >= CHUNK:
            await self._store(bytes(rest[place : place + CHUNK]))
            self._chunks += 1
            place += CHUNK
        del rest[:place]

    async def finish(self) -> None:
        """Store what is left."""
        if self._rest:
            await self._store(bytes(self._rest))
            self._chunks += 1
            self._rest.clear()
        self._whole = True

    def info(self) -> dict[str, Any]:
        """Return what the object store keeps of it."""
        return {
            "name": self._name,
            "bucket": subjects.RESULTS,
            "nuid": self._nuid,
            "size": self._size,
            "mtime": now().isoformat(),
            "chunks": self._chunks,
            "digest": f"SHA-256={base64.urlsafe_b64encode(self._digest.digest()).decode()}",
            "options": {"max_chunk_size": CHUNK},
        }

    @property
    def reference(self) -> dict[str, Any]:
        """`object`, `bytes`, `sha256`. Raises `RuntimeError` before the object is whole."""
        if not self._whole:
            raise RuntimeError(f"{self._name} is still being written")
        return {"object": self._name, "bytes": self._size, "sha256": self._digest.hexdigest()}


class Results:
    """The store over one connection."""

    def __init__(self, client: Client, *, timeout: float = 10.0) -> None:
        self._client = client
        self._timeout = timeout
        self._reads = BatchReads(client)

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store `data`; return its reference: `object`, `bytes`, `sha256`. Raises `ResultsUnavailable`."""
        async with self.writer(name) as file:
            await file.write(data)
        return file.reference

    @asynccontextmanager
    async def writer(self, name: str) -> AsyncIterator["Writer"]:
        """Store an object of any size piece by piece, holding two chunks of it at most.

        Nobody sees it before the context is left without an error; left with one, its chunks are freed where that is
        allowed. Raises `ResultsUnavailable`.
        """
        nuid = secrets.token_hex(11)
        file = Writer(name, nuid, lambda chunk: self._store(_chunks(nuid), chunk))
        try:
            before = await self._info(name)
            yield file
            await file.finish()
            await self._store(_meta(name), json.dumps(file.info()).encode(), {"Nats-Rollup": "sub"})
        except (ApiError, Unreachable, Unanswered) as error:
            await self._forget({"nuid": nuid})
            raise ResultsUnavailable(f"result {name} cannot be stored: {error}") from error
        except BaseException:
            await self._forget({"nuid": nuid})
            raise
        if before is not None:
            await self._forget(before)

    async def read(self, reference: Mapping[str, Any]) -> AsyncGenerator[bytes]:
        """Give what a reference names piece by piece; its hash is checked at the end. Raises `ResultsUnavailable`."""
        name = str(reference["object"])
        digest = sha256()
        try:
            info = await self._found(reference)
            async for piece in self._pieces(info):
                digest.update(piece)
                yield piece
        except (ApiError, Unreachable, Unanswered) as error:
            raise ResultsUnavailable(f"result {name} cannot be read: {error}") from error
        if digest.hexdigest() != reference.get("sha256"):
            raise ResultDamaged(f"result {name} is not what was stored: its hash differs")

    async def get(self, reference: Mapping[str, Any]) -> bytes:
        """Return what a reference names, its hash checked. Raises `ResultsUnavailable`."""
        return b"".join([piece async for piece in self.read(reference)])

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of the object of this name, None when there is none. Raises `ResultsUnavailable`."""
        try:
            info = await self._info(name)
        except (ApiError, Unreachable, Unanswered) as error:
            raise ResultsUnavailable(f"result {name} cannot be looked for: {error}") from error
        if info is None or info.get("deleted"):
            return None
        digest = base64.urlsafe_b64decode(str(info["digest"]).removeprefix("SHA-256="))
        return {"object": name, "bytes": int(info["size"]), "sha256": digest.hex()}

    async def check(self, reference: Mapping[str, Any]) -> None:
        """Raise unless the store says that it holds what a reference names; its bytes are not read.

        Raises `ResultMissing`, `ResultDamaged`, or `ResultsUnavailable` when the store does not answer.
        """
        try:
            await self._found(reference)
        except (ApiError, Unreachable, Unanswered) as error:
            raise ResultsUnavailable(f"result {reference['object']} cannot be read: {error}") from error

    async def _found(self, reference: Mapping[str, Any]) -> dict[str, Any]:
        name = str(reference["object"])
        info = await self._info(name)
        if info is None or info.get("deleted"):
            raise ResultMissing(f"result {name} cannot be read: there is no such object")
        stored = str(info.get("digest", "")).removeprefix("SHA-256=")
        if stored and base64.urlsafe_b64decode(stored).hex() != reference.get("sha256"):
            raise ResultDamaged(f"result {name} is not what was stored: its hash differs")
        if reference.get("bytes", info["size"]) != info["size"]:
            raise ResultDamaged(f"result {name} is not what was stored: it has {info['size']} bytes")
        return info

    async def _info(self, name: str) -> dict[str, Any] | None:
        try:
            answer = await api(
                self._client, f"STREAM.MSG.GET.{STREAM}", {"last_by_subj": _meta(name)}, timeout=self._timeout
            )
        except ApiError as error:
            if error.code == NO_MESSAGE:
                return None
            raise
        found: dict[str, Any] = json.loads(base64.b64decode(answer["message"].get("data", "")))
        return found

    async def _pieces(self, info: dict[str, Any]) -> AsyncIterator[bytes]:
        after, more = 0, int(info["size"]) > 0
        while more:
            found, more = await self._reads.read(STREAM, _chunks(info["nuid"]), after, AT_ONCE, self._timeout)
            for message in found:
                yield message.data
            after = int((found[-1].headers or {})["Nats-Sequence"]) if found else after

    async def _store(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        answer = json.loads(await request(self._client, subject, data, headers=headers, timeout=self._timeout))
        error = answer.get("error")
        if error:
            raise ApiError(int(error.get("err_code", 0)), int(error.get("code", 0)), str(error.get("description")))

    async def _forget(self, before: dict[str, Any]) -> None:
        """Free what an object of the same name took, where that is allowed; it harms nobody if it stays."""
        with suppress(ApiError, Unreachable, Unanswered):
            await api(
                self._client, f"STREAM.PURGE.{STREAM}", {"filter": _chunks(before["nuid"])}, timeout=self._timeout
            )


def _chunks(nuid: str) -> str:
    return f"$O.{subjects.RESULTS}.C.{nuid}"


def _meta(name: str) -> str:
    return f"$O.{subjects.RESULTS}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
