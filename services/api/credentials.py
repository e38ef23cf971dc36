"""From an `Authorization` header to a principal. Keeps a copy of KV `access` in memory, so reads survive an outage.

Verified credentials are remembered for a minute, or the password hash would eat every request; refused ones for a few
seconds. Both are forgotten when a record changes. Missing, malformed, unknown and expired credentials look the same.
"""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from time import monotonic
from typing import Any

from pydantic import ValidationError

from services.api.access import TOKEN, USER, Principal, Role, TokenRecord, UserRecord, id_of_token
from services.api.mirror import follow
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry

KEEP_SECONDS = 60.0
KEEP_REFUSED_SECONDS = 5.0
MAX_KEPT = 4096
MAX_HEADER = 2048

log = get(__name__)
_KINDS: dict[str, tuple[type[UserRecord] | type[TokenRecord], str]] = {
    USER: (UserRecord, "_users"),
    TOKEN: (TokenRecord, "_tokens"),
}


class Credentials:
    """Whose header this is. One per process."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._users: dict[str, UserRecord] = {}
        self._tokens: dict[str, TokenRecord] = {}
        self._kept: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._salt = secrets.token_bytes(16)
        self._hashing = asyncio.Semaphore(2)
        self._nobody = UserRecord.of("nobody", secrets.token_hex(16), Role.TASK_VIEWER, now())

    async def load(self) -> None:
        """Read every record; what is gone is forgotten. Raises `BucketUnavailable`."""
        entries = await self._bucket.all()
        known = {entry.key for entry in entries}
        for key in [key for key in self._keys() if key not in known]:
            await self.seen(Entry(key, None, 0))
        for entry in entries:
            await self.seen(entry)

    async def seen(self, entry: Entry) -> None:
        """Take over one record as the bucket has it now."""
        kind, _, name = entry.key.partition("/")
        model, records = _KINDS.get(f"{kind}/", (None, ""))
        if model is None:
            return
        known: dict[str, Any] = getattr(self, records)
        try:
            record = model.model_validate_json(entry.value) if entry.value else None
        except ValidationError:
            record = None
            log.exception("access record cannot be read; it opens nothing", key=entry.key)
        if known.get(name) == record:
            return
        if record is None:
            del known[name]
        else:
            known[name] = record
        self._kept.clear()

    async def follow(self) -> None:
        """Follow the bucket for ever."""
        await follow(self._bucket, self.seen, self.load)

    def remembered(self, header: str) -> Principal | None:
        """Return the principal of a header verified within the last minute, without waiting."""
        found = self._kept.get(self._digest(header))
        return found[1] if found is not None and found[0] > monotonic() else None

    async def verify(self, header: str) -> Principal | None:
        """Return whose credential it is, or None."""
        digest = self._digest(header)
        kept = self._kept.get(digest)
        if kept is not None and kept[0] > monotonic():
            return kept[1]
        principal, seconds = await self._check(header) if len(header) <= MAX_HEADER else (None, 0.0)
        self._kept[digest] = (monotonic() + (seconds if principal is not None else KEEP_REFUSED_SECONDS), principal)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return principal

    async def _check(self, header: str) -> tuple[Principal | None, float]:
        """Return whose it is and for how many seconds that may be remembered."""
        scheme, _, content = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._bearer(content.strip())
        if scheme.lower() == "basic":
            return await self._basic(content.strip()), KEEP_SECONDS
        return None, 0.0

    def _bearer(self, token: str) -> tuple[Principal | None, float]:
        at = now()
        token_id = id_of_token(token)
        record = self._tokens.get(token_id) if token_id is not None else None
        if record is None or not record.accepts(token, at):
            return None, 0.0
        left = KEEP_SECONDS if record.expires_at is None else (record.expires_at - at).total_seconds()
        return record.principal(), min(KEEP_SECONDS, left)

    async def _basic(self, content: str) -> Principal | None:
        try:
            name, colon, password = base64.b64decode(content, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        if not colon:
            return None
        record = self._users.get(name)
        async with self._hashing:  # an unknown name costs as much as a wrong password
            accepted = await asyncio.to_thread((record or self._nobody).accepts, password)
        return record.principal() if record is not None and accepted else None

    def _digest(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt).digest()

    def _keys(self) -> list[str]:
        return [*(USER + name for name in self._users), *(TOKEN + name for name in self._tokens)]
