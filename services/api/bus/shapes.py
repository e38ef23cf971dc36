"""What travels on the bus beside the log: commands in, answers out. The models are the wire and its documentation."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from services.api.asked import Reason
from services.api.failure import Failure
from shared.messages.commit import By
from shared.task.events import TaskEvent
from shared.task.ids import MAX_TASK_ID, SUBTASKS_PER_TASK


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CommandBody(_Wire):
    """A command on a task, or on one of its subtasks."""

    task: Annotated[int, Field(ge=1, le=MAX_TASK_ID, description="Id of the task.")]
    subtask: (
        Annotated[
            int,
            Field(
                ge=1,
                lt=(MAX_TASK_ID + 1) * SUBTASKS_PER_TASK,
                description="Id of a subtask of it; only retry, skip and cancel are for subtasks.",
            ),
        ]
        | None
    ) = None
    reason: Annotated[Reason, Field(description="Why; kept in the task's history.")] | None = None
    version: (
        Annotated[
            int, Field(ge=0, lt=10**18, description="The task's version the producer saw; refused when it changed.")
        ]
        | None
    ) = None


class AnswerError(_Wire):
    """Why a command was not carried out."""

    code: Annotated[int, Field(description="OCP's code, as over REST.")]
    message: str
    target: Annotated[dict[str, Any] | None, Field(description="What it is about, and what is allowed now.")] = None

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the wire form."""
        return cls(code=failure.code, message=failure.message, target=failure.target or None)


class Answer(_Wire):
    """How a command was decided. An answer may come twice: the same `key` says that it is the same."""

    status: Annotated[int, Field(description="As over REST: 201 created, 200 done, 4xx refused.")]
    command: Annotated[str | None, Field(description="The command's word.")] = None
    key: Annotated[str | None, Field(description="The idempotency key, as given or derived from the signature.")] = None
    task: int | None = None
    seq: Annotated[int | None, Field(description="Log position: what REST calls X-Log-Seq.")] = None
    state: Annotated[str | None, Field(description="The task's state after the command.")] = None
    version: Annotated[int | None, Field(description="The task's version after the command.")] = None
    replayed: Annotated[bool | None, Field(description="True when the key was used before.")] = None
    error: AnswerError | None = None

    def encode(self) -> bytes:
        """Return the body: JSON, absent values left out."""
        return self.model_dump_json(exclude_none=True).encode()


class LogCheckAnswer(_Wire):
    """Which log an API knows."""

    created: str
    highest: int


class BulkAnswer(_Wire):
    """How a bulk command went on one target."""

    status: int
    task: int | None = None
    seq: int | None = None
    state: str | None = None
    replayed: bool | None = None
    error: AnswerError | None = None
    denied: Annotated[str | None, Field(description="Why the asker has no such right.")] = None
    retry: Annotated[bool | None, Field(description="True when asking again later may help.")] = None
    why: str | None = None


class NudgeBody(_Wire):
    """The task to look at now; or whether to take no new work, and who wants that."""

    task: int | None = None
    drain: bool | None = None
    by: str | None = None


class StatusEvent(BaseModel):
    """One event that the view has taken in. At most once, and never the truth."""

    model_config = ConfigDict(frozen=True)

    task: int
    seq: Annotated[int, Field(description="Log position of the commit.")]
    at: datetime
    by: By
    event: Annotated[TaskEvent, Field(discriminator="type", description="The event as the log has it.")]
