"""One attempt on its own: the context an operation is given in a test, and what came of it.

Imports next to nothing until a context is made: every pytest of an environment that has opsledger loads this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from services.executor.operations.contract import Connection, Context, ExecutorPolicy


@dataclass(frozen=True)
class Line:
    """One line that an operation logged."""

    level: str
    text: str
    time: float


@dataclass
class Ran:
    """What an attempt gave: its output, what it logged, its progress, its result files, and the secrets there were."""

    output: Any = None
    lines: list[Line] = field(default_factory=list)
    batches: list[bytes] = field(default_factory=list)
    progress: list[tuple[float, str]] = field(default_factory=list)
    results: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> list[str]:
        """The text of all lines, in order."""
        return [line.text for line in self.lines]

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:  # noqa: ARG002 - the port's signature
        """Store a batch of lines, as LOGS would."""
        import json  # noqa: PLC0415 - a plugin imports late

        self.batches.append(body)
        self.lines += [Line(line["l"], line["m"], line["t"]) for line in json.loads(body)["lines"]]

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store a result file, as the object store would."""
        import hashlib  # noqa: PLC0415 - a plugin imports late

        self.results[name] = data
        return {"object": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    @asynccontextmanager
    async def writer(self, name: str) -> AsyncIterator[ResultFile]:
        """Store a result file piece by piece; one that was not finished is not there."""
        file = ResultFile()
        yield file
        file.reference = await self.put(name, bytes(file.content))

    async def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a result file back."""
        yield self.results[str(reference["object"])]

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of a result file by its name."""
        return await self.put(name, self.results[name]) if name in self.results else None


@dataclass
class ResultFile:
    """A result file being written."""

    content: bytearray = field(default_factory=bytearray)
    reference: dict[str, Any] = field(default_factory=dict)

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.content += data


def context_of(
    ran: Ran,
    files: Path,
    phase: str,
    generation: int,
    attempt: int,
    policy: ExecutorPolicy | None,
    secrets: Mapping[str, str] | None,
    connections: Mapping[str, Connection] | None,
    cancelled: asyncio.Event | None,
    upstreams: Mapping[str, Any] | None,
) -> Context:
    """Return the context of one attempt."""
    import asyncio  # noqa: PLC0415 - a plugin imports late

    from services.executor.operations.contract import Context, ExecutorPolicy, PermanentFault  # noqa: PLC0415
    from services.executor.output import Output  # noqa: PLC0415
    from services.executor.processes import Children  # noqa: PLC0415

    policy = policy or ExecutorPolicy()
    known = ran.secrets
    known.update(secrets or {})

    async def secret(name: str) -> str:
        if name not in known:
            raise PermanentFault(f"secret '{name}' is not among those of this test.")
        return known[name]

    async def keep(name: str, value: str) -> None:
        known[name] = value
        if not value:
            del known[name]

    async def connection(name: str) -> Connection:
        if name not in (connections or {}):
            raise PermanentFault(f"connection '{name}' is not among those of this test.")
        return (connections or {})[name]

    def progress(fraction: float, note: str) -> None:
        ran.progress.append((fraction, note))

    word: Any = phase
    return Context(
        task_id=1,
        subtask=1,
        key="under-test",
        generation=generation,
        attempt=attempt,
        phase=word,
        token=f"1/1/{generation}",
        fence=1,
        log=Output(
            ran,
            task_id=1,
            subtask=1,
            generation=generation,
            attempt=attempt,
            phase=word,
            limit_bytes=policy.output_limit_bytes,
        ),
        upstreams=dict(upstreams or {}),
        cancelled=cancelled or asyncio.Event(),
        files=files,
        policy=policy,
        children=Children(),
        results=ran,
        resolve_secret=secret,
        resolve_connection=connection,
        keep_secret=keep,
        on_progress=progress,
    )
