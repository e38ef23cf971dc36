"""The one place every command goes through, whichever door it came in by: REST, bus, console.

`Commands.perform` decides at once: it returns the new state or raises the refusal. Keys make commands idempotent for
ever. A creation has no task to remember its key yet, so KV `idempotency` maps the key to (task id, body hash) before
the first commit; a crash in between is finished by whoever repeats the command. Knows no HTTP.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from services.api.catalog import Catalog
from services.api.creation import Creation, check
from services.api.invalid import Invalid
from services.api.keys import Keys, fingerprint, hashed
from shared.log.port import CommitTooLarge, Note, Transacted
from shared.log.transact import TaskLog
from shared.messages.commit import By
from shared.queue.dispatch import due, put_all
from shared.queue.port import QueueUnavailable, WorkQueue
from shared.queue.work_item import WorkItem
from shared.runtime.clock import commit_id, now
from shared.runtime.failpoint import hit
from shared.runtime.logging import get
from shared.store.ids import TaskIds
from shared.task.commands import CreateTask, OperatorCommand
from shared.task.decide import decide
from shared.task.events import PlanRef
from shared.task.plan import PlannedSubtask
from shared.task.refusals import PlanInvalid, Refusal
from shared.task.state import Actor, KeyUse, Task

MAX_SUBTASK_BYTES = 180 * 1024
"""One subtask must fit into a part of a plan."""

log = get(__name__)
_nodes = TypeAdapter(tuple[PlannedSubtask, ...])


class Objects(Protocol):
    """Where oversized plans lie."""

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store the data; return its reference."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, through which door (rest, bus, cli, console), under which idempotency key, and why."""

    name: str
    via: str
    key: str | None = None
    reason: str | None = None

    @property
    def digest(self) -> str | None:
        """The key as it is stored, or None."""
        return hashed(self.name, self.key) if self.key is not None else None

    def note(self, body_hash: str, word: str | None = None) -> Note:
        """Return what the commit says besides its events."""
        by = By(kind="user", name=self.name, via=self.via)
        key = self.digest
        return Note(commit_id(), now(), by, self.reason, key, body_hash if key is not None else None, word)


@dataclass(frozen=True, slots=True)
class Create:
    """Create a task from a body as a caller sent it."""

    body: Any


@dataclass(frozen=True, slots=True)
class Act:
    """Do what an operator wants with a task that is there. `word` names the command, `body` is what was sent."""

    task_id: int
    word: str
    command: OperatorCommand
    body: Any = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a command led to. `replayed`: its key had been used with the same body; this is the first use's outcome."""

    task: Task
    seq: int
    replayed: bool = False


