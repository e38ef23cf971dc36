"""What was disclosed to one attempt: it asks for secrets and connections here, and what it was told is masked.

Responsible for the promise that a value which an operation resolved stands in nothing that is kept: lines, output,
problem, progress, result files, this process's own log. Refuses to know where values come from and where lines go.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from services.executor.connections import Connections
from services.executor.fault import TransientFault
from services.executor.masking import MOST, Masker, Stream
from services.executor.operations.contract import Connection, ResultWriter
from services.executor.secrets import Secrets
from shared.store.objects import Results, ResultsUnavailable, Writer
from shared.task.state import Subtask, Task
from shared.task.words import TEAM

PIECE: Final = 128 * 1024


class Disclosed:
    """The secrets of one attempt. `everywhere` masks the log of this process."""

    def __init__(
        self, secrets: Secrets, connections: Connections, everywhere: Masker, team: str | None, by: str
    ) -> None:
        self._secrets = secrets
        self._connections = connections
        self._everywhere = everywhere
        self._team = team
        self._by = by
        self.masker = Masker()

    async def secret(self, reference: str) -> str:
        """Return the value behind a reference; masked from here on. Raises a fault."""
        return self._told(await self._secrets.resolve(reference, self._team))

    async def keep(self, reference: str, value: str) -> None:
        """Keep a value, or remove it when it is empty; masked from here on. Raises a fault."""
        await self._secrets.keep(reference, self._told(value), self._team, self._by)

    async def connection(self, name: str) -> Connection:
        """Return a connection with its secrets; masked from here on. Raises a fault."""
        return await self._connections.get(name, self._team, self.secret)

    def _told(self, value: str) -> str:
        self.masker.add(value)
        self._everywhere.add(value, most=MOST)
        return value


class Disclosing:
    """Makes `Disclosed`s. One per process."""

    def __init__(
        self,
        secrets: Secrets | None = None,
        connections: Connections | None = None,
        everywhere: Masker | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._connections = connections or Connections()
        self._everywhere = everywhere if everywhere is not None else Masker()

    def to(self, task: Task, subtask: Subtask) -> Disclosed:
        """Return what an attempt at this subtask asks."""
        return self.to_team(task.labels.get(TEAM), by=f"task {task.id}/{subtask.number}")

    def to_team(self, team: str | None, *, by: str) -> Disclosed:
        """Return what somebody asks who may have what tasks of this team may have; None: tasks without a team."""
        return Disclosed(self._secrets, self._connections, self._everywhere, team, by)


class MaskedResults:
    """The store of result files as an operation sees it: masked on the way in; what the store raises is a fault."""

    def __init__(self, results: Results, masker: Masker) -> None:
        self._results = results
        self._masker = masker

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store a file; return its reference. Raises `TransientFault`."""
        try:
            return await self._results.put(name, self._masker.data(data))
        except ResultsUnavailable as error:
            raise TransientFault(str(error)) from error

    @asynccontextmanager
    async def writer(self, name: str) -> AsyncIterator[ResultWriter]:
        """Store a file piece by piece. Raises `TransientFault`."""
        try:
            async with self._results.writer(name) as file:
                masked = _MaskedWriter(file, self._masker)
                yield masked
                await masked.finish()
        except ResultsUnavailable as error:
            raise TransientFault(str(error)) from error

    async def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a file piece by piece. Raises `TransientFault`."""
        try:
            async for piece in self._results.read(reference):
                yield piece
        except ResultsUnavailable as error:
            raise TransientFault(str(error)) from error

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of the file of this name, None when there is none. Raises `TransientFault`."""
        try:
            return await self._results.find(name)
        except ResultsUnavailable as error:
            raise TransientFault(str(error)) from error


class _MaskedWriter:
    """Masks what is written, in pieces large enough to be worth it."""

    def __init__(self, file: Writer, masker: Masker) -> None:
        self._file = file
        self._stream = Stream(masker)
        self._masker = masker
        self._waiting = bytearray()

    @property
    def reference(self) -> dict[str, Any]:
        return self._file.reference

    async def write(self, data: bytes) -> None:
        if not self._masker and not self._waiting:
            await self._file.write(self._stream.feed(data))
            return
        self._waiting += data
        if len(self._waiting) >= PIECE:
            await self._pass_on()

    async def finish(self) -> None:
        await self._pass_on()
        await self._file.write(self._stream.end())

    async def _pass_on(self) -> None:
        piece = bytes(self._waiting)
        self._waiting.clear()
        await self._file.write(self._stream.feed(piece))
