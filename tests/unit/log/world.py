"""A world with every sin of the bus: one task, two APIs, executors that die and stall, a queue that forgets.

The log, the decisions and what executors choose are the real ones; the queue, the executors' steps and what happens
outside are modelled here. Each step of the world is one awaitable method; who takes them is in `test_crowd.py`.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from services.executor.choice import Choice, same_item
from shared.log.memory import MemoryStorage
from shared.log.port import LogUnavailable, Note, Stored
from shared.log.transact import TaskLog
from shared.messages.codec import decode, digest
from shared.messages.commit import By
from shared.queue.dispatch import due, stuck
from shared.queue.work_item import WorkItem
from shared.runtime.clock import commit_id
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item
from shared.task.plan import PlannedSubtask
from shared.task.refusals import ClaimedElsewhere, NotYet, Refusal, StaleFence
from shared.task.state import Subtask, Task
from tests.support.checker import Call, Told
from tests.support.ledger import Line
from tests.unit.task.given import OOPS, START

TASK = 7
POOLS, OPERATIONS = frozenset({"default"}), frozenset({"noop"})


class Storage(MemoryStorage):
    """Lets others come between, as a network does."""

    def __init__(self, chance: Random, *, replicas: int) -> None:
        super().__init__(replicas=replicas)
        self._chance = chance

    async def append(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        """Append after a while."""
        await self._pass()
        return await super().append(task_id, commit_id, body, expected)

    async def read(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Read after a while."""
        await self._pass()
        return await super().read(task_id, after, limit=limit)

    async def _pass(self) -> None:
        for _ in range(self._chance.randint(0, 3)):
            await asyncio.sleep(0)


@dataclass
class Message:
    """One item of the queue. `holder`: who it was handed out to last; None while it waits."""

    item: WorkItem
    seq: int
    stamp: str
    delivered: int = 0
    holder: "Executor | None" = None


@dataclass
class Queue:
    """WORK: one message a subject, handed out again when nobody acknowledges it, forgetful when it is killed."""

    messages: dict[str, Message] = field(default_factory=dict)
    seq: int = 0
    stamp: int = 1

    def put(self, items: Iterable[WorkItem]) -> None:
        """Queue what is not queued."""
        for item in items:
            if item.subject not in self.messages:
                self.seq += 1
                self.messages[item.subject] = Message(item, self.seq, f"w{self.stamp}")

    def ack(self, item: Item) -> None:
        """Take the message out, whoever holds it by now (T10)."""
        found = [m for m in self.messages.values() if (m.stamp, m.seq) == (item.stamp, item.seq)]
        for message in found:
            del self.messages[message.item.subject]

    def delete(self) -> None:
        """WORK is deleted and made anew: other stamp, sequences from the beginning."""
        self.messages.clear()
        self.seq = 0
        self.stamp += 1


@dataclass
class Executor:
    """One incarnation with one chain at most: its hand-out, its claim, the run outside that goes on under it."""

    name: str
    log: TaskLog
    work: WorkItem | None = None
    item: Item | None = None
    held: Subtask | None = None
    fence: int = 0
    run: str | None = None
    killed: bool = False
    """Its child was killed by its own clock: what it may report, if it ever does, is a failure."""
    paused: bool = False
    writing: bool = False
    """A commit of its own is under way: what it lists lags behind for less than the margin of a takeover."""

    def drop(self) -> None:
        """The chain is over."""
        self.work = self.item = self.held = self.run = None
        self.killed = False


