"""`bulk.perform`: an executor asks an API to carry a bulk command out on one target. One of many APIs answers.

Nothing is believed that the log does not say: the task must be a bulk command, the batch RUNNING under the asker's
claim and naming the target. Then its creator commands the target, once for ever by the key. The request
`{"task", "subtask", "fence", "target"}` is answered with `{"status", "task", …}` as REST would answer; `denied` says
that the asker has no such right, `retry` that the world is in the way.
"""

from typing import Annotated, Any

from faststream.nats import NatsBroker, NatsMessage
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.api import bulk
from services.api.asked import TASK_WORDS, Asked, act
from services.api.commands import Commands
from services.api.creation import BULK
from services.api.failure import OUTAGES, failure_of
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.runtime.logging import get
from shared.task.ids import MAX_TASK_ID
from shared.task.state import SubtaskStatus, Task
from shared.task.words import TEAM

VIA = "bulk"
AT_ONCE = 16
"""How many targets this process decides at the same time."""

log = get(__name__)
Id = Annotated[int, Field(ge=1, le=MAX_TASK_ID, strict=True)]


class Wanted(BaseModel):
    """What the executor asks for; `fence` names its claim on the batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Id
    subtask: Id
    fence: int
    target: Id


class Performer:
    """Carries targets' commands out. One per process."""

    def __init__(self, task_log: TaskLog, commands: Commands) -> None:
        self._log = task_log
        self._commands = commands

    async def answer(self, body: bytes) -> dict[str, Any]:
        """Return the answer to a request; raises nothing."""
        try:
            wanted = Wanted.model_validate_json(body)
        except ValidationError:
            return {"status": 400, "denied": "The request is none of `bulk.perform`."}
        try:
            return await self._perform(wanted)
        except OUTAGES as problem:
            return {"task": wanted.target, "status": 503, "retry": True, "why": str(problem)}
        except Exception as error:  # the asker must hear something
            failure = failure_of(error)
            if failure is None:
                log.exception("a bulk command failed", task=wanted.task, target=wanted.target)
                return {"task": wanted.target, "status": 500, "retry": True, "why": "Something went wrong here."}
            error_shown = {"code": failure.code, "message": failure.message}
            return {"task": wanted.target, "status": failure.status, "error": error_shown}

    async def _perform(self, wanted: Wanted) -> dict[str, Any]:
        task = await self._log.load(wanted.task, fresh=True)
        denied = why_not(task, wanted)
        if task is None or denied is not None:
            return {"status": 403, "denied": denied}
        word, reason, team = task.type.removeprefix(BULK), task.params.get("reason"), task.labels.get(TEAM)
        asked = Asked(
            name=task.creator.name,
            via=VIA,
            key=bulk.key(task.id, wanted.target),
            reason=reason if isinstance(reason, str) else None,
            teams=frozenset({team}) if team is not None else None,
        )
        done = await self._commands.perform(act(wanted.target, word), asked)
        answer = {"task": wanted.target, "status": 200, "state": done.task.state.value, "seq": done.seq}
        return answer | ({"replayed": True} if done.replayed else {})


def why_not(task: Task | None, wanted: Wanted) -> str | None:
    """Return why the log does not give the asker the right to command the target, or None when it does."""
    if task is None:
        return f"The task {wanted.task} does not exist."
    if not task.type.startswith(BULK) or task.type.removeprefix(BULK) not in TASK_WORDS:
        return f"The task {task.id} is no bulk command."
    subtask = task.find(wanted.subtask)
    if subtask is None or wanted.target not in bulk.targets_of(subtask.plan.operation, subtask.plan.params):
        return f"The subtask {wanted.subtask} of task {task.id} does not name the task {wanted.target}."
    claim = subtask.claim
    if subtask.status is not SubtaskStatus.RUNNING or claim is None or claim.fence != wanted.fence:
        return f"The subtask {wanted.subtask} of task {task.id} is not run by who asks."
    return None


async def _as_it_came(message: NatsMessage) -> bytes:
    """Bodies are read by our own hands: FastStream would make a dict of JSON, and refuse it as bytes, unheard (T26)."""
    return message.body


def subscribe(broker: NatsBroker, performer: Performer) -> None:
    """Answer requests, each by one of all APIs."""

    @broker.subscriber(
        subjects.BULK_PERFORM, queue="api", max_workers=AT_ONCE, title="bulk.perform", decoder=_as_it_came
    )
    async def perform(body: bytes) -> dict[str, Any]:
        """Carry a bulk command out on one of its targets, if the log says that it may be."""
        return await performer.answer(body)
