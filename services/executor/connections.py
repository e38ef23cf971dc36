"""Connections: from a name to a target with its secrets, for a task that may use it.

A file of whoever runs the executor outweighs KV `connections`. Refuses to know drivers, and what becomes of a value.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from services.executor.operations.contract import Connection, PermanentFault, TransientFault, explain
from shared.store.connections import MAX_NAME, NAME, ConnectionSpec, decode, decode_list
from shared.store.kv import Bucket, BucketUnavailable

Resolve = Callable[[str], Awaitable[str]]


class BadConnections(Exception):  # noqa: N818  what somebody configured
    """The file of connections cannot be used; the message says why."""


class Connections:
    """The connections that this executor knows. One per process."""

    def __init__(self, bucket: Bucket | None = None, ours: Mapping[str, ConnectionSpec] | None = None) -> None:
        self._bucket = bucket
        self._ours = dict(ours or {})

    async def get(self, name: str, team: str | None, resolve: Resolve) -> Connection:
        """Return a connection for a task with this label `team`; `resolve` gives its secrets. Raises a fault."""
        spec = await self._find(name)
        if spec is None or not spec.open_to(team):
            whose = f"tasks of team {team}" if team is not None else "tasks without a team"
            raise _none(f"There is no connection '{name[:MAX_NAME]}' for {whose}; see `opsledger connection list`.")
        secrets = {purpose: await resolve(reference) for purpose, reference in spec.secrets.items()}
        return Connection(spec.name, spec.url, dict(spec.options), secrets)

    async def _find(self, name: str) -> ConnectionSpec | None:
        if name in self._ours or self._bucket is None:
            return self._ours.get(name)
        if len(name) > MAX_NAME or not re.fullmatch(NAME, name):
            return None
        try:
            entry = await self._bucket.get(name)
        except BucketUnavailable as error:
            raise TransientFault(f"The connection '{name}' cannot be looked up now: {error}") from None
        if entry is None or not entry.value:
            return None
        try:
            return decode(entry.value)
        except ValidationError as error:
            raise _none(f"The connection '{name}' is not understood: {explain(error)}. Define it anew.") from None


def from_file(file: Path | None) -> dict[str, ConnectionSpec]:
    """Read a file of connections, a JSON list. Raises `BadConnections`."""
    if file is None:
        return {}
    try:
        return {spec.name: spec for spec in decode_list(file.read_bytes())}
    except OSError as error:
        raise BadConnections(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise BadConnections(f"{file} is not understood: {explain(error)}") from None
    except ValueError as error:
        raise BadConnections(f"{file}: {error}") from None


def _none(message: str) -> PermanentFault:
    return PermanentFault(message, {"kind": "NO_CONNECTION"})
