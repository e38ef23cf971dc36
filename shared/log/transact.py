"""transact: load, decide, commit, and try again when the race is lost. The only writer of TASKS.

While a commit of a task is in flight, further decisions on that task queue up and go out together in the next one
(group commit). A refusal is its caller's alone, and is given only after the leader confirmed that it was decided on
the newest state: a decision to do nothing has no other referee.
"""

import asyncio
import random
from time import monotonic

from shared.log.draft import Draft, draft
from shared.log.fold import fold, too_new
from shared.log.lane import Ask, Lane, Lanes
from shared.log.port import (
    Ambiguous,
    CommitTooLarge,
    Conflict,
    Decide,
    Duplicate,
    LogRefused,
    LogTooNew,
    LogUnavailable,
    Note,
    NotStored,
    Storage,
    Stored,
    Transacted,
)
from shared.log.waiting import give_up, patiently, rest
from shared.messages.commit import MAX_BYTES
from shared.task.state import Task

HEADER_ROOM = 1024
MAX_CONFLICTS = 200


class TaskLog:
    """The log as services use it. One per process; `patience` is how long (s) a command waits for the log.

    `cache_weight` bounds what is kept in memory, in subtasks of all tasks together.
    """

    def __init__(self, storage: Storage, *, patience: float = 10.0, cache_weight: int = 60_000) -> None:
        self.storage = storage
        self.patience = patience
        self.highest = 0
        """The highest sequence this process has seen."""
        self.conflicts = 0
        self.commits = 0
        self.decisions = 0
        self.lanes = Lanes(cache_weight)
        self._pumps: set[asyncio.Task[None]] = set()

    async def transact(
        self,
        task_id: int,
        decide: Decide,
        note: Note,
        *,
        at_least: int = 0,
        fresh: bool = False,
        new: bool = False,
        patience: float | None = None,
    ) -> Transacted:
        """Decide on the task's newest state and commit what comes of it.

        `at_least`: the state must have reached this sequence. `fresh`: ask the leader before deciding. `new`: the task
        is not there yet, do not look. Raises the `Refusal` of `decide`, `LogUnavailable`, or `CommitTooLarge`.
        """
        lane = self.lanes.of(task_id)
        if new and not lane.busy and not lane.loaded:
            lane.task, lane.seq, lane.loaded = None, 0, True
        deadline = monotonic() + (self.patience if patience is None else patience)
        ask = Ask(decide, note, at_least, fresh, deadline, asyncio.get_running_loop().create_future())
        lane.waiting.append(ask)
        self._wake(lane)
        return await ask.answer

    async def load(self, task_id: int, *, at_least: int = 0, fresh: bool = False) -> Task | None:
        """Return the task's state, from the cache when that is new enough. Raises `LogUnavailable`."""
        lane = self.lanes.of(task_id)
        if lane.loaded and lane.seq >= at_least and not fresh:
            return lane.task
        deadline = monotonic() + self.patience
        if lane.busy:  # somebody else moves the lane on: read beside it, from where it stands
            task, seq = (lane.task, lane.seq) if lane.loaded else (None, 0)
            return (await self._folded(task_id, task, seq, deadline))[0]
        lane.busy = True
        try:
            await self._refresh(lane, deadline)
        finally:
            lane.busy = False
            self.lanes.weigh(lane)
            self._wake(lane)
        return lane.task

    async def history(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Return the task's commits behind sequence `after`, in order. Raises `LogUnavailable`."""
        return await patiently(lambda: self.storage.read(task_id, after, limit=limit), monotonic() + self.patience)

    async def last(self, task_id: int) -> int:
        """Return the leader's last sequence of the task, 0 when it has none. Raises `LogUnavailable`."""
        return await patiently(lambda: self.storage.last(task_id), monotonic() + self.patience)

    def cached(self, task_id: int) -> Task | None:
        """Return what the cache holds of the task, perhaps old, without asking anybody."""
        lane = self.lanes.find(task_id)
        return lane.task if lane is not None and lane.loaded else None

    def forget(self) -> None:
        """Drop every cached state: the connection was lost, and the log may be another one."""
        self.lanes.forget()

    # ---- one lane a task ------------------------------------------------------------------------------------

    def _wake(self, lane: Lane) -> None:
        if lane.waiting and not lane.busy:
            lane.busy = True
            pump = asyncio.create_task(self._pump(lane))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, lane: Lane) -> None:
        try:
            while lane.waiting:
                group = lane.group()
                try:
                    await self._commit(lane, group)
                except Exception as error:  # noqa: BLE001  whatever it is belongs to those who wait
                    lane.loaded = False
                    for ask in group:
                        if not ask.answer.done():
                            ask.answer.set_exception(error)
        finally:
            lane.busy = False
            self.lanes.weigh(lane)

    async def _commit(self, lane: Lane, group: list[Ask]) -> None:
        deadline = max(ask.deadline for ask in group)
        confirmed = False
        if not lane.loaded or lane.seq < max(a.at_least for a in group) or any(a.fresh for a in group):
            await self._refresh(lane, deadline)
            confirmed = True
        for tries in range(MAX_CONFLICTS):
            drafted = draft(lane.task, group)
            if not drafted.decisions:
                if drafted.doubtful and not confirmed and not await self._newest(lane, deadline):
                    await self._refresh(lane, deadline)
                    confirmed = True
                    continue
                drafted.answer(lane.task, lane.seq)
                return
            body = drafted.body(lane.task_id)
            if len(body) > MAX_BYTES - HEADER_ROOM:
                _split(lane, group, len(body))
                continue
            try:
                seq = await self._append(lane, drafted, body, deadline)
            except Conflict:
                self.conflicts += 1
                if monotonic() > deadline:
                    break
                if tries > 2:
                    await asyncio.sleep(random.uniform(0, min(0.001 * tries, 0.05)))  # noqa: S311  jitter
                await self._refresh(lane, deadline)
                confirmed = True
                continue
            lane.task, lane.seq, lane.loaded = drafted.stored(seq, body), seq, True
            self.highest = max(self.highest, seq)
            self.commits += 1
            self.decisions += len(drafted.decisions)
            drafted.answer(lane.task, seq)
            return
        raise LogUnavailable(f"Too many others write to task {lane.task_id}; nothing was stored.", maybe=False)

    async def _append(self, lane: Lane, drafted: Draft, body: bytes, deadline: float) -> int:
        """Store the body. After an unanswered try, look at the tail for this very body before calling it lost (T6)."""
        commit_id = drafted.decisions[0].id
        doubt = False
        pause = 0.01
        while True:
            try:
                return await self.storage.append(lane.task_id, commit_id, body, lane.seq)
            except Conflict as conflict:
                if doubt or isinstance(conflict, Duplicate):
                    follower = await patiently(
                        lambda: self.storage.read(lane.task_id, lane.seq, limit=1), deadline, maybe=True
                    )
                    if follower and follower[0].body == body:
                        return follower[0].seq
                raise
            except LogRefused as refused:
                if doubt:
                    give_up(maybe=True)
                raise refused from None
            except Ambiguous:
                doubt = True
            except NotStored:
                pass
            if monotonic() > deadline:
                give_up(maybe=doubt)
            pause = await rest(pause)

    async def _newest(self, lane: Lane, deadline: float) -> bool:
        """Whether the leader's tail is where the lane stands."""
        last = await patiently(lambda: self.storage.last(lane.task_id), deadline)
        self.highest = max(self.highest, last)
        return last == lane.seq

    async def _refresh(self, lane: Lane, deadline: float) -> None:
        """Bring the lane up to the leader's tail."""
        task, seq = (lane.task, lane.seq) if lane.loaded else (None, 0)
        lane.task, lane.seq = await self._folded(lane.task_id, task, seq, deadline)
        lane.loaded = True

    async def _folded(self, task_id: int, task: Task | None, seq: int, deadline: float) -> tuple[Task | None, int]:
        """Fold what follows `seq` onto `task`; return the leader's state and its sequence."""
        messages = await patiently(lambda: self.storage.read(task_id, seq), deadline)
        if not messages:
            return task, seq
        folded, last = fold(messages, task, task_id=task_id)
        self.highest = max(self.highest, last)
        if (folded is None or folded.ignored > (task.ignored if task is not None else 0)) and too_new(messages):
            raise LogTooNew(
                f"Task {task_id} was written by a newer version of opsledger; this one must not decide on it."
            )
        return folded, last


def _split(lane: Lane, group: list[Ask], size: int) -> None:
    """Send the later half of a group that is too large for one commit back to wait."""
    if len(group) == 1:
        raise CommitTooLarge(f"one decision on task {lane.task_id} takes {size} bytes, {MAX_BYTES - HEADER_ROOM} fit")
    half = len(group) // 2
    lane.waiting.extendleft(reversed(group[half:]))
    del group[half:]
