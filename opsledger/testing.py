"""The pytest plugin: run one operation against a real context in a temporary folder, with no NATS and no executor.

```python
async def test_greets(run_operation):
    ran = await run_operation(Greet(), {"name": "Ada"})

    assert ran.output == "Hello, Ada."
```

Loaded by every pytest of an environment that has opsledger, so this module imports next to nothing until a fixture
is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import asyncio

    from services.executor.operations.contract import Connection, Context, ExecutorPolicy, Operation


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
    async def writer(self, name: str) -> AsyncIterator[_ResultFile]:
        """Store a result file piece by piece; one that was not finished is not there."""
        file = _ResultFile()
        yield file
        file.reference = await self.put(name, bytes(file.content))

    async def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a result file back."""
        yield self.results[str(reference["object"])]


@dataclass
class _ResultFile:
    """A result file being written."""

    content: bytearray = field(default_factory=bytearray)
    reference: dict[str, Any] = field(default_factory=dict)

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.content += data


class RunOperation(Protocol):
    """The fixture `run_operation`. A fault is raised as it is; `into` then has what was logged before it."""

    def __call__(
        self,
        operation: Operation[Any],
        params: Mapping[str, Any] | None = None,
        *,
        phase: str = "execute",
        output: Any = None,
        upstreams: Mapping[str, Any] | None = None,
        policy: ExecutorPolicy | None = None,
        secrets: Mapping[str, str] | None = None,
        connections: Mapping[str, Connection] | None = None,
        cancelled: asyncio.Event | None = None,
        generation: int = 1,
        attempt: int = 1,
        into: Ran | None = None,
    ) -> Awaitable[Ran]:
        """Run `execute`, or with `phase="undo"` the undo of `output`."""


@pytest.fixture
def operation_files(tmp_path: Path) -> Path:
    """The folder that operations under test may write to."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def run_operation(operation_files: Path) -> RunOperation:
    """Return a function that runs one attempt of an operation and tells what came of it."""

    async def run(
        operation: Operation[Any],
        params: Mapping[str, Any] | None = None,
        *,
        phase: str = "execute",
        output: Any = None,
        upstreams: Mapping[str, Any] | None = None,
        policy: ExecutorPolicy | None = None,
        secrets: Mapping[str, str] | None = None,
        connections: Mapping[str, Connection] | None = None,
        cancelled: asyncio.Event | None = None,
        generation: int = 1,
        attempt: int = 1,
        into: Ran | None = None,
    ) -> Ran:
        from pydantic_core import from_json, to_json  # noqa: PLC0415 - a plugin imports late

        from services.executor.output import Output  # noqa: PLC0415

        ran = into if into is not None else Ran()
        context = _context(
            ran, operation_files, phase, generation, attempt, policy, secrets, connections, cancelled, upstreams
        )
        checked = operation.parse(params or {})
        try:
            if phase == "undo":
                await operation.undo(context, checked, output)
            else:
                # Through JSON and back, as the next subtask will see it.
                ran.output = from_json(to_json(await operation.execute(context, checked)))
        finally:
            log = context.log
            assert isinstance(log, Output)  # noqa: S101 - made below
            await log.flush()
        return ran

    return run


def _context(
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
