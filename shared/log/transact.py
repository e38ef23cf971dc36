"""transact: load, decide, commit, and try again when the race is lost. The only writer of TASKS.

While a commit of a task is in flight, further decisions on that task queue up and go out together in the next one
(group commit). A refusal is its caller's alone, and is given only after the leader confirmed that it was decided on
the newest state: a decision to do nothing has no other referee.
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from shared.log.fold import fold, remember
from shared.log.port import (
    Ambiguous,
    CommitTooLarge,
    Conflict,
    Decide,
    LogUnavailable,
    Note,
    NotStored,
    Storage,
    Stored,
    Transacted,
)
from shared.messages.codec import digest, encode
from shared.messages.commit import MAX_BYTES, Commit, Decision, RefusalNote
from shared.task.decide import Verdict
from shared.task.evolve import seal
from shared.task.refusals import KeyReused, Refusal
from shared.task.state import KeyUse, Task

T = TypeVar("T")

MAX_GROUP = 64
"""How many decisions go into one commit at most."""
HEADER_ROOM = 1024
MAX_CONFLICTS = 200


@dataclass(slots=True)
class _Ask:
    decide: Decide
    note: Note
    at_least: int
    fresh: bool
    deadline: float
    answer: asyncio.Future[Transacted]


@dataclass(slots=True)
class _Lane:
    """One task: what is known of it and who waits for it."""

    task_id: int
    task: Task | None = None
    seq: int = 0
    loaded: bool = False
    busy: bool = False
    waiting: deque[_Ask] = field(default_factory=deque)

    @property
    def weight(self) -> int:
        return 5 + (len(self.task.subtasks) if self.task else 0)


@dataclass(slots=True)
class _Drafted:
    """What one round decided: the decisions to commit, and what each caller will be told once they are stored."""

    task: Task | None
    decisions: list[Decision] = field(default_factory=list)
    answers: list[tuple[_Ask, Verdict | KeyUse | Refusal]] = field(default_factory=list)

    @property
    def doubtful(self) -> bool:
        """Whether somebody is told "no" or "nothing to do", which only the leader can confirm."""
        return any(not isinstance(answer, KeyUse) for _, answer in self.answers)


class TaskLog:
    """The log as services use it. One per process; `patience` is how long (s) a command waits for the log."""

    def __init__(self, storage: Storage, *, patience: float = 10.0, cache_weight: int = 150_000) -> None:
        self.storage = storage
        self.patience = patience
        self.highest = 0
        """The highest sequence this process has seen."""
        self.conflicts = 0
        self.commits = 0
        self.decisions = 0
        self._cache_weight = cache_weight
        self._weight = 0
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
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
        lane = self._lane(task_id)
        if new and not lane.busy and not lane.loaded:
            lane.loaded = True
        deadline = monotonic() + (self.patience if patience is None else patience)
        ask = _Ask(decide, note, at_least, fresh, deadline, asyncio.get_running_loop().create_future())
        lane.waiting.append(ask)
        if not lane.busy:
            lane.busy = True
            pump = asyncio.create_task(self._pump(lane))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)
        return await ask.answer

    async def load(self, task_id: int, *, at_least: int = 0, fresh: bool = False) -> Task | None:
        """Return the task's state, from the cache when that is new enough. Raises `LogUnavailable`."""
        lane = self._lane(task_id)
        if lane.busy or (lane.loaded and lane.seq >= at_least and not fresh):
            if lane.loaded and lane.seq >= at_least and not fresh:
                return lane.task
            task, _ = fold(await self._patiently(lambda: self.storage.read(task_id), monotonic() + self.patience))
            return task
        lane.busy = True
        try:
            await self._refresh(lane, monotonic() + self.patience)
        finally:
            lane.busy = False
            self._wake(lane)
        return lane.task

    async def history(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Return the task's commits behind sequence `after`, in order. Raises `LogUnavailable`."""
        return await self._patiently(
            lambda: self.storage.read(task_id, after, limit=limit), monotonic() + self.patience
        )

    async def last(self, task_id: int) -> int:
        """Return the leader's last sequence of the task, 0 when it has none. Raises `LogUnavailable`."""
        return await self._patiently(lambda: self.storage.last(task_id), monotonic() + self.patience)

    def cached(self, task_id: int) -> Task | None:
        """Return what the cache holds of the task, perhaps old, without asking anybody."""
        lane = self._lanes.get(task_id)
        return lane.task if lane is not None and lane.loaded else None

    def forget(self) -> None:
        """Drop every cached state: the connection was lost, and the log may be another one."""
        for lane in self._lanes.values():
            lane.loaded = False

    # ---- one lane a task ------------------------------------------------------------------------------------

    def _lane(self, task_id: int) -> _Lane:
        lane = self._lanes.get(task_id)
        if lane is None:
            lane = self._lanes[task_id] = _Lane(task_id)
            self._weight += lane.weight
            if self._weight > self._cache_weight:
                self._evict()
        else:
            self._lanes.move_to_end(task_id)
        return lane

    def _evict(self) -> None:
        idle = [lane for lane in self._lanes.values() if not lane.busy]
        for lane in idle[: max(1, len(idle) // 4)]:
            del self._lanes[lane.task_id]
        self._weight = sum(lane.weight for lane in self._lanes.values())

    def _wake(self, lane: _Lane) -> None:
        if lane.waiting and not lane.busy:
            lane.busy = True
            pump = asyncio.create_task(self._pump(lane))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, lane: _Lane) -> None:
        before = lane.weight
        try:
            while lane.waiting:
                batch = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), MAX_GROUP))]
                try:
                    await self._commit(lane, batch)
                except Exception as error:  # noqa: BLE001  whatever it is belongs to those who wait
                    lane.loaded = False
                    for ask in batch:
                        if not ask.answer.done():
                            ask.answer.set_exception(error)
        finally:
            lane.busy = False
            self._weight += lane.weight - before

    async def _commit(self, lane: _Lane, batch: list[_Ask]) -> None:
        deadline = max(ask.deadline for ask in batch)
        at_least = max(ask.at_least for ask in batch)
        if not lane.loaded or lane.seq < at_least or any(ask.fresh for ask in batch):
            await self._refresh(lane, deadline)
        confirmed = False
        for conflicts in range(MAX_CONFLICTS):
            drafted = self._draft(lane.task, batch)
            if not drafted.decisions:
                if drafted.doubtful and not confirmed:
                    known = lane.seq
                    await self._refresh(lane, deadline, confirm=True)
                    confirmed = True
                    if lane.seq != known:
                        continue
                self._answer(lane, drafted, lane.seq)
                return
            fitted = self._fit(lane, drafted, batch)
            if fitted is None:
                continue
            commit_id, body = fitted
            try:
                seq = await self._append(lane, commit_id, body, deadline)
            except Conflict:
                self.conflicts += 1
                confirmed = False
                if conflicts > 2:
                    await asyncio.sleep(random.uniform(0, min(0.001 * conflicts, 0.05)))  # noqa: S311  jitter
                if monotonic() > deadline:
                    break
                await self._refresh(lane, deadline)
                continue
            self._store(lane, drafted, seq, body)
            self._answer(lane, drafted, seq)
            return
        raise LogUnavailable(f"Too many others write to task {lane.task_id}; nothing was stored.", maybe=False)

    def _draft(self, task: Task | None, batch: list[_Ask]) -> _Drafted:
        drafted = _Drafted(task)
        for ask in batch:
            if ask.answer.done():
                continue
            note = ask.note
            task = drafted.task
            used = task.keys.get(note.key) if task is not None and note.key is not None else None
            if used is not None:
                drafted.answers.append((ask, _replay(used, note)))
                continue
            try:
                verdict = ask.decide(task)
            except Refusal as refusal:
                drafted.answers.append((ask, refusal))
                if note.command is not None and task is not None:
                    drafted.decisions.append(_refused(note, refusal))
                continue
            except Exception as error:  # noqa: BLE001  a fault in deciding is its caller's alone
                ask.answer.set_exception(error)
                continue
            drafted.answers.append((ask, verdict))
            if verdict.events:
                drafted.task = verdict.task
                drafted.decisions.append(_accepted(note, verdict))
        return drafted

    def _fit(self, lane: _Lane, drafted: _Drafted, batch: list[_Ask]) -> tuple[str, bytes] | None:
        """Encode the commit; when it is too large, send the later half of the batch back to wait."""
        prev = lane.task.head if lane.task is not None else ""
        commit = Commit(task=lane.task_id, prev=prev, decisions=tuple(drafted.decisions))
        body = encode(commit)
        if len(body) <= MAX_BYTES - HEADER_ROOM:
            return drafted.decisions[0].id, body
        if len(batch) == 1:
            raise CommitTooLarge(f"one decision on task {lane.task_id} takes {len(body)} bytes, {MAX_BYTES} fit")
        half = len(batch) // 2
        lane.waiting.extendleft(reversed(batch[half:]))
        del batch[half:]
        return None

    async def _append(self, lane: _Lane, commit_id: str, body: bytes, deadline: float) -> int:
        """Store the body. After an unanswered try, look at the tail for our own id before calling it a conflict."""
        doubt = False
        pause = 0.01
        while True:
            try:
                return await self.storage.append(lane.task_id, commit_id, body, lane.seq)
            except Conflict:
                if doubt:
                    stored = await self._patiently(
                        lambda: self.storage.read(lane.task_id, lane.seq, limit=1), deadline, maybe=True
                    )
                    if stored and stored[0].id == commit_id:
                        return stored[0].seq
                raise
            except Ambiguous:
                doubt = True
            except NotStored:
                pass
            if monotonic() > deadline:
                raise LogUnavailable(
                    "The log does not answer; the command may still take effect. Repeat it with its key."
                    if doubt
                    else "The log cannot be reached; nothing was stored.",
                    maybe=doubt,
                )
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  jitter
            pause = min(pause * 2, 1.0)

    def _store(self, lane: _Lane, drafted: _Drafted, seq: int, body: bytes) -> None:
        task = drafted.task
        if task is lane.task and task is not None:  # only refusals: nothing changed but the tail
            task = task.draft()
        if task is not None:
            for decision in drafted.decisions:
                remember(task, decision, seq)
            changed = any(decision.events for decision in drafted.decisions)
            seal(task, seq, digest(body), changed=changed)
        lane.task = task
        lane.seq = seq
        lane.loaded = True
        self.highest = max(self.highest, seq)
        self.commits += 1
        self.decisions += len(drafted.decisions)

    @staticmethod
    def _answer(lane: _Lane, drafted: _Drafted, seq: int) -> None:
        for ask, answer in drafted.answers:
            if ask.answer.done():
                continue
            match answer:
                case Refusal():
                    ask.answer.set_exception(answer)
                case KeyUse():
                    assert lane.task is not None  # noqa: S101  keys are kept by the task
                    ask.answer.set_result(Transacted(lane.task, answer.seq, None, answer))
                case Verdict():
                    ask.answer.set_result(Transacted(lane.task or answer.task, seq, answer))

    async def _refresh(self, lane: _Lane, deadline: float, *, confirm: bool = False) -> None:
        """Bring the lane up to the leader's tail. `confirm` asks for the tail's number first."""
        if confirm and lane.loaded:
            last = await self._patiently(lambda: self.storage.last(lane.task_id), deadline)
            self.highest = max(self.highest, last)
            if last == lane.seq:
                return
        known = lane.seq if lane.loaded else 0
        task = lane.task if lane.loaded else None
        messages = await self._patiently(lambda: self.storage.read(lane.task_id, known), deadline)
        lane.task, seq = fold(messages, task)
        lane.seq = max(seq, known)
        lane.loaded = True
        self.highest = max(self.highest, lane.seq)

    @staticmethod
    async def _patiently(call: Callable[[], Awaitable[T]], deadline: float, *, maybe: bool = False) -> T:
        pause = 0.01
        while True:
            try:
                return await call()
            except (NotStored, Ambiguous) as error:
                if monotonic() > deadline:
                    raise LogUnavailable(
                        "The log cannot be reached; nothing was stored."
                        if not maybe
                        else "The log does not answer; the command may still take effect. Repeat it with its key.",
                        maybe=maybe,
                    ) from error
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  jitter
            pause = min(pause * 2, 1.0)


def _replay(used: KeyUse, note: Note) -> KeyUse | Refusal:
    if used.body_hash == (note.body_hash or ""):
        return used
    return KeyReused("This idempotency key was used before with another body.", target={"decision": used.decision})


def _accepted(note: Note, verdict: Verdict) -> Decision:
    return Decision(
        id=note.id,
        at=note.at,
        by=note.by,
        reason=note.reason,
        key=note.key,
        body_hash=note.body_hash,
        events=tuple(verdict.events),
    )


def _refused(note: Note, refusal: Refusal) -> Decision:
    return Decision(
        id=note.id,
        at=note.at,
        by=note.by,
        reason=note.reason,
        key=note.key,
        body_hash=note.body_hash,
        outcome="refused",
        refusal=RefusalNote(
            command=note.command or "",
            kind=refusal.kind,
            code=refusal.code,
            message=refusal.message,
            target=refusal.target or None,
        ),
    )
