"""One attempt as named steps: prepare, perform, keep what it printed and returned. Ends in an `Outcome`, always.

Knows operations and their outcomes; refuses to know claims, queues and what comes next.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from services.executor import outcome
from services.executor.catalog import Catalog
from services.executor.disclosed import Disclosing, MaskedResults
from services.executor.fault import Cancelled, PermanentFault, TransientFault
from services.executor.lease import Lease, Running
from services.executor.masking import Masker
from services.executor.operations.contract import Ask, Context, ExecutorPolicy, Operation, no_api
from services.executor.output import LogSink, Output
from shared.runtime.failpoint import hit
from shared.store.objects import Results, ResultsUnavailable
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.ids import task_token
from shared.task.state import Subtask, Task

INLINE_OUTPUT = 64 * 1024
"""Outputs above this many bytes go to the object store; the event carries name, size and hash."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of this executor works with."""

    catalog: Catalog
    policy: ExecutorPolicy
    sink: LogSink
    results: Results
    files: Path
    ask: Ask = no_api
    disclosing: Disclosing = field(default_factory=Disclosing)


async def perform(
    tools: Tools, lease: Lease, running: Running, task: Task, subtask: Subtask, phase: str
) -> cmd.Outcome:
    """Run the operation, or its undo, of a claimed subtask and return how it ended."""
    plan = subtask.plan
    undoing = phase == "undo"
    if undoing and not plan.has_undo:
        return cmd.Undone()
    named = plan.undo if undoing else None
    operation: Operation[Any] | None = tools.catalog.operations.get(named.operation if named else plan.operation)
    if operation is None:
        return outcome.not_offered(named.operation if named else plan.operation, plan.pool)
    disclosed = tools.disclosing.to(task, subtask)
    masker = disclosed.masker
    output = Output(
        tools.sink,
        task_id=task.id,
        subtask=subtask.number,
        generation=subtask.generation,
        attempt=subtask.attempt,
        phase="undo" if undoing else "execute",
        limit_bytes=tools.policy.output_limit_bytes,
        masker=masker,
    )
    try:
        ctx = Context(
            task_id=task.id,
            subtask=subtask.number,
            key=plan.key,
            generation=subtask.generation,
            attempt=subtask.attempt,
            phase="undo" if undoing else "execute",
            token=task_token(task.id, subtask.number, subtask.ran_generation),
            fence=running.fence,
            log=output,
            upstreams=await _upstreams(tools, task, subtask),
            cancelled=running.cancelled,
            files=tools.files,
            policy=tools.policy,
            children=lease.children,
            results=MaskedResults(tools.results, masker),
            resolve_secret=disclosed.secret,
            resolve_connection=disclosed.connection,
            keep_secret=disclosed.keep,
            ask=tools.ask,
            on_progress=lambda done, note: setattr(running, "progress", (done, masker.text(note))),
        )
        hit("executor.before_effect")
        _unless_cancelled(running)
        async with asyncio.timeout(plan.timeout_s) as limit:
            if undoing and named is None:
                before = await _output_of(tools, subtask)
                await operation.undo(ctx, operation.parse(plan.params), before)
                value = None
            else:
                value = await operation.execute(ctx, operation.parse(named.params if named else plan.params))
        hit("executor.after_effect")
        result: cmd.Outcome = cmd.Undone() if undoing else await _kept(tools, task, subtask, value, masker)
    except Cancelled as error:
        result = cmd.Cancelled() if running.cancelled.is_set() else outcome.failed(error, masker)
    except TimeoutError as error:
        result = outcome.timed_out(plan.timeout_s) if limit.expired() else outcome.failed(error, masker)
    except asyncio.CancelledError:
        try:
            result = _stopped(lease, running)
        except asyncio.CancelledError:  # not ours any more: nothing of it may be stored
            await output.aclose()
            raise
    except Exception as error:  # noqa: BLE001  whatever an operation raises becomes an outcome, here and only here
        result = outcome.failed(error, masker)
    return await _said(output, lease, running, result)


def _unless_cancelled(running: Running) -> None:
    """Do not begin what was cancelled while its upstreams' outputs were fetched."""
    if running.cancelled.is_set():
        raise Cancelled


def _stopped(lease: Lease, running: Running) -> cmd.Outcome:
    """Our own chain was cancelled: by an operator's cancel, or because this executor goes away. Else it is not ours."""
    current = asyncio.current_task()
    if lease.fenced or not (lease.releasing or running.cancelled.is_set()):
        raise asyncio.CancelledError
    if current is not None:
        current.uncancel()
    return cmd.Cancelled() if running.cancelled.is_set() else cmd.Released()


async def _said(output: Output, lease: Lease, running: Running, result: cmd.Outcome) -> cmd.Outcome:
    """Store all lines before the end is committed: logs before result."""
    if isinstance(result, cmd.Failed):
        output.error(result.problem.message)
    try:
        await output.flush()
    except asyncio.CancelledError:
        stopped = _stopped(lease, running)
        return result if isinstance(result, cmd.Succeeded | cmd.Undone) else stopped
    except Exception as error:  # noqa: BLE001  lines lost are worth a word, not a subtask
        outcome.log.warning("some lines could not be stored", error=str(error))
    return result


async def _upstreams(tools: Tools, task: Task, subtask: Subtask) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number in subtask.plan.upstreams:
        upstream = task.subtasks[number - 1]
        found[upstream.plan.key] = await _output_of(tools, upstream)
    return found


async def _output_of(tools: Tools, subtask: Subtask) -> Any:
    if subtask.output_ref is None:
        return subtask.output
    try:
        return from_json(await tools.results.get(subtask.output_ref))
    except ResultsUnavailable as error:
        raise TransientFault(f"the output of '{subtask.plan.key}' cannot be had: {error}") from error


async def _kept(tools: Tools, task: Task, subtask: Subtask, value: Any, masker: Masker) -> cmd.Outcome:
    if value is None:
        return cmd.Succeeded()
    try:
        encoded = to_json(masker.value(from_json(to_json(value))) if masker else value)
    except (PydanticSerializationError, ValueError) as error:
        raise PermanentFault(f"the operation returned what cannot be written as JSON: {error}") from error
    if len(encoded) <= INLINE_OUTPUT:
        return cmd.Succeeded(output=from_json(encoded))
    name = f"output-{task.id}-{subtask.number}-{subtask.generation}-{subtask.attempt}"
    try:
        return cmd.Succeeded(output_ref=await tools.results.put(name, encoded))
    except ResultsUnavailable as error:
        problem = Problem(kind="RESULT_NOT_STORED", message=f"The work was done, but its output is lost: {error}")
        return cmd.Failed(problem, retryable=False)
