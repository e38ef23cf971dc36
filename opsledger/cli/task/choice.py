"""The options that commands on tasks share: how to act, on which, and whether to stay and watch.

Responsible for: the flags and what they exclude. Refuses to know: what is done with them.
"""

import secrets
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from opsledger.cli.failure import UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.task.output import Output

_SELECTION = Group("Many tasks at once", sort_key=1)
_AFTERWARDS = Group("Afterwards", sort_key=2)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class How:
    """How a command is carried out."""

    dry_run: Annotated[Flag, Parameter(name=["--dry-run", "-n"])] = False
    """Only say what would happen."""
    yes: Annotated[Flag, Parameter(name=["--yes", "-y"])] = False
    """Do not ask."""
    reason: Annotated[str | None, Parameter(name=["--reason", "-m"], metavar="TEXT")] = None
    """Why; kept in the history and in the audit."""
    key: str | None = None
    """Idempotency key: repeated with its key, a command takes effect once. A new one by default."""
    output: Output = "table"
    """table, json (the answer, or a list of them) or jsonl (one answer a line)."""

    def key_for(self, invocation: str, task_id: int) -> str:
        """The key of one task's command: the same for every try of this invocation."""
        return f"{self.key or invocation}-{task_id}"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Many:
    """Which tasks, said by what they have in common."""

    where: Annotated[str | None, Parameter(group=_SELECTION, metavar="QUALIFIERS")] = None
    """Instead of TASK: such as "state:failed type:host.inspect since:2h"; opsledger task list --where shows them."""
    pace: Annotated[int | None, Parameter(group=_SELECTION, metavar="N")] = None
    """With --where: at most so many tasks a minute."""
    limit: Annotated[int | None, Parameter(group=_SELECTION, metavar="N")] = None
    """With --where: the newest so many are enough."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Following:
    """Whether to stay until the task has ended."""

    wait: Annotated[Flag, Parameter(group=_AFTERWARDS)] = False
    """Watch the task on stderr until it ends; the exit code tells the outcome."""
    log: Annotated[Flag, Parameter(group=_AFTERWARDS)] = False
    """Print what its steps write while waiting; implies --wait."""
    timeout: Annotated[float | None, Parameter(group=_AFTERWARDS, metavar="SECONDS")] = None
    """Give up waiting after so many seconds; the task goes on."""

    def check(self) -> None:
        """UsageError for a limit of nothing."""
        if self.timeout is not None and not self.stays:
            raise UsageError("--timeout limits --wait; without --wait there is nothing to limit")

    @property
    def stays(self) -> bool:
        """Whether to wait at all."""
        return self.wait or self.log


def check(tasks: tuple[str, ...], subtask: str | None, how: How, many: Many, after: Following) -> None:
    """UsageError for options that do not go together, before anything is asked."""
    if bool(tasks) == (many.where is not None):
        raise UsageError(
            "name the tasks, or say which with --where", next_step="for example: opsledger task retry @latest-failed"
        )
    if (many.pace is not None or many.limit is not None) and many.where is None:
        raise UsageError("--pace and --limit are for many tasks: they go with --where")
    if any(given is not None and given < 1 for given in (many.pace, many.limit)):
        raise UsageError("--pace and --limit: give at least 1")
    if subtask is not None and len(tasks) != 1:
        raise UsageError("--subtask names one step of one task")
    after.check()
    if how.dry_run and after.stays:
        raise UsageError("a dry run changes nothing, so there is nothing to wait for: leave --wait or --dry-run out")


def invocation() -> str:
    """The key of this run of the program."""
    return secrets.token_hex(16)
