"""Making and revoking API tokens, for REST and for the command line. Knows no HTTP."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.api.access import TOKEN, Role, Teams, TokenRecord, new_token
from services.api.identity.secret_keys import SecretKeys
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry

log = get(__name__)


class Mirror(Protocol):
    """What this process knows of tokens."""

    tokens: dict[str, TokenRecord]

    async def seen(self, entry: Entry) -> None:
        """Take over a record at once; other processes hear of it by themselves."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token: what nobody will see again, and its record."""

    token: str
    record: TokenRecord
    secret_key: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is to be. `key_pair`: True must have one, None has one where it can be kept."""

    name: str
    role: Role
    expires_at: datetime | None = None
    teams: Teams = None
    key_pair: bool | None = None


class Tokens:
    """The tokens of this installation. One per process."""

    def __init__(self, bucket: Bucket, secret_keys: SecretKeys, mirror: Mirror | None = None) -> None:
        self._bucket = bucket
        self._secret_keys = secret_keys
        self._mirror = mirror

    def all(self) -> list[TokenRecord]:
        """Return every token, the oldest first."""
        known = self._mirror.tokens.values() if self._mirror is not None else ()
        return sorted(known, key=lambda record: (record.created_at, record.id))

    async def issue(self, wanted: Wanted, *, by: str) -> Issued:
        """Store a new token. Raises `NoVault` when it must have a key pair and cannot, `BucketUnavailable`."""
        signs = wanted.key_pair if wanted.key_pair is not None else self._secret_keys.possible
        token, record = new_token(
            wanted.name,
            wanted.role,
            now(),
            wanted.expires_at,
            teams=None if wanted.role is Role.ADMIN else wanted.teams,
            created_by=by,
            signs=signs,
        )
        secret_key = await self._secret_keys.make(record.id) if signs else None  # first: the record opens the door
        value = record.model_dump_json().encode()
        await self._tell(Entry(TOKEN + record.id, value, await self._bucket.put(TOKEN + record.id, value)))
        log.info("token made", token=record.id, name=record.name, role=record.role.value, by=by)
        return Issued(token, record, secret_key)

    async def revoke(self, token_id: str, *, by: str) -> bool:
        """Delete a token and its secret key; return whether it was there. Raises `BucketUnavailable`."""
        key = TOKEN + token_id
        found = await self._bucket.get(key)
        if found is None or not found.value or not await self._bucket.delete(key, found.revision):
            return False
        await self._tell(Entry(key, None, 0))
        await self._secret_keys.drop(token_id)
        log.info("token revoked", token=token_id, by=by)
        return True

    async def _tell(self, entry: Entry) -> None:
        if self._mirror is not None:
            await self._mirror.seen(entry)


async def issue(bucket: Bucket, name: str, role: Role, *, days: float | None = None, teams: Teams = None) -> str:
    """Store a new token without a key pair and return it. Raises `ValidationError`, `BucketUnavailable`."""
    until = now() + timedelta(days=days) if days is not None else None
    wanted = Wanted(name, role, until, teams, key_pair=False)
    return (await Tokens(bucket, SecretKeys(bucket, None)).issue(wanted, by="command line")).token