class World:
    """Everything around one task. `met` counts what happened, so that an empty run cannot pass."""

    def __init__(self, chance: Random, nodes: tuple[PlannedSubtask, ...], met: Counter[str]) -> None:
        self.chance = chance
        self.met = met
        self.storage = Storage(chance, replicas=chance.choice([1, 3]))
        self.apis = [TaskLog(self.storage, patience=0.01) for _ in range(2)]
        self.queue = Queue()
        self.executors = [self._executor() for _ in range(2)]
        self.nodes = nodes
        self.calls: list[Call] = []
        self.asked: list[tuple[Call, Any]] = []
        self.effects: list[Line] = []
        self.late_acks: list[Item] = []
        self.at = START
        self.tick = 0

    def _executor(self) -> Executor:
        self.names = getattr(self, "names", 0) + 1
        return Executor(f"e{self.names}", TaskLog(self.storage, patience=0.01))

    def clock(self) -> float:
        """Return a time that rises."""
        self.tick += 1
        return float(self.tick)

    async def now(self) -> Task:
        """Return the task as the leader has it."""
        task = await self.apis[0].load(TASK, fresh=True)
        assert task is not None
        return task

    async def begin(self) -> None:
        """Create the task."""
        by = By(kind="user", name="ada", via="rest")
        create = cmd.CreateTask(TASK, "a task", "plan", by.actor(), self.at, subtasks=self.nodes, concurrency=3)
        note = Note(commit_id(), self.at, by)
        done = await self.apis[0].transact(TASK, lambda task: decide(task, create), note, new=True)
        self.queue.put(due(done.task))

    # ---- operators --------------------------------------------------------------------------------------------

    async def command(self, command: Any, via: str, sins: list[str]) -> None:
        """Somebody commands over one of the APIs, and something goes wrong on the way, or not."""
        call = Call(f"call-{len(self.calls)}", TASK, "unknown", self.clock(), 0.0)
        self.storage.sins.extend(sins)
        told, seq = await self._ask(call.label, command, via)
        call = replace(call, told=told, answered_at=self.clock(), seq=seq)
        self.calls.append(call)
        self.asked.append((call, command))
        self.met[f"command {told}"] += 1

    async def _ask(self, label: str, command: Any, via: str) -> tuple[Told, int | None]:
        by = By(kind="user", name="ada", via=via)
        timed = replace(command, at=self.at)
        note = Note(commit_id(), self.at, by, label, label, "body", "a word")
        try:
            done = await self.chance.choice(self.apis).transact(TASK, lambda task: decide(task, timed), note)
        except Refusal:
            return "refused", None
        except LogUnavailable as outage:
            return ("unknown" if outage.maybe else "not sent"), None
        if done.replayed is not None:
            self.met["replayed"] += 1
            return ("ok" if done.replayed.accepted else "refused"), done.seq
        if self.chance.random() < 0.8:  # else the API died before it dispatched
            self.queue.put(due(done.task))
        return "ok", done.seq

    async def ask_again(self, place: int) -> None:
        """Somebody repeats a command with its key: it is told the truth, and nothing happens twice."""
        if not self.asked:
            return
        place %= len(self.asked)
        call, command = self.asked[place]
        told, seq = await self._ask(call.label, command, "rest")
        if told in {"unknown", "not sent"}:
            return
        if call.told == "unknown":
            self.met["doubt resolved"] += 1
        assert call.told in {told, "unknown", "not sent"}, f"{call.label} was {call.told} and is {told}"
        self.calls[place] = replace(call, told=told, seq=seq, answered_at=self.clock())
        self.asked[place] = (self.calls[place], command)

    # ---- executors --------------------------------------------------------------------------------------------

    def _free(self) -> list[Executor]:
        return [e for e in self.executors if not e.paused and e.work is None]

    def _busy(self) -> list[Executor]:
        return [e for e in self.executors if not e.paused and e.held is not None]

    async def pull(self) -> None:
        """An executor with room takes what waits, and claims what it may."""
        waiting = [m for m in self.queue.messages.values() if m.holder is None]
        free = self._free()
        if not waiting or not free:
            return
        message, executor = self.chance.choice(waiting), self.chance.choice(free)
        message.holder = executor
        message.delivered += 1
        self.met["redelivered"] += message.delivered > 1
        executor.work = message.item
        executor.item = Item(stamp=message.stamp, seq=message.seq, delivery=message.delivered)
        await self._claim(executor, message)

    async def _claim(self, executor: Executor, message: Message) -> None:
        item, work = executor.item, executor.work
        assert item is not None
        assert work is not None
        claimant = cmd.Claimant(executor.name, executor.name, item)
        gone = await self._gone(work.subtask)
        choose = Choice(OPERATIONS, POOLS, claimant, work.subtask, gone, self.at)
        executor.writing = True
        try:
            done = await executor.log.transact(
                TASK, choose, self._note(executor), at_least=work.after, fresh=item.delivery > 1
            )
        except NotYet:
            message.holder = None
            executor.drop()
            return
        except ClaimedElsewhere as refusal:
            task = executor.log.cached(TASK)
            claims = [s.claim for s in task.subtasks if s.claim is not None] if task is not None else []
            if not any(c.fence == refusal.fence and same_item(c.item, item) for c in claims):
                self.queue.ack(item)
            executor.drop()
            return
        except Refusal:
            self.queue.ack(item)
            executor.drop()
            return
        except LogUnavailable:
            executor.drop()
            return
        finally:
            executor.writing = False
        assert done.verdict is not None
        self.met["taken over"] += any(
            event.type in {"subtask.lost", "subtask.cancelled"} for event in done.verdict.events
        )
        await self._proceed(executor, done)

    async def _gone(self, number: int) -> int | None:
        """Return the fence of a claim that no executor lists any more: it is dead, or dropped the chain."""
        task = await self.now()
        claim = task.subtasks[number - 1].claim if number else None
        if claim is None:
            return None
        for executor in self.executors:
            if executor.name == claim.incarnation:
                listed = executor.writing or (executor.held is not None and executor.fence == claim.fence)
                return None if listed else claim.fence
        return claim.fence

    def _note(self, executor: Executor) -> Note:
        return Note(commit_id(), self.at, By(kind="executor", name=executor.name))

    async def _proceed(self, executor: Executor, done: Any) -> None:
        """After a decision: dispatch what it made READY, run what it claimed, or acknowledge."""
        if self.chance.random() < 0.8:  # else it dies before it dispatched, or the queue does not answer
            self.queue.put(due(done.task, done.verdict.ready))
        if executor.killed:  # its lease is over: it begins nothing, and says nothing to the queue
            self.met["reported after its lease"] += 1
            executor.drop()
            return
        executor.held = executor.run = None
        for number in done.verdict.claimed:
            subtask = done.verdict.task.subtasks[number - 1]
            if subtask.claim is not None:
                executor.held, executor.fence = subtask, done.seq
                if subtask.claim.phase == "execute":
                    executor.run = f"{executor.name}-{self.tick}"
                    self._effect(executor, "start")
        if executor.held is None:
            assert executor.item is not None
            (self.late_acks.append if self.chance.random() < 0.3 else self.queue.ack)(executor.item)
            executor.drop()

    def _effect(self, executor: Executor, word: str) -> None:
        if executor.run is not None and executor.held is not None:
            token = f"{TASK}/{executor.held.number}/{executor.held.generation}"
            self.effects.append(Line(token, executor.run, word, self.clock()))

    async def finish(self, ending: str, sins: list[str]) -> None:
        """An executor's operation ends, and it reports: perhaps without knowing that it lost its claim."""
        busy = self._busy()
        if not busy:
            return
        executor = self.chance.choice(busy)
        held, item = executor.held, executor.item
        assert held is not None
        assert held.claim is not None
        assert item is not None
        undoing = held.claim.phase == "undo"
        outcome: cmd.Outcome = cmd.Undone() if undoing else cmd.Succeeded()
        if executor.killed or ending == "failed":
            outcome = cmd.Failed(OOPS)
        elif ending == "cancelled" and await self._asked_to_stop(executor, held):
            outcome = cmd.Cancelled()
        else:
            self._effect(executor, "end")
        claimant = cmd.Claimant(executor.name, executor.name, item)
        settle = cmd.Settle(held.number, executor.fence, outcome, self.at)
        onward = cmd.ClaimNext(claimant, POOLS, OPERATIONS, self.at)
        commands: tuple[cmd.ExecutorCommand, ...] = (settle,) if executor.killed else (settle, onward)
        self.storage.sins.extend(sins)
        executor.writing = True
        try:
            done = await executor.log.transact(TASK, lambda task: decide(task, *commands), self._note(executor))
        except StaleFence:
            self.met["fenced report refused"] += 1
            executor.drop()
            return
        except LogUnavailable:
            executor.drop()
            return
        finally:
            executor.writing = False
        await self._proceed(executor, done)

    async def _asked_to_stop(self, executor: Executor, held: Subtask) -> bool:
        subtask = (await self.now()).subtasks[held.number - 1]
        claim = subtask.claim
        return claim is not None and claim.fence == executor.fence and subtask.status == "CANCELING"

    # ---- sins -------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """An executor is killed: its run ends with it, and another one takes its place."""
        place = self.chance.randrange(len(self.executors))
        self.met["killed in the middle"] += self.executors[place].held is not None
        self.executors[place] = self._executor()

    def pause(self) -> None:
        """An executor is stopped; or goes on, if it was."""
        executor = self.chance.choice(self.executors)
        executor.paused = not executor.paused

    def redeliver(self) -> None:
        """AckWait is over for an item: whoever held it has fenced itself, or its children's own clocks did."""
        held = [m for m in self.queue.messages.values() if m.holder is not None]
        if not held:
            return
        message = self.chance.choice(held)
        holder = message.holder
        assert holder is not None
        if holder.item is not None and (holder.item.stamp, holder.item.seq) == (message.stamp, message.seq):
            holder.run, holder.killed = None, True  # the process itself may not know yet, and report all the same
            if not holder.paused and holder in self.executors and self.chance.random() < 0.7:
                holder.drop()
        message.holder = None
        if self.chance.random() < 0.2:
            message.delivered = 0  # the server was killed (T12)
            self.met["deliveries counted anew"] += 1

    def late_ack(self) -> None:
        """An acknowledgement arrives late, and hits whoever holds the item by now (T10)."""
        if self.late_acks:
            item = self.late_acks.pop()
            owner = [m for m in self.queue.messages.values() if (m.stamp, m.seq) == (item.stamp, item.seq)]
            self.met["late ack hit a new owner"] += bool(owner and owner[0].holder is not None)
            self.queue.ack(item)

    async def duplicate(self) -> None:
        """The same work once more under another name, or a copy of the last commit."""
        task = await self.now()
        if self.chance.random() < 0.5:
            items = stuck(task, self.at.timestamp())
            self.queue.put(replace(item, attempt=item.attempt + 50) for item in items)
        else:
            self.storage.sins.clear()
            last = self.storage.messages[-1][1]
            await self.storage.append(TASK, commit_id(), last.body, await self.storage.last(TASK))
            self.met["copied commit"] += 1

    async def rescue(self) -> None:
        """The rescuer queues what stands still."""
        self.queue.put(stuck(await self.now(), self.at.timestamp()))

    # ---- the end ----------------------------------------------------------------------------------------------

    async def heal(self) -> Task:
        """Nothing goes wrong any more: everybody works until the task has ended; return it."""
        self.storage.sins.clear()
        for executor in self.executors:
            executor.paused = False
        for _ in range(400):
            task = await self.now()
            if task.ended:
                return task
            for message in self.queue.messages.values():
                if message.holder not in self.executors or message.holder.item is None:
                    message.holder = None
            await self.rescue()
            await self.pull()
            await self.finish("done", [])
        raise AssertionError(f"no end in sight: {[s.status.value for s in task.subtasks]}")

    def entries(self) -> list[dict[str, Any]]:
        """Return the log as the events endpoint shows it."""
        found, head = [], ""
        for _, stored in self.storage.messages:
            commit = decode(stored.body)
            counts = commit.prev == head
            head = digest(stored.body) if counts else head
            for decision in commit.decisions:
                entry = decision.model_dump(mode="json", exclude_none=True)
                found.append({**entry, "seq": stored.seq, "outcome": entry["outcome"] if counts else "ignored"})
        return found
