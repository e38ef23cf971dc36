"""The object store `results`: result files, oversized outputs and plans. Events name size and hash alone.

Written and read as any client of NATS object stores would, but with plain requests and Direct Gets: the library's own
`get` makes a consumer and its `put` purges, and an executor must be allowed neither (T29, `deploy/nats-accounts.conf`).
"""

import base64
import json
import secrets
from contextlib import suppress
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


class Results:
    """The store over one connection."""

    def __init__(self, client: Client, *, timeout: float = 10.0) -> None:
        self._client = client
        self._timeout = timeout
        self._reads = BatchReads(client)

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store `data`; return its reference: `object`, `bytes`, `sha256`. Raises `ResultsUnavailable`."""
        digest, nuid = sha256(data), secrets.token_hex(11)
        chunks = [data[place : place + CHUNK] for place in range(0, len(data), CHUNK)]
        info = {
            "name": name,
            "bucket": subjects.RESULTS,
            "nuid": nuid,
            "size": len(data),
            "mtime": now().isoformat(),
            "chunks": len(chunks),
            "digest": f"SHA-256={base64.urlsafe_b64encode(digest.digest()).decode()}",
            "options": {"max_chunk_size": CHUNK},
        }
        try:
            before = await self._info(name)
            for chunk in chunks:
                await self._store(_chunks(nuid), chunk)
            await self._store(_meta(name), json.dumps(info).encode(), {"Nats-Rollup": "sub"})
        except (ApiError, Unreachable, Unanswered) as error:
            raise ResultsUnavailable(f"result {name} cannot be stored: {error}") from error
        if before is not None:
            await self._forget(before)
        return {"object": name, "bytes": len(data), "sha256": digest.hexdigest()}

    async def get(self, reference: dict[str, Any]) -> bytes:
        """Return what a reference names, its hash checked. Raises `ResultsUnavailable`."""
        name = str(reference["object"])
        try:
            info = await self._info(name)
            data = await self._read(info) if info is not None and not info.get("deleted") else None
        except (ApiError, Unreachable, Unanswered) as error:
            raise ResultsUnavailable(f"result {name} cannot be read: {error}") from error
        if data is None:
            raise ResultsUnavailable(f"result {name} cannot be read: there is no such object")
        if sha256(data).hexdigest() != reference.get("sha256"):
            raise ResultsUnavailable(f"result {name} is not what was stored: its hash differs")
        return data

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

    async def _read(self, info: dict[str, Any]) -> bytes:
        pieces: list[bytes] = []
        after, more = 0, int(info["size"]) > 0
        while more:
            found, more = await self._reads.read(STREAM, _chunks(info["nuid"]), after, AT_ONCE, self._timeout)
            pieces += [message.data for message in found]
            after = int((found[-1].headers or {})["Nats-Sequence"]) if found else after
        return b"".join(pieces)

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
