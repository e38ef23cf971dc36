"""Which result files a request is about: looked up in what subtasks' outputs say, wherever an output lies.

Responsible for the bounds on what is read for it, and for saying what to do when something is not there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json
from starlette.requests import Request

from services.api.rest import query
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import visible
from services.api.rest.ports import Api, api
from services.api.results import Carried, carried, whole_of
from shared.store.objects import ResultDamaged, ResultMissing, Results, ResultsUnavailable
from shared.task.ids import split_subtask_id, subtask_id
from shared.task.refusals import SubtaskNotFound, TaskNotFound
from shared.task.state import Subtask, Task

ONE_OUTPUT: Final = 16 * 1024 * 1024
"""Bytes of an output in the object store that are read to find its files."""
ALL_OUTPUTS: Final = 32 * 1024 * 1024
"""Bytes of outputs in the object store that one answer is made from."""
CHECKS_AT_ONCE: Final = 16
_LEFT_OUT: Final = frozenset({"recordsTruncated", "resultsTruncated"})
"""What a beginning says of itself alone."""


@dataclass(frozen=True, slots=True)
class Told:
    """A subtask and what it tells of its results; `unread` says why its output was not looked at."""

    subtask: Subtask
    carried: Carried | None
    unread: str | None = None


async def loaded(request: Request) -> Task:
    """Return the task that the path names, from the log: its results lie beside it, and the view may be behind.

    Raises `TaskNotFound`, also where the caller's teams do not see it.
    """
    task_id = query.task_id(request)
    task = await api(request).log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task)
    return task


async def told(found: Api, task: Task, only: int | None = None) -> AsyncIterator[Told]:
    """Yield the subtasks that tell of results, in order, or the one of this number alone."""
    left = ALL_OUTPUTS
    for subtask in task.subtasks:
        if only is not None and subtask.number != only:
            continue
        reference = whole_of(subtask)
        size = int(reference["bytes"]) if reference is not None else 0
        if size > min(left, ONE_OUTPUT):
            alone = "" if size > ONE_OUTPUT else "; ask for this subtask alone"
            yield Told(subtask, None, f"its output has {size} bytes, more than is read here{alone}")
            continue
        left -= size
        try:
            mine = carried(subtask, await value_of(found.results, subtask))
        except (ResultMissing, ResultDamaged) as error:
            yield Told(subtask, None, f"its output cannot be read: {reason(error)}")
            continue
        if mine is not None:
            yield Told(subtask, mine)


async def value_of(results: Results, subtask: Subtask) -> Any:
    """Return a subtask's output, or its problem's detail. Raises `ResultsUnavailable`.

    Where a detail's whole cannot be had, its beginning has to do; it says what it leaves out.
    """
    reference = whole_of(subtask)
    if subtask.problem is None:
        return await _read(results, subtask, reference) if reference is not None else subtask.output
    detail = subtask.problem.detail
    if detail is None or reference is None:
        return detail
    try:
        whole = await _read(results, subtask, reference)
    except (ResultMissing, ResultDamaged):
        return detail
    if not isinstance(whole, dict):
        return detail
    beginning = {key: value for key, value in detail.items() if key not in _LEFT_OUT}
    return {**beginning, **whole, "kind": detail.get("kind")}


async def _read(results: Results, subtask: Subtask, reference: Mapping[str, Any]) -> Any:
    raw = await results.get(reference)
    try:
        return await asyncio.to_thread(from_json, raw)
    except ValueError:
        raise ResultDamaged(f"the output of {subtask.plan.key} is no JSON") from None


async def one_of(request: Request, found: Api, task: Task) -> tuple[Subtask, Any]:
    """Return the subtask that the path names, and its output or its problem's detail."""
    number = query.subtask_number(request, task.id)
    subtask = task.find(number)
    if subtask is None:
        raise SubtaskNotFound(f"Task {task.id} has no subtask {number}.")
    reference = whole_of(subtask)
    if reference is not None and int(reference["bytes"]) > ONE_OUTPUT:
        raise not_found(f"The output of {subtask.plan.key} has more than {ONE_OUTPUT} bytes and is not read here.")
    try:
        return subtask, await value_of(found.results, subtask)
    except (ResultMissing, ResultDamaged) as error:
        raise cannot_be_read(f"the output of {subtask.plan.key}", subtask, error) from None


def only(request: Request, task: Task) -> int | None:
    """Return the number of the subtask that `subtask` names by its id, None for all. Raises 400."""
    given = query.number(request, "subtask", least=1)
    if given is None:
        return None
    owner, number = split_subtask_id(given)
    if owner != task.id or task.find(number) is None:
        raise bad_parameter("subtask", f"is the id of a subtask of task {task.id}")
    return number


async def whole(results: Results, files: Iterable[tuple[str, Subtask, Any]]) -> None:
    """Raise what is to be answered unless the store has every one of these: what it is, whose, and its reference."""
    gate = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def check(what: str, subtask: Subtask, reference: Any) -> None:
        async with gate:
            try:
                await results.check(reference)
            except (ResultMissing, ResultDamaged) as error:
                raise cannot_be_read(what, subtask, error) from None

    checks = [check(*file) for file in files]
    for answer in await asyncio.gather(*checks, return_exceptions=True):
        if answer is not None:
            raise answer


def cannot_be_read(what: str, subtask: Subtask, error: ResultsUnavailable) -> Problem:
    """Return the answer when a file is gone (404) or is not what was stored (503)."""
    again = f"Run {subtask.plan.key} again to have it anew; what is kept how long: docs/results.md."
    message = f"{what[0].upper()}{what[1:]} cannot be read: {reason(error)}. {again}"
    if isinstance(error, ResultMissing):
        return not_found(message, kind="result_gone")
    target = {"kind": "result_damaged", "effect": "none"}
    return Problem(503, 1006, message, target=target, headers={"Retry-After": "1"})


def reason(error: ResultsUnavailable) -> str:
    """Return why a file cannot be read, without the name of its object."""
    if isinstance(error, ResultMissing):
        return "the object store does not have it any more"
    return "what the object store has is not what was stored"


def not_found(message: str, kind: str = "result_not_found") -> Problem:
    """Return 404: no such result."""
    return Problem(404, 4001, message, target={"kind": kind})


def id_of(task: Task, subtask: Subtask) -> int:
    """Return a subtask's id, as callers know it."""
    return subtask_id(task.id, subtask.number)
