"""Creations: from a body to a task's first commit, or to the task that the same key made before.

A creation has no task to remember its key yet, so KV `idempotency` maps the key to (task id, body hash) before the
first commit; a crash in between is finished by whoever repeats the command. Knows no HTTP.
"""

import json
from dataclasses import replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from services.api.access import within
from services.api.asked import Asked, Create, Done, Preview
from services.api.catalog import Catalog
from services.api.creation import Creation, adopted, check
from services.api.invalid import Invalid
from services.api.keys import Keys, fingerprint
from shared.log.port import CommitTooLarge, Note, Transacted
from shared.log.transact import TaskLog
from shared.runtime.failpoint import hit
from shared.store.ids import TaskIds
from shared.task.commands import CreateTask
from shared.task.decide import decide
from shared.task.events import PlanRef
from shared.task.plan import PlannedSubtask
from shared.task.refusals import KeyReused, PlanInvalid
from shared.task.state import Task
from shared.task.words import TEAM

MAX_SUBTASK_BYTES = 180 * 1024
"""One subtask must fit into a part of a plan."""

_nodes = TypeAdapter(tuple[PlannedSubtask, ...])


class Objects(Protocol):
    """Where oversized plans lie."""

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store the data; return its reference."""


class Creator:
    """Creates tasks. One per process."""

    def __init__(self, task_log: TaskLog, ids: TaskIds, keys: Keys, plans: Objects, catalog: Catalog) -> None:
        self._log = task_log
        self._ids = ids
        self._keys = keys
        self._plans = plans
        self._catalog = catalog
        self.created = 0

    async def create(self, asked_for: Create, asked: Asked) -> Done:
        """Create a task; raises what `Commands.perform` does."""
        body = asked_for.body
        body_hash = fingerprint("create", body) if asked.key is not None else ""
        try:
            creation = await self._checked(asked_for, asked)
        except (Invalid, PlanInvalid):
            # What was fit once stays done, even when the catalogue has changed since.
            earlier = await self._earlier(asked, body_hash)
            if earlier is None:
                raise
            return earlier
        task_id, mine = await self._ids.next(), True
        if asked.digest is not None:
            task_id, mine = await self._keys.reserve(asked.digest, task_id, body_hash)
        found = None if mine else await self._log.load(task_id, fresh=True)
        if found is not None:
            return _again(found, asked)
        done = await self._commit(task_id, creation, asked, body_hash, new=mine)
        self.created += not done.replayed
        return done

    async def preview(self, asked_for: Create, asked: Asked) -> Preview:
        """Return what the creation would begin; nothing is stored. Raises `Invalid` or `PlanInvalid`."""
        creation = await self._checked(asked_for, asked)
        verdict = decide(None, _command(0, creation, asked.note("")))
        return Preview("create", None, verdict.task, verdict.events, [s.number for s in verdict.task.subtasks])

    async def of_key(self, digest: str) -> int | None:
        """Return the id of the task a key was used for, or None. Raises `BucketUnavailable`."""
        return await self._keys.task_of(digest)

    async def _checked(self, asked_for: Create, asked: Asked) -> Creation:
        creation = asked_for.creation or check(asked_for.body, self._catalog)
        if creation.parent is not None:
            parent = await self._log.load(creation.parent, fresh=creation.child_of is not None)
            if parent is None or not within(asked.teams, parent.labels):
                raise Invalid.at(["parent"], f"The task {creation.parent} does not exist.")
            if creation.child_of is not None:
                creation = adopted(creation, parent, self._catalog)
        return _owned(creation, asked)

    async def _earlier(self, asked: Asked, body_hash: str) -> Done | None:
        known = await self._keys.known(asked.digest, body_hash) if asked.digest is not None else None
        found = await self._log.load(known, fresh=True) if known is not None else None
        return _again(found, asked) if found is not None else None

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


def _again(task: Task, asked: Asked) -> Done:
    """Return the first use's outcome, unless the caller, of that name but of other teams, may not see it."""
    if not within(asked.teams, task.labels):
        raise KeyReused("This idempotency key was used before, for a task of another team.")
    return Done(task, task.created_seq, replayed=True)


def _owned(creation: Creation, asked: Asked) -> Creation:
    """Return the creation with the team it belongs to; who sees some teams' tasks alone creates for one of these."""
    if asked.teams is None or within(asked.teams, creation.labels):
        return creation
    if TEAM in creation.labels or len(asked.teams) != 1:
        known = ", ".join(sorted(asked.teams))
        raise Invalid.at(["labels", TEAM], f"The label '{TEAM}' must name a team of yours: {known}.")
    return replace(creation, labels={**creation.labels, TEAM: next(iter(asked.teams))})


def _command(task_id: int, creation: Creation, note: Note, reference: PlanRef | None = None) -> CreateTask:
    return CreateTask(
        task_id=task_id,
        name=creation.name,
        task_type=creation.task_type,
        by=note.by.actor(),
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
        standing=creation.standing,
    )
