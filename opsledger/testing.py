"""The pytest plugin: run one operation, or a whole task, in a temporary folder, with no NATS and no executor.

```python
async def test_greets(run_operation):
    ran = await run_operation(greet, {"name": "Ada"})

    assert ran.output == "Hello, Ada."


async def test_its_undo_undoes(run_task, operation_snapshot):
    before = operation_snapshot()
    ran = await run_task("acme.party", {"guests": ["Ada", "Bob"]}, fail_at="greet-Bob")

    await ran.rollback()

    assert operation_snapshot() == before
```

Loaded by every pytest of an environment that has opsledger, so this module imports next to nothing until a fixture
is used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from opsledger.workbench.one import Line, Ran, context_of

__all__ = ["Line", "Ran", "RunOperation", "RunTask", "Snapshot"]

if TYPE_CHECKING:
    import asyncio

    from opsledger.workbench.clock import FakeClock
    from opsledger.workbench.cue import At
    from opsledger.workbench.offers import What
    from opsledger.workbench.ran import TaskRan
    from services.executor.operations.contract import Connection, ExecutorPolicy, Operation
    from services.executor.task_types.contract import TaskType


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


Snapshot = Callable[[], "dict[str, bytes | None]"]
"""The fixture `operation_snapshot`."""


class RunTask(Protocol):
    """The fixture `run_task`.

    `crash_at`, `fail_at`, `cancel_at`: a step's key, or (key, "before" or "after" its effect, or "says TEXT"), for a
    failure also the fault; a list holds several. Each happens once. Raises `NeverReached` (an AssertionError) for one
    that did not.
    """

    def __call__(
        self,
        what: What,
        params: Mapping[str, Any] | None = None,
        *,
        operations: Iterable[Operation[Any] | type[Operation[Any]]] = (),
        task_types: Iterable[TaskType] = (),
        clock: FakeClock | None = None,
        crash_at: At = None,
        fail_at: At = None,
        cancel_at: At = None,
        policy: ExecutorPolicy | None = None,
        secrets: Mapping[str, str] | None = None,
        connections: Mapping[str, Connection] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Awaitable[TaskRan]:
        """Run a task of a plan, a task type or an operation; `operations` and `task_types` need not be installed."""


@pytest.fixture
def operation_files(tmp_path: Path) -> Path:
    """The folder that operations under test may write to."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def operation_snapshot(operation_files: Path) -> Snapshot:
    """Return a function that gives what is in the folder now: content by path, None for folders; not `.undo`."""

    def now() -> dict[str, bytes | None]:
        from opsledger.workbench.files import snapshot  # noqa: PLC0415 - a plugin imports late

        return snapshot(operation_files)

    return now


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that jumps to what is waited for; with `still = True` only `advance` moves it."""
    from opsledger.workbench.clock import FakeClock  # noqa: PLC0415 - a plugin imports late

    return FakeClock()


@pytest.fixture
def run_task(operation_files: Path) -> RunTask:
    """Return a function that runs a whole task with the real core, in memory, and tells what came of it."""
    ids = count(1)

    async def run(what: What, params: Mapping[str, Any] | None = None, **settings: Any) -> TaskRan:
        from opsledger.workbench.offers import run_task as run_whole  # noqa: PLC0415 - a plugin imports late

        return await run_whole(what, params, files=operation_files, task_id=next(ids), **settings)

    return run


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
        context = context_of(
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
