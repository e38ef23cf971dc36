"""Who is signed in to the console: a record for each browser, known to every process, and a cookie that names it.

The cookie is `<id>.<secret>`; KV `access` has the secret's hash under `session/<id>`. What somebody may is always
what the user's record says now; another password, or no user at all, and the session is void. A session that is used
goes on, up to a week; what has ended is swept away. Knows no HTTP.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from services.api.access import Login, Principal, UserRecord
from services.api.mirror import follow
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry

SESSION: Final = "session/"
COOKIE: Final = "opsledger_session"
LASTS: Final = timedelta(hours=12)
"""How long a browser that is not used stays signed in."""
LONGEST: Final = timedelta(days=7)
"""How long one stays signed in at most, however much it is used."""
MOST: Final = 100
"""How many sessions a user has at once; the one that would end first makes room."""
SETTLED: Final = timedelta(minutes=1)
"""Younger records are not swept: this process may not have heard of the user or the password yet."""
LOOKS, LOOK_PAUSE = 3, 0.05
"""A store's replica may lag behind the one that took the record (T27)."""
UNKNOWN_SECONDS: Final = 60.0
MAX_UNKNOWN: Final = 4096
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
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._used: set[str] = set()

    async def open(self, name: str) -> str:
        """Sign in a user whose password was verified; return the cookie. Raises `KeyError`, `BucketUnavailable`."""
        user, at = self._known.users[name], now()
        session_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        record = SessionRecord(
            user=user.name, sha256=_digest(secret), mark=user.salt, created_at=at, expires_at=at + LASTS
        )
        await self._make_room(name)
        value = record.model_dump_json().encode()
        await self.seen(Entry(SESSION + session_id, value, await self._bucket.put(SESSION + session_id, value)))
        log.info("signed in", user=name, session=session_id)
        return f"{session_id}.{secret}"

    def knows(self, cookie: str) -> bool:
        """Whether memory tells whose cookie this is, or that it is nobody's."""
        session_id = _id(cookie)
        return session_id is None or session_id in self._records or self._unknown.get(session_id, 0.0) > monotonic()

    def remembered(self, cookie: str) -> Principal | None:
        """Return whose cookie this is as far as this process has heard, without waiting."""
        session_id = _id(cookie)
        found = self._records.get(session_id) if session_id is not None else None
        user = self._known.users.get(found.user) if found is not None else None
        if session_id is None or found is None or user is None or user.salt != found.mark:
            return None
        left = found.expires_at - now()
        if left <= timedelta(0) or not hmac.compare_digest(_digest(cookie.partition(".")[2]), found.sha256):
            return None
        if left < LASTS / 2:
            self._used.add(session_id)
        return user.principal()

    async def principal(self, cookie: str) -> Principal | None:
        """Return whose cookie this is, or None. One that this process has not heard of yet is looked up, once.

        Raises `BucketUnavailable`.
        """
        session_id = _id(cookie)
        if session_id is not None and not self.knows(cookie):
            await self._look_up(session_id)
        return self.remembered(cookie)

    async def close(self, cookie: str) -> None:
        """Sign out; a cookie that is none of ours changes nothing. Raises `BucketUnavailable`."""
        session_id = _id(cookie)
        if session_id is not None and await self.principal(cookie) is not None:
            await self._drop(session_id)

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
        """Follow the bucket for ever, and keep it in order."""
        await follow(self._bucket, self.seen, self.tend)

    async def tend(self) -> None:
        """Read every record, let used sessions go on, sweep away those that have ended. Raises `BucketUnavailable`."""
        await self.load()
        for session_id in list(self._used):
            await self._renew(session_id)
            self._used.discard(session_id)
        for session_id in [one for one, record in self._records.items() if self._ended(record)]:
            await self._drop(session_id)

    async def _look_up(self, session_id: str) -> None:
        """Ask the store: another process may have signed somebody in a moment ago. What is not there is remembered."""
        for look in range(LOOKS):
            await asyncio.sleep(LOOK_PAUSE if look else 0.0)
            found = await self._bucket.get(SESSION + session_id)
            if found is not None:
                await self.seen(found)
                return
        self._unknown[session_id] = monotonic() + UNKNOWN_SECONDS
        while len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    async def _renew(self, session_id: str) -> None:
        """Let a session go on, unless somebody has ended it."""
        entry = await self._bucket.get(SESSION + session_id)
        if entry is None or not entry.value:
            return
        record = SessionRecord.model_validate_json(entry.value)
        until = min(now() + LASTS, record.created_at + LONGEST)
        value = record.model_copy(update={"expires_at": until}).model_dump_json().encode()
        if await self._bucket.replace(entry.key, value, entry.revision) is not None:
            await self.seen(Entry(entry.key, value, 0))

    async def _make_room(self, name: str) -> None:
        mine = [(record.expires_at, session_id) for session_id, record in self._records.items() if record.user == name]
        for _, session_id in sorted(mine)[: max(0, len(mine) - MOST + 1)]:
            await self._drop(session_id)

    def _ended(self, record: SessionRecord) -> bool:
        """Whether it is void for ever: it has expired, or its user is gone or has another password."""
        user, at = self._known.users.get(record.user), now()
        void = (user is None or user.salt != record.mark) and record.created_at < at - SETTLED
        return record.expires_at <= at or void

    async def _drop(self, session_id: str) -> None:
        await self._bucket.delete(SESSION + session_id)
        self._records.pop(session_id, None)


def _id(cookie: str) -> str | None:
    """Return the id inside a cookie, or None when it cannot be one of ours."""
    session_id, dot, secret = cookie.partition(".")
    ours = dot and secret and len(cookie) <= MAX_COOKIE and session_id.isalnum() and session_id.isascii()
    return session_id if ours else None


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
