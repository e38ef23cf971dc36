"""The object store `results`: result files, oversized outputs and plans. Events name size and hash alone."""

from hashlib import sha256
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from nats.js.object_store import ObjectStore

from shared.messages import subjects


class ResultsUnavailable(Exception):  # noqa: N818  what the world did
    """The object store cannot be reached, or does not hold what an event names."""


class Results:
    """The store over one connection."""

    def __init__(self, client: Client, *, timeout: float = 10.0) -> None:
        self._client = client
        self._timeout = timeout
        self._store: ObjectStore | None = None

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store `data`; return its reference: `object`, `bytes`, `sha256`. Raises `ResultsUnavailable`."""
        try:
            await (await self._open()).put(name, data)
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise ResultsUnavailable(f"result {name} cannot be stored: {error}") from error
        return {"object": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}

    async def get(self, reference: dict[str, Any]) -> bytes:
        """Return what a reference names, its hash checked. Raises `ResultsUnavailable`."""
        name = str(reference["object"])
        try:
            found = await (await self._open()).get(name)
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise ResultsUnavailable(f"result {name} cannot be read: {error}") from error
        data = found.data or b""
        if sha256(data).hexdigest() != reference.get("sha256"):
            raise ResultsUnavailable(f"result {name} is not what was stored: its hash differs")
        return data

    async def _open(self) -> ObjectStore:
        if self._store is None:
            self._store = await self._client.jetstream(timeout=self._timeout).object_store(subjects.RESULTS)
        return self._store
