"""Buckets: get, put, create-if-absent, replace-if-unchanged, all, watch. Knows no bucket's content."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from shared.runtime.logging import get
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api

AT_ONCE = 50
"""How many entries are read side by side."""
WRONG_REVISION = frozenset({10071, 10164})
"""The server's codes for: the key is at another revision."""

log = get(__name__)


class BucketUnavailable(Exception):  # noqa: N818  what the world did
    """The bucket cannot be reached."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and its revision. `value` is None when the key was deleted."""

    key: str
    value: bytes | None
    revision: int


class Bucket:
    """One bucket over one connection."""

    def __init__(self, client: Client, name: str, *, timeout: float = 5.0) -> None:
        self._client = client
        self._name = name
        self._timeout = timeout
        self._kv: KeyValue | None = None

    async def _open(self) -> KeyValue:
        if self._kv is None:
            self._kv = await self._client.jetstream(timeout=self._timeout).key_value(self._name)
        return self._kv

    async def get(self, key: str) -> Entry | None:
        """Return the key's entry, or None. Raises `BucketUnavailable`."""
        try:
            found = await (await self._open()).get(key)
        except KeyNotFoundError:
            return None
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error
        return Entry(key, found.value, found.revision or 0)

    async def put(self, key: str, value: bytes) -> int:
        """Store a value; return its revision. Raises `BucketUnavailable`."""
        try:
            return await (await self._open()).put(key, value)
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error

    async def create(self, key: str, value: bytes) -> bool:
        """Store a value unless the key is there; return whether it was stored. Raises `BucketUnavailable`."""
        try:
            await (await self._open()).create(key, value)
        except KeyWrongLastSequenceError:
            return False
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error
        return True

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        """Store a value if the key is still at this revision; return the new one, or None.

        Raises `BucketUnavailable`.
        """
        try:
            return await (await self._open()).update(key, value, revision)
        except KeyWrongLastSequenceError:
            return None
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error

    async def delete(self, key: str, revision: int | None = None) -> bool:
        """Delete a key, if it is still at this revision where one is given; return whether that was so.

        Raises `BucketUnavailable`.
        """
        try:
            await (await self._open()).delete(key, revision)
        except (KeyWrongLastSequenceError, APIError) as error:
            if isinstance(error, KeyWrongLastSequenceError) or error.err_code in WRONG_REVISION:
                return False
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error
        except (NatsError, OSError, TimeoutError) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error
        return True

    async def all(self) -> list[Entry]:
        """Return every entry. Raises `BucketUnavailable`.

        The library lists keys with a watch, which takes a bucket for empty when its first messages are overtaken by the
        answer that all were sent; so the leader is asked for the keys instead.
        """
        keys: list[str] = []
        prefix = f"$KV.{self._name}."
        asked = {"subjects_filter": f"{prefix}>", "offset": 0}
        try:
            while True:
                info = await api(self._client, f"STREAM.INFO.KV_{self._name}", asked, timeout=self._timeout)
                page = list(info["state"].get("subjects") or ())
                keys += [subject.removeprefix(prefix) for subject in page]
                asked["offset"] = len(keys)
                if not page or len(keys) >= info.get("total", 0):
                    break
        except (ApiError, Unreachable, Unanswered) as error:
            raise BucketUnavailable(f"bucket {self._name}: {error}") from error
        found: list[Entry | None] = []
        for place in range(0, len(keys), AT_ONCE):
            found += await asyncio.gather(*(self.get(key) for key in keys[place : place + AT_ONCE]))
        return [entry for entry in found if entry is not None]

    async def watch(self, seen: Callable[[Entry], Awaitable[None]]) -> None:
        """Call `seen` for every entry and every later change, for ever; starts over after a lost connection.

        What expires by the bucket's TTL is not told.
        """
        while True:
            try:
                await self._watch_once(seen)
            except (NatsError, APIError, OSError, TimeoutError) as error:
                log.debug("watch ended; starting over", bucket=self._name, error=str(error))
            await asyncio.sleep(0.5)

    async def _watch_once(self, seen: Callable[[Entry], Awaitable[None]]) -> None:
        """Watch until the connection was lost: a server that was restarted may have forgotten the watcher."""
        connection = self._client.stats["reconnects"]
        watcher = await (await self._open()).watchall()
        try:
            while self._client.is_connected and self._client.stats["reconnects"] == connection:
                try:
                    update = await watcher.updates(timeout=1)  # type: ignore[no-untyped-call]  # untyped upstream
                except (TimeoutError, NatsTimeoutError):
                    continue
                if update is not None:
                    gone = update.operation in {"DEL", "PURGE"}
                    await seen(Entry(update.key, None if gone else update.value, update.revision or 0))
        finally:
            with contextlib.suppress(NatsError, OSError):
                await asyncio.shield(watcher.stop())  # type: ignore[no-untyped-call]  # untyped upstream
