"""Outcomes: the closed set of ways an attempt can end, mapped from what an operation did in this one place.

| the operation                      | outcome    | what the log says                                  |
|------------------------------------|------------|----------------------------------------------------|
| returned                           | Succeeded  | subtask.succeeded                                  |
| its undo returned                  | Undone     | subtask.undone                                     |
| raised TransientFault, anything    | Failed     | subtask.retry_scheduled or subtask.failed          |
| raised PermanentFault              | Failed     | subtask.failed, no automatic retry                 |
| ran into its timeout               | Failed     | likewise, kind TIMEOUT                             |
| was stopped on request             | Cancelled  | subtask.cancelled                                  |
| was stopped because we go away     | Released   | subtask.released, or UNKNOWN_OUTCOME               |
"""

import traceback

from services.executor.fault import Fault, PermanentFault
from services.executor.masking import Masker
from shared.runtime.logging import get
from shared.task.commands import Failed
from shared.task.events import Problem

MAX_MESSAGE = 2_000

log = get(__name__)


def failed(error: BaseException, masker: Masker) -> Failed:
    """Return the outcome of an operation that raised, masked. What nobody foresaw is logged with its trace."""
    if isinstance(error, Fault):
        detail = masker.value(error.detail) or None
        kind = str((detail or {}).get("kind") or ("PERMANENT" if isinstance(error, PermanentFault) else "FAILED"))
        problem = Problem(kind=kind, message=_short(masker.text(str(error))), detail=detail)
        return Failed(problem, retryable=not isinstance(error, PermanentFault))
    log.error("operation raised what nobody foresaw", trace="".join(traceback.format_exception(error)))
    text = _short(masker.text(f"{type(error).__name__}: {error}"))
    return Failed(Problem(kind="INTERNAL", message=f"The operation is at fault: {text}"), retryable=True)


def timed_out(seconds: float) -> Failed:
    """Return the outcome of an attempt that took longer than its subtask's timeout."""
    return Failed(Problem(kind="TIMEOUT", message=f"Took longer than its timeout of {seconds:g} s and was stopped."))


def not_offered(operation: str, pool: str) -> Failed:
    """Return the outcome of a subtask whose operation nobody offers."""
    message = f"No executor of pool '{pool}' offers operation '{operation}'."
    return Failed(Problem(kind="NOT_OFFERED", message=message), retryable=False)


def _short(text: str) -> str:
    text = text.strip() or "no message"
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
