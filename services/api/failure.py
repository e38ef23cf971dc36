"""What it means that a command was not carried out: HTTP-like status, OCP's code, what it is about. For every door.

`failure_of` knows refusals, bodies that do not fit, and commits that are too large. What it does not know is either an
outage (`OUTAGES`: the world is in the way, and the command may be tried again with its key) or a fault of ours.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from services.api.access import Permission, Principal
from services.api.invalid import Invalid
from shared.log.port import CommitTooLarge, LogUnavailable
from shared.store.ids import IdsUnavailable
from shared.store.kv import BucketUnavailable
from shared.store.objects import ResultsUnavailable
from shared.task.refusals import (
    IllegalState,
    KeyReused,
    NotSkippable,
    PlanInvalid,
    Refusal,
    RollbackProhibited,
    StaleFence,
    SubtaskNotFound,
    TaskNotFound,
    VersionMismatch,
)

STATUSES: Final[dict[type[Refusal], int]] = {
    TaskNotFound: 404,
    SubtaskNotFound: 404,
    PlanInvalid: 400,
    IllegalState: 400,
    StaleFence: 400,
    RollbackProhibited: 400,
    NotSkippable: 400,
    KeyReused: 409,
    VersionMismatch: 412,
}
OUTAGES: Final = (LogUnavailable, BucketUnavailable, IdsUnavailable, ResultsUnavailable)
"""What a command may meet when the world is in the way."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why not. `target` says what it is about and what is allowed now."""

    status: int
    code: int
    message: str
    target: dict[str, Any] = field(default_factory=dict)


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal; the nearest ancestor in the table decides."""
    return next(STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES)


def failure_of(error: Exception) -> Failure | None:
    """Return what an error of `Commands` means, or None when it says nothing about the command itself."""
    match error:
        case Refusal():
            return Failure(status_of(error), error.code, error.message, {"kind": error.kind, **error.target})
        case Invalid():
            faults = [{"pointer": fault.pointer, "message": fault.message} for fault in error.faults]
            return Failure(422, 1001, str(error), {"pointer": error.faults[0].pointer, "faults": faults})
        case CommitTooLarge():
            return Failure(413, 1004, f"Too large for the log: {error}.")
        case _:
            return None


def forbidden(principal: Principal, permission: Permission) -> Failure:
    """Return the failure of somebody whose role does not grant what a command asks for."""
    return Failure(403, 3100, f"The role {principal.role.value} has no permission to {permission}.")
