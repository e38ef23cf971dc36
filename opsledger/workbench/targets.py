"""The secrets and connections there are on the workbench. What is disclosed is masked by the executor's own means."""

from collections.abc import Mapping

from services.executor.connections import Connections, Resolve
from services.executor.disclosed import Disclosing
from services.executor.fault import PermanentFault
from services.executor.operations.contract import Connection
from services.executor.secrets import Secrets
from services.executor.secrets import discover as discover_resolvers
from shared.store.connections import ConnectionSpec

_OURS = "workbench:"


class Targets:
    """What a run may reach. `secrets` maps references to values; what operations store is added to it.

    `specs` are connections as a file of an executor has them. `beyond`: references that were not given are resolved
    as an executor does it (`env:`, `file:` has no folder here, resolvers of packages).
    """

    def __init__(
        self,
        secrets: Mapping[str, str] | None = None,
        connections: Mapping[str, Connection] | None = None,
        *,
        specs: Mapping[str, ConnectionSpec] | None = None,
        beyond: bool = False,
    ) -> None:
        self.secrets = dict(secrets or {})
        given = dict(connections or {})
        inside = {f"{_OURS}{name}.{word}": it for name, one in given.items() for word, it in one.secrets.items()}
        self.disclosing = Disclosing(_Secrets(self.secrets, inside, beyond=beyond), _Connections(given, specs))


class _Secrets(Secrets):
    """Values that were given, and if need be those an executor would find."""

    def __init__(self, given: dict[str, str], inside: Mapping[str, str], *, beyond: bool) -> None:
        super().__init__(more=discover_resolvers() if beyond else None)
        self._given = given
        self._inside = inside
        self._beyond = beyond

    async def resolve(self, reference: str, team: str | None) -> str:
        """Return a value. Raises `PermanentFault` when there is none."""
        value = self._given.get(reference) or self._inside.get(reference)
        if value is not None:
            return value
        if self._beyond:
            return await super().resolve(reference, team)
        raise PermanentFault(
            f"The secret {reference} cannot be had: it was not given to the workbench.", {"kind": "SECRET_UNAVAILABLE"}
        )

    async def keep(self, reference: str, value: str, team: str | None, by: str) -> None:  # noqa: ARG002 - nobody else's
        """Keep a value; an empty one removes it."""
        if not reference.startswith("kv:"):
            raise PermanentFault(
                f"The secret {reference} cannot be had: values are kept under kv:NAME.", {"kind": "SECRET_UNAVAILABLE"}
            )
        self._given[reference] = value
        if not value:
            del self._given[reference]


class _Connections(Connections):
    """Connections that were given, and those of a file."""

    def __init__(self, given: Mapping[str, Connection], specs: Mapping[str, ConnectionSpec] | None) -> None:
        super().__init__(ours=specs)
        self._given = given

    async def get(self, name: str, team: str | None, resolve: Resolve) -> Connection:
        """Return a connection, its secrets disclosed. Raises a fault."""
        found = self._given.get(name)
        if found is None:
            return await super().get(name, team, resolve)
        for word in found.secrets:
            await resolve(f"{_OURS}{name}.{word}")  # told, so that it is masked from here on
        return found
