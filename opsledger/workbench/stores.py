"""Where attempts on the workbench put their lines and result files: memory."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from services.executor.fault import PermanentFault


@dataclass(frozen=True, slots=True)
class Line:
    """One line that an attempt logged. `time` in seconds since the epoch."""

    key: str
    level: str
    text: str
    time: float
    phase: str
    attempt: int


class MemoryLines:
    """What operations said, as LOGS would keep it."""

    def __init__(self, key_of: Callable[[int], str], heard: Callable[[Line], None]) -> None:
        self.kept: list[Line] = []
        self._key_of = key_of
        self._heard = heard

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:  # noqa: ARG002 - the port's signature
        """Store a batch of lines."""
        batch = json.loads(body)
        key = self._key_of(subtask)
        for line in batch["lines"]:
            kept = Line(key, line["l"], line["m"], line["t"], batch["phase"], batch["attempt"])
            self.kept.append(kept)
            self._heard(kept)


@dataclass
class ResultFile:
    """A result file being written."""

    name: str
    content: bytearray = field(default_factory=bytearray)
    kept: dict[str, Any] | None = None

    @property
    def reference(self) -> dict[str, Any]:
        """Name, size and hash. Raises `RuntimeError` before the file is whole."""
        if self.kept is None:
            raise RuntimeError(f"{self.name} is still being written")
        return self.kept

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.content += data


class MemoryResults:
    """Result files and large outputs, as the object store would keep them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store `data`; return its reference."""
        self.files[name] = data
        return {"object": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}

    @asynccontextmanager
    async def writer(self, name: str) -> AsyncIterator[ResultFile]:
        """Store a file piece by piece; one that was not finished is not there."""
        file = ResultFile(name)
        yield file
        file.kept = await self.put(name, bytes(file.content))

    async def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a file back. Raises a fault when it is not there."""
        yield await self.get(reference)

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of a file by its name."""
        return await self.put(name, self.files[name]) if name in self.files else None

    async def get(self, reference: Mapping[str, Any]) -> bytes:
        """Return a file. Raises a fault when it is not there."""
        name = str(reference["object"])
        if name not in self.files:
            raise PermanentFault(f"There is no result file '{name}'.")
        return self.files[name]
