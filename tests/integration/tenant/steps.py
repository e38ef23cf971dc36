"""Run a task type's plan step by step on a real server, as an executor would: outputs to upstreams, undo backwards.

State that an executor keeps elsewhere (secrets, result files, outputs) lies in a folder, so that a killed process and
the one that goes on see the same.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from services.executor.catalog import Catalog
from services.executor.operations.contract import Connection, Context, ExecutorPolicy, Operation, PermanentFault
from services.executor.output import Output
from services.executor.processes import Children
from shared.task.plan import Plan, SubtaskPlan


@dataclass
class Keeper:
    """Secrets and result files in a folder; lines in memory."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> dict[str, str]:
        """What is kept, by reference."""
        file = self.folder / "secrets.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    async def secret(self, reference: str) -> str:
        """Resolve a reference."""
        if reference not in self.secrets:
            raise PermanentFault(f"no secret {reference}")
        return self.secrets[reference]

    async def keep(self, reference: str, value: str) -> None:
        """Keep a value; an empty one removes it."""
        known = {**self.secrets, reference: value}
        known = {name: kept for name, kept in known.items() if kept}
        (self.folder / "secrets.json").write_text(json.dumps(known))

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:
        """Store lines."""
        self.lines += [line["m"] for line in json.loads(body)["lines"]]

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store a file."""
        path = self.folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"object": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}

    @asynccontextmanager
    async def writer(self, name: str) -> AsyncIterator["_File"]:
        """Store a file piece by piece."""
        file = _File()
        yield file
        file.reference = await self.put(name, bytes(file.content))

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of a file."""
        path = self.folder / "results" / name
        return await self.put(name, path.read_bytes()) if path.exists() else None

    async def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a file."""
        yield (self.folder / "results" / reference["object"]).read_bytes()


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)
    reference: dict[str, Any] = field(default_factory=dict)

    async def write(self, data: bytes) -> None:
        self.content += data


class Steps:
    """One task: its plan, where its attempts stand, and the outputs so far."""

    def __init__(
        self,
        plan: Plan,
        operations: Mapping[str, Operation[Any]],
        connection: Connection,
        folder: Path,
        task_id: int = 7,
    ) -> None:
        self.plan = plan
        self.operations = operations
        self.connection = connection
        self.keeper = Keeper(folder)
        self.task_id = task_id
        self.outputs: dict[str, Any] = {}
        self.started: list[str] = []
        self.policy = ExecutorPolicy()
        (folder / "files").mkdir(parents=True, exist_ok=True)
        self._settled = folder / f"settled-{task_id}.json"
        if self._settled.exists():
            self.started, self.outputs = json.loads(self._settled.read_text())

    @property
    def keys(self) -> list[str]:
        """The steps in order."""
        return [step.key for step in self.plan.subtasks]

    async def run(self, *, until: str | None = None) -> None:
        """Run what has not succeeded, in order; raises what a step raises."""
        for step in self.plan.subtasks:
            if step.key == until:
                return
            if step.key not in self.outputs:
                await self.execute(step)

    async def execute(self, step: SubtaskPlan) -> Any:
        """Run one attempt at a step."""
        if step.key not in self.started:
            self.started.append(step.key)
            self._commit()
        operation = self.operations[step.operation]
        context = self.context(step, "execute")
        try:
            made = await operation.execute(context, operation.parse(step.params))
        finally:
            await _flush(context)
        self.outputs[step.key] = json.loads(json.dumps(made))
        self._commit()
        return made

    async def undo(self) -> None:
        """Undo what has started, the last first."""
        while self.started:
            await self.undo_step(self.started[-1])
            self.started.pop()
            self._commit()
        self.outputs = {}
        self._commit()

    def _commit(self) -> None:
        """Keep what is settled, as the log would."""
        self._settled.write_text(json.dumps([self.started, self.outputs]))

    async def undo_step(self, key: str) -> None:
        """Undo one step."""
        step = next(step for step in self.plan.subtasks if step.key == key)
        operation = self.operations[step.operation]
        context = self.context(step, "undo")
        try:
            await operation.undo(context, operation.parse(step.params), self.outputs.get(key))
        finally:
            await _flush(context)

    def context(self, step: SubtaskPlan, phase: str) -> Context:
        """Return the context of an attempt."""
        number = self.keys.index(step.key) + 1
        word: Any = phase

        async def connection(name: str) -> Connection:
            return self.connection

        return Context(
            task_id=self.task_id,
            subtask=number,
            key=step.key,
            generation=1,
            attempt=1,
            phase=word,
            token=f"{self.task_id}/{number}/1",
            fence=1,
            log=Output(
                self.keeper,
                task_id=self.task_id,
                subtask=number,
                generation=1,
                attempt=1,
                phase=word,
                limit_bytes=1 << 20,
            ),
            upstreams={key: self.outputs[key] for key in step.upstreams if key in self.outputs},
            cancelled=asyncio.Event(),
            files=self.keeper.folder / "files",
            policy=self.policy,
            children=Children(),
            results=self.keeper,
            resolve_secret=self.keeper.secret,
            resolve_connection=connection,
            keep_secret=self.keeper.keep,
        )


async def _flush(context: Context) -> None:
    log = context.log
    assert isinstance(log, Output)
    await log.flush()


def catalog_of(*operations: Operation[Any]) -> Mapping[str, Operation[Any]]:
    """Return operations by name, as an executor's catalogue has them."""
    return Catalog({operation.name: operation for operation in operations}).operations
