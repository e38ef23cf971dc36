"""Users: made, changed, removed, and never without an ADMIN among them. Knows no HTTP.

Two processes may each take away the last but one ADMIN at the same moment. So whoever takes one away first writes
another one's record anew, unchanged, and only at the revision that was read: of two such changes that rest on each
other, the broker refuses one.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any, Protocol

from services.api.access import USER, Role, Teams, UserRecord
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, BucketUnavailable, Entry

TRIES = 10
PAUSE_MS = 40
"""The longest pause between two tries: two who are in each other's way must not stay in step."""

log = get(__name__)


class UserProblem(Exception):  # noqa: N818  a fact, not a fault
    """Something that cannot be done to a user; the message says why."""


class NoSuchUser(UserProblem):
    """There is none of this name."""


class UserExists(UserProblem):
    """There is one of this name."""


class LastAdmin(UserProblem):
    """Nobody could administer anything afterwards."""


class AdminWithTeams(UserProblem):
    """Who may grant everything sees everything."""


class Mirror(Protocol):
    """What this process knows of users."""

    users: dict[str, UserRecord]

    async def seen(self, entry: Entry) -> None:
        """Take over a record at once; other processes hear of it by themselves."""


class Users:
    """The users of this installation. One per process."""

    def __init__(self, bucket: Bucket, mirror: Mirror) -> None:
        self._bucket = bucket
        self._mirror = mirror

    def all(self) -> list[UserRecord]:
        """Return every user, by name."""
        return [self._mirror.users[name] for name in sorted(self._mirror.users)]

    async def add(self, name: str, password: str, role: Role, teams: Teams, *, by: str) -> UserRecord:
        """Make a user. Raises `UserExists`, `BucketUnavailable`."""
        record = await asyncio.to_thread(UserRecord.of, name, password, role, now(), teams)
        value = record.model_dump_json().encode()
        if not await self._bucket.create(USER + name, value):
            raise UserExists(f"There is a user {name} already.")
        await self._mirror.seen(Entry(USER + name, value, 0))
        log.info("user made", user=name, role=role.value, by=by)
        return record

    async def change(self, name: str, change: dict[str, Any], *, by: str) -> UserRecord:
        """Give a user another `role` or other `teams`; whoever becomes ADMIN loses his teams.

        Raises `NoSuchUser`, `LastAdmin`, `AdminWithTeams`, `BucketUnavailable`.
        """
        async for _ in _tries():
            record, revision = await self._read(name)
            changed = record.model_copy(update=change)
            if changed.role is Role.ADMIN:
                if change.get("teams") is not None:
                    raise AdminWithTeams("An ADMIN sees every team: leave 'teams' out.")
                changed = changed.model_copy(update={"teams": None})
            if record.role is Role.ADMIN and changed.role is not Role.ADMIN and not await self._other_admin(name):
                continue
            if await self._replace(changed, revision):
                log.info("user changed", user=name, role=changed.role.value, by=by)
                return changed
        raise BucketUnavailable(f"the user {name} is being changed by others")

    async def set_password(self, name: str, password: str, *, by: str) -> None:
        """Give a user another password. Raises `NoSuchUser`, `BucketUnavailable`."""
        async for _ in _tries():
            record, revision = await self._read(name)
            fresh = await asyncio.to_thread(UserRecord.of, name, password, record.role, record.created_at, record.teams)
            if await self._replace(fresh, revision):
                log.info("password changed", user=name, by=by)
                return
        raise BucketUnavailable(f"the user {name} is being changed by others")

    async def remove(self, name: str, *, by: str) -> None:
        """Delete a user. Raises `NoSuchUser`, `LastAdmin`, `BucketUnavailable`."""
        async for _ in _tries():
            record, revision = await self._read(name)
            if record.role is Role.ADMIN and not await self._other_admin(name):
                continue
            if await self._bucket.delete(USER + name, revision):
                await self._mirror.seen(Entry(USER + name, None, 0))
                log.info("user removed", user=name, by=by)
                return
        raise BucketUnavailable(f"the user {name} is being changed by others")

    async def _read(self, name: str) -> tuple[UserRecord, int]:
        entry = await self._bucket.get(USER + name)
        if entry is None or not entry.value:
            raise NoSuchUser(f"There is no user {name}.")
        return UserRecord.model_validate_json(entry.value), entry.revision

    async def _replace(self, record: UserRecord, revision: int) -> bool:
        value, key = record.model_dump_json().encode(), USER + record.name
        if await self._bucket.replace(key, value, revision) is None:
            return False
        await self._mirror.seen(Entry(key, value, 0))
        return True

    async def _other_admin(self, name: str) -> bool:
        """Make sure that another ADMIN stays; False when that one has just changed. Raises `LastAdmin`."""
        others = [user.name for user in self.all() if user.role is Role.ADMIN and user.name != name]
        for other in others:
            entry = await self._bucket.get(USER + other)
            if entry is None or not entry.value:
                continue
            if UserRecord.model_validate_json(entry.value).role is Role.ADMIN:
                return await self._bucket.replace(entry.key, entry.value, entry.revision) is not None
        raise LastAdmin(f"{name} is the only ADMIN; make another one first.")


async def _tries() -> AsyncIterator[None]:
    yield
    for _ in range(TRIES - 1):
        await asyncio.sleep(secrets.randbelow(PAUSE_MS) / 1000)
        yield
