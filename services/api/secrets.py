"""Value secrets: set, listed without their values, removed unless a connection names them. Knows no HTTP."""

from services.api.connections import Connections
from shared.runtime.logging import get
from shared.store.secrets import SecretInfo, ValueSecrets

log = get(__name__)


class StillNamed(Exception):  # noqa: N818  a fact, not a fault
    """Connections name the secret; the message says which."""


class Secrets:
    """The value secrets of this installation as administrators see them. One per process."""

    def __init__(self, values: ValueSecrets, connections: Connections) -> None:
        self._values = values
        self._connections = connections

    async def all(self) -> dict[str, SecretInfo]:
        """Return what is known of every secret, by name. Raises `BucketUnavailable`."""
        return await self._values.all()

    async def info(self, name: str) -> SecretInfo | None:
        """Return what is known of a secret, None when there is none. Raises `BucketUnavailable`."""
        return await self._values.info(name)

    async def put(self, name: str, value: str, teams: list[str] | None, *, by: str) -> SecretInfo:
        """Set a secret. Raises `NoKey`, `BucketUnavailable`."""
        info = await self._values.put(name, value, by=by, teams=teams)
        log.info("secret set", secret=name, by=by)
        return info

    async def remove(self, name: str, *, by: str) -> bool:
        """Remove a secret; return whether it was there. Raises `StillNamed`, `BucketUnavailable`."""
        named = await self._connections.naming(name)
        if named:
            which = f"connection{'s' if len(named) > 1 else ''} {', '.join(named[:10])}"
            raise StillNamed(f"The secret {name} is named by the {which}: change or remove that first.")
        if not await self._values.remove(name):
            return False
        log.info("secret removed", secret=name, by=by)
        return True
