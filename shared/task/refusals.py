"""The domain says no.

    Refusal                         code (OCP)  status
    ├── TaskNotFound                4001        404
    ├── SubtaskNotFound             4001        404
    ├── PlanInvalid                 4003        400
    ├── IllegalState                4007        400     the task's or subtask's state forbids it
    │   ├── NotYet                                      waits for its retry time
    │   ├── NotReady                                    nothing to claim
    │   └── ClaimedElsewhere                            another executor holds a live claim
    ├── StaleFence                  4007        400     a report by an executor that lost its claim
    ├── RollbackProhibited          4009        400
    ├── NotSkippable                4010        400
    ├── KeyReused                   4011        409
    └── VersionMismatch             4012        412

A refusal is an answer, not a fault: it carries the message, the OCP code (specification §2.4) and, in `target`,
the state and what is allowed now.
"""

from typing import Any, ClassVar


class Refusal(Exception):  # noqa: N818  a refusal is a fact, not an error of ours
    """The domain says no, and why."""

    code: ClassVar[int] = 4007
    kind: ClassVar[str] = "refused"

    def __init__(self, message: str, *, target: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.target = target or {}


class TaskNotFound(Refusal):
    """There is no such task."""

    code = 4001
    kind = "task_not_found"


class SubtaskNotFound(Refusal):
    """The task has no such subtask."""

    code = 4001
    kind = "subtask_not_found"


class PlanInvalid(Refusal):
    """The graph cannot be run. `reason` is one word for programs."""

    code = 4003
    kind = "graph_invalid"

    def __init__(self, message: str, *, reason: str, target: dict[str, Any] | None = None) -> None:
        super().__init__(message, target={"reason": reason, **(target or {})})
        self.reason = reason


class IllegalState(Refusal):
    """The state of the task or subtask does not allow the operation."""

    kind = "illegal_state"


class NotYet(IllegalState):
    """The subtask waits for its retry time."""

    kind = "not_yet"


class NotReady(IllegalState):
    """The subtask is not waiting to be run."""

    kind = "not_ready"


class ClaimedElsewhere(IllegalState):
    """Another executor holds a claim that nothing says is dead. `incarnation` and `fence` name it."""

    kind = "claimed_elsewhere"

    def __init__(self, message: str, *, incarnation: str, fence: int) -> None:
        super().__init__(message)
        self.incarnation = incarnation
        self.fence = fence


class StaleFence(Refusal):
    """The reporter no longer holds the claim; its report changes nothing."""

    kind = "stale_fence"


class RollbackProhibited(Refusal):
    """The plan, a subtask that ran, or its operation forbids rollback."""

    code = 4009
    kind = "rollback_prohibited"


class NotSkippable(Refusal):
    """The subtask's operation does not allow skipping."""

    code = 4010
    kind = "not_skippable"


class KeyReused(Refusal):
    """The idempotency key was used before with another body."""

    code = 4011
    kind = "key_reused"


class VersionMismatch(Refusal):
    """The task has changed since the version the caller saw."""

    code = 4012
    kind = "version_mismatch"
