"""Who is signed in to the console: a record for each browser, known to every process, and a cookie that names it.

The cookie is `<id>.<secret>`; KV `access` has the secret's hash under `session/<id>`. What somebody may is always
what the user's record says now; another password, another role's record, or no user at all, and the session is void.
Knows no HTTP.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from services.api.access import Login, Principal, UserRecord
from services.api.mirror import follow
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, BucketUnavailable, Entry

SESSION: Final = "session/"
COOKIE: Final = "opsledger_session"
LASTS: Final = timedelta(hours=12)
"""How long a browser stays signed in."""
MAX_COOKIE: Final = 200

log = get(__name__)


class SessionRecord(BaseModel):
    """One browser's session. `mark` changes with the user's password."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user: Login
    sha256: str
    mark: str
    created_at: datetime
    expires_at: datetime


class Known(Protocol):
    """Who there is."""

    users: dict[str, UserRecord]


class Sessions:
    """The sessions of this installation. One per process."""

    def __init__(self, bucket: Bucket, known: Known) -> None:
        self._bucket = bucket
        self._known = known
        self._records: dict[str, SessionRecord] = {}

    async def open(self, name: str) -> str:
        """Sign in a user whose password was verified; return the cookie. Raises `KeyError`, `BucketUnavailable`."""
        user, at = self._known.users[name], now()
        session_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        record = SessionRecord(
            user=user.name, sha256=_digest(secret), mark=user.salt, created_at=at, expires_at=at + LASTS
        )
        await self._sweep(at)
        value = record.model_dump_json().encode()
        await self.seen(Entry(SESSION + session_id, value, await self._bucket.put(SESSION + session_id, value)))
        log.info("signed in", user=name, session=session_id)
        return f"{session_id}.{secret}"

    async def principal(self, cookie: str) -> Principal | None:
        """Return whose cookie this is, or None. One that this process has not heard of yet is looked up once."""
        found = await self._record(cookie)
        user = self._known.users.get(found.user) if found is not None else None
        if found is None or user is None or user.salt != found.mark:
            return None
        return user.principal()

    async def close(self, cookie: str) -> None:
        """Sign out; a cookie that is none of ours changes nothing. Raises `BucketUnavailable`."""
        if await self._record(cookie) is None:
            return
        key = SESSION + cookie.partition(".")[0]
        await self._bucket.delete(key)
        await self.seen(Entry(key, None, 0))

    async def load(self) -> None:
        """Read every record; what is gone is forgotten. Raises `BucketUnavailable`."""
        entries = await self._bucket.all()
        there = {entry.key.removeprefix(SESSION) for entry in entries}
        for gone in [session_id for session_id in self._records if session_id not in there]:
            del self._records[gone]
        for entry in entries:
            await self.seen(entry)

    async def seen(self, entry: Entry) -> None:
        """Take over one entry as the bucket has it now."""
        if not entry.key.startswith(SESSION):
            return
        session_id = entry.key.removeprefix(SESSION)
        try:
            self._records[session_id] = SessionRecord.model_validate_json(entry.value or b"")
        except ValidationError:
            self._records.pop(session_id, None)

    async def follow(self) -> None:
        """Follow the bucket for ever."""
        await follow(self._bucket, self.seen, self.load)

    async def _record(self, cookie: str) -> SessionRecord | None:
        session_id, dot, secret = cookie.partition(".")
        if not dot or len(cookie) > MAX_COOKIE or not session_id.isalnum() or not session_id.isascii():
            return None
        if session_id not in self._records:
            await self._look_up(session_id)
        found = self._records.get(session_id)
        if found is None or now() >= found.expires_at:
            return None
        return found if hmac.compare_digest(_digest(secret), found.sha256) else None

    async def _look_up(self, session_id: str) -> None:
        """Ask the store: another process may have signed somebody in a moment ago."""
        try:
            found = await self._bucket.get(SESSION + session_id)
        except BucketUnavailable as problem:
            log.warning("session not looked up", why=str(problem))
            return
        if found is not None:
            await self.seen(found)

    async def _sweep(self, at: datetime) -> None:
        """Delete records that have expired, so that the bucket does not grow for ever."""
        for session_id in [key for key, record in self._records.items() if record.expires_at <= at]:
            await self._bucket.delete(SESSION + session_id)
            self._records.pop(session_id, None)


def csrf(cookie: str) -> str:
    """Return what a form of this session must carry: nobody who cannot read our pages can know it.

    It differs each time, so that compressed pages do not give it away letter by letter.
    """
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_csrf(cookie, nonce)}"


def csrf_fits(cookie: str, token: str) -> bool:
    """Whether the token of a form is one of this session's."""
    nonce, _, given = token.partition(".")
    return hmac.compare_digest(_csrf(cookie, nonce).encode(), given.encode())


def _csrf(cookie: str, nonce: str) -> str:
    return hmac.new(cookie.encode(), f"opsledger console form {nonce}".encode(), hashlib.sha256).hexdigest()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
