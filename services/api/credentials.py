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
from typing import Any, Final, Protocol

from pydantic import ValidationError

from services.api.access import (
    TOKEN,
    TOKEN_PREFIX,
    USER,
    Principal,
    Role,
    TokenRecord,
    UserRecord,
    id_of_token,
)
from services.api.identity.secret_keys import token_of
from services.api.mirror import follow
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry

KEEP_SECONDS: Final = 60.0
KEEP_REFUSED_SECONDS: Final = 5.0
MAX_KEPT: Final = 4096
MAX_HEADER: Final = 8192
"""Longer than any token of ours; those of identity providers list groups."""

Kept = tuple[float, Principal | None]
log = get(__name__)
_KINDS: dict[str, tuple[type[UserRecord] | type[TokenRecord], str]] = {
    USER: (UserRecord, "users"),
    TOKEN: (TokenRecord, "tokens"),
}


class Foreign(Protocol):
    """Bearer tokens that somebody else has issued."""

    async def verify(self, token: str) -> tuple[Principal, float] | None:
        """Return whose it is and for how many seconds it is good, or None."""


class SecretsOf(Protocol):
    """Secret keys by token."""

    def of(self, token_id: str) -> str | None:
        """Return a token's secret key, or None."""


class Credentials:
    """Whose header this is. One per process."""

    def __init__(self, bucket: Bucket, secret_keys: SecretsOf | None = None, foreign: Foreign | None = None) -> None:
        self._bucket = bucket
        self._secret_keys = secret_keys
        self._foreign = foreign
        self.users: dict[str, UserRecord] = {}
        self.tokens: dict[str, TokenRecord] = {}
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._checking: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._changes = 0
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
        self._changes += 1
        self._kept.clear()
        self._checking.clear()

    async def follow(self) -> None:
        """Follow the bucket for ever."""
        await follow(self._bucket, self.seen, self.load)

    def recall(self, header: str) -> Kept | None:
        """Return what was found lately about a header, without waiting: until when it holds, and whose it is."""
        found = self._kept.get(self._digest(header))
        return found if found is not None and found[0] > monotonic() else None

    def remembered(self, header: str) -> Principal | None:
        """Return the principal of a header verified within the last minute, without waiting."""
        found = self.recall(header)
        return found[1] if found is not None else None

    def checking(self, header: str) -> bool:
        """Whether somebody is waiting for the very same credential to be verified: that is one guess, not two."""
        return self._digest(header) in self._checking

    async def verify(self, header: str) -> Principal | None:
        """Return whose credential it is, or None. Asked for the same one many times at once, checks it once."""
        digest = self._digest(header)
        kept = self._kept.get(digest)
        if kept is not None and kept[0] > monotonic():
            return kept[1]
        checking = self._checking.get(digest)
        if checking is None:
            checking = self._checking[digest] = asyncio.create_task(self._found(digest, header))
            checking.add_done_callback(lambda done: self._checked(digest, done))
        return await asyncio.shield(checking)

    async def _found(self, digest: bytes, header: str) -> Principal | None:
        changes = self._changes
        principal, seconds = await self._check(header) if len(header) <= MAX_HEADER else (None, 0.0)
        if changes == self._changes:  # else it rests on a record that is no more
            until = monotonic() + (seconds if principal is not None else KEEP_REFUSED_SECONDS)
            self._kept[digest] = (until, principal)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return principal

    def _checked(self, digest: bytes, done: asyncio.Task[Principal | None]) -> None:
        if self._checking.get(digest) is done:
            del self._checking[digest]

    def secret_of(self, access_key: str) -> tuple[str, Principal] | None:
        """Return the secret key of a token that is alive, and whom it stands for, or None."""
        token_id = token_of(access_key)
        record = self.tokens.get(token_id) if token_id is not None else None
        if record is None or self._secret_keys is None or not record.alive(now()):
            return None
        secret = self._secret_keys.of(record.id)
        return (secret, record.principal()) if secret is not None else None

    async def password_is(self, name: str, password: str) -> bool:
        """Whether this is the user's password; takes as long when there is no such user."""
        record = self.users.get(name)
        async with self._hashing:
            accepted = await asyncio.to_thread((record or self._nobody).accepts, password)
        return record is not None and accepted

    def claim(self, header: str | None) -> str:
        """Say for the log whose credential a header claims to be: a name or id we know, and never a secret."""
        scheme, _, content = (header or "").partition(" ")
        match scheme.lower():
            case "":
                return "no credential"
            case "bearer":
                token_id = id_of_token(content.strip())
                return f"token {token_id}" if token_id in self.tokens else "unknown token"
            case "basic":
                name = _login(content.strip())[0]
                return f"user {name}" if name in self.users else "unknown user"
            case "ocp-access-key-hmacsha1":
                token_id = token_of(content.strip().partition(":")[0])
                return f"access key of token {token_id}" if token_id in self.tokens else "unknown access key"
            case "sdk-hmac-sha256":
                key = content.strip().removeprefix("Access=").partition(",")[0]
                token_id = token_of(key)
                return f"access key of token {token_id}" if token_id in self.tokens else "unknown access key"
            case _:
                return "unknown scheme"

    async def _check(self, header: str) -> tuple[Principal | None, float]:
        """Return whose it is and for how many seconds that may be remembered."""
        scheme, _, content = header.partition(" ")
        content = content.strip()
        if scheme.lower() == "bearer":
            return self._token(content) if content.startswith(TOKEN_PREFIX) else await self._bearer(content)
        if scheme.lower() == "basic":
            return await self._basic(content), KEEP_SECONDS
        return None, 0.0

    def _token(self, token: str) -> tuple[Principal | None, float]:
        at = now()
        token_id = id_of_token(token)
        record = self.tokens.get(token_id) if token_id is not None else None
        if record is None or not record.accepts(token, at):
            return None, 0.0
        left = KEEP_SECONDS if record.expires_at is None else (record.expires_at - at).total_seconds()
        return record.principal(), min(KEEP_SECONDS, left)

    async def _bearer(self, token: str) -> tuple[Principal | None, float]:
        found = await self._foreign.verify(token) if self._foreign is not None else None
        return (found[0], min(KEEP_SECONDS, found[1])) if found is not None else (None, 0.0)

    async def _basic(self, content: str) -> Principal | None:
        name, password = _login(content)
        record = self.users.get(name)
        if password is None or not await self.password_is(name, password) or record is None:
            return None
        return record.principal() if self.users.get(name) is record else None  # changed meanwhile

    def _digest(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt).digest()

    def _keys(self) -> list[str]:
        return [*(USER + name for name in self.users), *(TOKEN + name for name in self.tokens)]


def _login(content: str) -> tuple[str, str | None]:
    """Return the name and password of a Basic credential; no password when it is none."""
    try:
        name, colon, password = base64.b64decode(content, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", None
    return name, password if colon else None
