"""The one error a command ends with: what went wrong, what to do next, which exit code.

Refuses to know: how it is printed (`app.py` does that) and which command raised it.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; of a task's outcome: 0 done, 1 failed, 3 cancelled, 4 rolled back, 124 the wait ran out."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    LOG_REGRESSION = 3
    """Of a service (the log is older than the view); a service has no task outcome, so the number is free for it."""
    ROLLED_BACK = 4
    WAIT_TIMED_OUT = 124
    INTERRUPTED = 130


class CliError(Exception):
    """A command cannot go on: the cause in one sentence, and the next step when there is one."""

    def __init__(self, cause: str, *, next_step: str | None = None, code: int = Exit.FAILED) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.code = int(code)


class UsageError(CliError):
    """The command line itself is wrong, or something already runs: exit code 2."""

    def __init__(self, cause: str, *, next_step: str | None = None) -> None:
        super().__init__(cause, next_step=next_step, code=Exit.USAGE)