class Commands:
    """Decides and commits commands. One per process."""

    def __init__(
        self, task_log: TaskLog, queue: WorkQueue, ids: TaskIds, keys: Keys, plans: Objects, catalog: Catalog
    ) -> None:
        self._log = task_log
        self._queue = queue
        self._ids = ids
        self._keys = keys
        self._plans = plans
        self._catalog = catalog
        self._dispatching: set[asyncio.Task[None]] = set()
        self.created = 0
        self.undispatched = 0

    async def perform(self, command: Create | Act, asked: Asked) -> Done:
        """Carry a command out.

        Raises `Invalid` or a `Refusal` when it is not to be, `LogUnavailable`, `LogRefused`, `BucketUnavailable`,
        `IdsUnavailable` or `ResultsUnavailable` when the world is in the way.
        """
        match command:
            case Create(body):
                done = await self._create(body, asked)
            case Act():
                done = await self._act(command, asked)
        if not done.replayed:
            self._dispatch(due(done.task))
        return done

    async def close(self, seconds: float = 1.0) -> None:
        """Wait for dispatches that are under way; what is left is the rescuer's."""
        if self._dispatching:
            await asyncio.wait(set(self._dispatching), timeout=seconds)

    # ---- create ---------------------------------------------------------------------------------------------

    async def _create(self, body: Any, asked: Asked) -> Done:
        body_hash = fingerprint("create", body) if asked.key is not None else ""
        try:
            creation = check(body, self._catalog)
            await self._check_parent(creation.parent)
        except (Invalid, PlanInvalid):
            # What was fit once stays done, even when the catalogue has changed since.
            earlier = await self._earlier(asked.digest, body_hash)
            if earlier is None:
                raise
            return earlier
        task_id, mine = await self._ids.next(), True
        if asked.digest is not None:
            task_id, mine = await self._keys.reserve(asked.digest, task_id, body_hash)
        found = None if mine else await self._log.load(task_id, fresh=True)
        if found is not None:
            return Done(found, found.created_seq, replayed=True)
        done = await self._commit(task_id, creation, asked, body_hash, new=mine)
        self.created += not done.replayed
        return done

    async def _earlier(self, digest: str | None, body_hash: str) -> Done | None:
        known = await self._keys.known(digest, body_hash) if digest is not None else None
        found = await self._log.load(known, fresh=True) if known is not None else None
        return Done(found, found.created_seq, replayed=True) if found is not None else None

    async def _commit(self, task_id: int, creation: Creation, asked: Asked, body_hash: str, *, new: bool) -> Done:
        note = asked.note(body_hash)
        hit("api.create.before_commit")
        try:
            found = await self._begin(_command(task_id, creation, note), note, new=new)
        except CommitTooLarge:
            if not creation.subtasks:
                raise
            reference = await self._put_plan(task_id, creation)
            found = await self._begin(_command(task_id, creation, note, reference), note, new=False)
        hit("api.create.after_commit")
        return Done(found.task, found.seq, found.replayed is not None)

    async def _begin(self, command: CreateTask, note: Note, *, new: bool) -> Transacted:
        return await self._log.transact(command.task_id, lambda task: decide(task, command), note, new=new)

    async def _put_plan(self, task_id: int, creation: Creation) -> PlanRef:
        """Put a plan too large for one commit where an executor finds it, before the task that names it exists."""
        for place, node in enumerate(creation.subtasks):
            size = len(_nodes.dump_json((node,), exclude_none=True))
            if size > MAX_SUBTASK_BYTES:
                raise Invalid.at(["plan", "subtasks", place], f"It takes {size} bytes; {MAX_SUBTASK_BYTES} fit.")
        head = f'{{"concurrency":{creation.concurrency},"prohibit_rollback":{json.dumps(creation.prohibit_rollback)}'
        data = head.encode() + b',"subtasks":' + _nodes.dump_json(creation.subtasks, exclude_none=True) + b"}"
        return PlanRef.model_validate(await self._plans.put(f"plan-{task_id}", data))

    async def _check_parent(self, parent: int | None) -> None:
        if parent is not None and await self._log.load(parent) is None:
            raise Invalid.at(["parent"], f"The task {parent} does not exist.")

    # ---- act on a task ----------------------------------------------------------------------------------------

    async def _act(self, act: Act, asked: Asked) -> Done:
        note = asked.note(fingerprint(act.word, act.body), act.word)
        command = replace(act.command, at=note.at)  # one time a decision: the fold knows no other
        found = await self._log.transact(act.task_id, lambda task: decide(task, command), note)
        if found.replayed is not None and not found.replayed.accepted:
            raise refusal_of(found.replayed)
        return Done(found.task, found.seq, found.replayed is not None)

    # ---- dispatch ---------------------------------------------------------------------------------------------

    def _dispatch(self, items: list[WorkItem]) -> None:
        """Queue what became ready, beside the answer: the commit counts, and the rescuer repairs what fails here."""
        if items:
            task = asyncio.create_task(self._put(items))
            self._dispatching.add(task)
            task.add_done_callback(self._dispatching.discard)

    async def _put(self, items: list[WorkItem]) -> None:
        try:
            await put_all(self._queue, items)
        except QueueUnavailable as problem:
            self.undispatched += 1
            log.warning("not queued; the rescuer will", task=items[0].task_id, items=len(items), why=str(problem))


def refusal_of(use: KeyUse) -> Refusal:
    """Return the refusal that a key's first use met."""
    kinds: list[type[Refusal]] = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in reversed(kinds) if kind.kind == use.kind and kind.code == use.code), Refusal)
    refusal = found.__new__(found)
    Refusal.__init__(refusal, use.message, target=use.target)
    return refusal


def _command(task_id: int, creation: Creation, note: Note, reference: PlanRef | None = None) -> CreateTask:
    actor: Actor = note.by.actor()
    return CreateTask(
        task_id=task_id,
        name=creation.name,
        task_type=creation.task_type,
        by=actor,
        at=note.at,
        params=creation.params,
        object=creation.object,
        labels=creation.labels,
        parent=creation.parent,
        type_version=creation.type_version,
        pool=creation.pool,
        plan_ref=reference,
        subtasks=creation.subtasks if reference is None else (),
        concurrency=creation.concurrency,
        prohibit_rollback=creation.prohibit_rollback,
    )
