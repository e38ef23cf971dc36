"""A task as it was: the fold of its log up to a position or a moment, both inclusive. Knows no view.

A moment is compared with the times of the decisions, which are what callers see. Clocks of two deciders may differ, so
the last commit with a decision at or before the moment counts, and everything before it in the log.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.rest import query, render
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.live.chain import read
from services.api.rest.policy import visible
from services.api.rest.ports import api
from shared.log.fold import fold
from shared.log.port import Stored
from shared.log.transact import TaskLog
from shared.messages.codec import Undecodable
from shared.task.refusals import TaskNotFound
from shared.task.state import Task

PARAMETER: Final = "at"
CHUNK: Final = 512
SKEW: Final = timedelta(minutes=10)
"""How much the clocks of deciders and of the log's server may differ."""
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_ZONED: Final = re.compile(r"(.*[0-9]) ([0-9]{2}:?[0-9]{2})", re.ASCII)
"""A plus sign that was sent as it is arrives as a space."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Up to which position, or up to which time."""

    seq: int | None
    time: datetime | None

    def reaches(self, task_id: int, stored: Stored) -> bool:
        """Whether the message belongs to it."""
        if self.time is None:
            return self.seq is not None and stored.seq <= self.seq
        return _time(task_id, stored) <= self.time

    def passed(self, stored: Stored) -> bool:
        """Whether nothing behind this message can belong to it."""
        if self.time is None:
            return self.seq is not None and stored.seq >= self.seq
        return stored.stored_at > self.time + SKEW


async def details(request: Request) -> Response:
    """Answer with the task as it was; the shape is the details', with `at` beside it."""
    task_id, moment, labels = query.task_id(request), moment_of(request), query.labels(request)
    if moment.seq is not None and moment.seq > api(request).log.highest and moment.seq > await api(request).live.last():
        raise bad_parameter(PARAMETER, "is a position that the log has not reached")
    now = await api(request).log.load(task_id, fresh=True)
    if now is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, now)
    then, last = await as_it_was(api(request).log, task_id, moment)
    if then is None or last is None:
        since = f"It was created at position {now.created_seq}, {render.iso(now.created_at)}."
        raise TaskNotFound(f"The task {task_id} did not exist then. {since}")
    about = {"seq": last.seq, "time": render.iso(_time(task_id, last))}
    return ok(request, {**render.details(then, labels), "at": about})


def moment_of(request: Request) -> Moment:
    """Return what `at` says: a log position, or a time with its offset."""
    given = request.query_params.get(PARAMETER, "").strip()
    if _DIGITS.fullmatch(given):
        return Moment(int(given), None)
    spaced = _ZONED.fullmatch(given)
    text = f"{spaced[1]}+{spaced[2]}" if spaced and "T" in spaced[1] else given
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise bad_parameter(PARAMETER, "is a log position, or a time with its offset such as 2026-11-20T12:00:00Z")
    try:
        return Moment(None, time.astimezone(UTC))
    except OverflowError:
        raise bad_parameter(PARAMETER, "is a time within the years 1 to 9999 of UTC") from None


async def as_it_was(log: TaskLog, task_id: int, moment: Moment) -> tuple[Task | None, Stored | None]:
    """Return the task's state then and the last message that made it. Raises `LogUnavailable`."""
    task: Task | None = None
    last: Stored | None = None
    waiting: list[Stored] = []
    start = 0
    while True:
        found = await log.history(task_id, start, limit=CHUNK)
        waiting += found
        reached = next(
            (place for place in range(len(waiting), 0, -1) if moment.reaches(task_id, waiting[place - 1])), 0
        )
        if reached:
            task, _ = fold(waiting[:reached], task, task_id=task_id)
            last, waiting = waiting[reached - 1], waiting[reached:]
        if len(found) < CHUNK or moment.passed(found[-1]):
            return task, last
        start = found[-1].seq
        await asyncio.sleep(0)


def _time(task_id: int, stored: Stored) -> datetime:
    commit = read(task_id, stored.body)
    if isinstance(commit, Undecodable):
        return stored.stored_at
    return min(decision.at for decision in commit.decisions)
