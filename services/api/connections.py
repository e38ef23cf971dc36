"""Connections: defined, looked up, removed. Knows no HTTP and no secret's value."""

from pydantic import ValidationError

from shared.runtime.logging import get
from shared.store.connections import ConnectionSpec, decode
from shared.store.kv import Bucket, Entry
from shared.store.secrets import ValueSecrets

KEPT = "kv:"

log = get(__name__)


class NoSuchSecret(Exception):  # noqa: N818  a fact, not a fault
    """A connection names a secret that is not there; `purpose` says where."""

    def __init__(self, purpose: str, secret: str) -> None:
        super().__init__(f"There is no secret {secret}; set it first.")
        self.purpose = purpose


class Connections:
    """The connections of this installation. One per process."""

    def __init__(self, bucket: Bucket, secrets: ValueSecrets) -> None:
        self._bucket = bucket
        self._secrets = secrets

    async def all(self) -> list[ConnectionSpec]:
        """Return every connection, by name. Raises `BucketUnavailable`."""
        found = [_spec(entry) for entry in await self._bucket.all()]
        return sorted((spec for spec in found if spec is not None), key=lambda spec: spec.name)

    async def get(self, name: str) -> ConnectionSpec | None:
        """Return a connection, None when there is none. Raises `BucketUnavailable`."""
        entry = await self._bucket.get(name)
        return _spec(entry) if entry is not None else None

    async def put(self, spec: ConnectionSpec, *, by: str) -> bool:
        """Define a connection, replacing one of the name; return whether it is new.

        Raises `NoSuchSecret`, `BucketUnavailable`.
        """
        for purpose, reference in spec.secrets.items():
            if reference.startswith(KEPT):
                secret = reference.removeprefix(KEPT)
                if await self._secrets.info(secret) is None:
                    raise NoSuchSecret(purpose, secret)
        new = await self._bucket.get(spec.name) is None
        await self._bucket.put(spec.name, spec.encode())
        log.info("connection defined", connection=spec.name, new=new, by=by)
        return new

    async def remove(self, name: str, *, by: str) -> bool:
        """Remove a connection; return whether it was there. Raises `BucketUnavailable`."""
        entry = await self._bucket.get(name)
        if entry is None or not await self._bucket.delete(name, entry.revision):
            return False
        log.info("connection removed", connection=name, by=by)
        return True

    async def naming(self, secret: str) -> list[str]:
        """Return the names of the connections that name a secret. Raises `BucketUnavailable`."""
        return [spec.name for spec in await self.all() if KEPT + secret in spec.secrets.values()]


def _spec(entry: Entry) -> ConnectionSpec | None:
    try:
        return decode(entry.value) if entry.value else None
    except ValidationError as error:
        log.warning("connection not understood", connection=entry.key, faults=error.error_count())
        return None
