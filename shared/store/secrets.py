"""Value secrets: what operations need to get in somewhere, sealed, with who made it readable beside it.

KV `values` holds one JSON object a name: who, when, for which teams, and the sealed value. A value is opened one at a
time and never listed. Refuses to know who asks and why; the key never comes near the broker.
"""

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.runtime.clock import now
from shared.store.kv import Bucket
from shared.store.vault import Vault
from shared.task.text import readable

REFERENCE: Final = r"^[a-z][a-z0-9_-]{0,30}:[A-Za-z0-9_./@#:-]{1,200}$"
"""Where a value is, never the value: a scheme and a name, as `kv:crm/password`."""
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$"
MAX_NAME: Final = 200
MAX_VALUE: Final = 64 * 1024
"""Characters of a value."""
HOW: Final = (
    "There is no key of secrets. Set OPSLEDGER_SECRETS_KEY, the same in every API and executor process (for instance "
    "from `openssl rand -hex 32`), or OPSLEDGER_SECRETS_KEY_FILE, and start it again."
)


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("this is not Unicode text") from None
    return value


SecretName = Annotated[str, StringConstraints(pattern=NAME, max_length=MAX_NAME)]
SecretValue = Annotated[str, StringConstraints(min_length=1, max_length=MAX_VALUE), AfterValidator(_encodable)]
Team = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(readable)]


class NoKey(Exception):  # noqa: N818  what somebody did not configure
    """There is no key to seal with."""

    def __init__(self) -> None:
        super().__init__(HOW)


class Sealed(Exception):  # noqa: N818  what somebody configured differently
    """The value is there, but no key of ours opens it."""


class SecretInfo(BaseModel):
    """What may be known of a secret without knowing it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    teams: Annotated[list[Team], Field(min_length=1, max_length=100)] | None = None
    """Only tasks with one of them as label `team` may use it; None: all tasks."""

    def open_to(self, team: str | None) -> bool:
        """Whether a task with this label `team` may use it."""
        return self.teams is None or team in self.teams


class _Record(SecretInfo):
    v: int = 1
    sealed: str

    def shown(self) -> SecretInfo:
        return SecretInfo.model_validate(self.model_dump(include=set(SecretInfo.model_fields)))


class ValueSecrets:
    """The value secrets of this installation, over one connection."""

    def __init__(self, bucket: Bucket, vault: Vault | None) -> None:
        self._bucket = bucket
        self._vault = vault

    async def put(self, name: str, value: str, *, by: str, teams: list[str] | None = None) -> SecretInfo:
        """Seal and store a value, replacing what was there; return what may be known of it.

        Raises `NoKey`, `BucketUnavailable`.
        """
        if self._vault is None:
            raise NoKey
        before, at = await self.info(name), now()
        record = _Record(
            created_at=before.created_at if before is not None else at,
            created_by=before.created_by if before is not None else by,
            changed_at=at,
            changed_by=by,
            teams=teams,
            sealed=b64encode(self._vault.seal(_owner(name), value)).decode(),
        )
        await self._bucket.put(name, record.model_dump_json(exclude_none=True).encode())
        return record.shown()

    async def get(self, name: str) -> tuple[str, SecretInfo] | None:
        """Return a value with what is known of it; None when there is none. Raises `Sealed`, `BucketUnavailable`."""
        record = await self._read(name)
        if record is None:
            return None
        if self._vault is None:
            raise Sealed(HOW)
        try:
            value = self._vault.open(_owner(name), b64decode(record.sealed))
        except ValueError:
            value = None
        if value is None:
            raise Sealed(f"The secret {name} was sealed with another key than the one of this process.")
        return value, record.shown()

    async def info(self, name: str) -> SecretInfo | None:
        """Return what is known of a secret; None when there is none. Raises `BucketUnavailable`."""
        record = await self._read(name)
        return record.shown() if record is not None else None

    async def all(self) -> dict[str, SecretInfo]:
        """Return what is known of every secret, by name. Raises `BucketUnavailable`."""
        found = {entry.key: _record(entry.value) for entry in await self._bucket.all()}
        return {name: record.shown() for name, record in sorted(found.items()) if record is not None}

    async def remove(self, name: str) -> bool:
        """Remove a secret; return whether it was there. Raises `BucketUnavailable`."""
        entry = await self._bucket.get(name)
        return entry is not None and await self._bucket.delete(name, entry.revision)

    async def _read(self, name: str) -> _Record | None:
        entry = await self._bucket.get(name)
        return _record(entry.value) if entry is not None else None


def _record(value: bytes | None) -> _Record | None:
    """Return an entry's record; what is none of ours is not there."""
    try:
        return _Record.model_validate_json(value) if value else None
    except ValidationError:
        return None


def _owner(name: str) -> str:
    """Return what a value is sealed in with, so that it opens under its own name alone."""
    return f"value/{name}"
