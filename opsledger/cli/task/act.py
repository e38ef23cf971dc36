"""`opsledger task retry|skip|cancel|rollback|delete`: steer tasks, or steps of one.

Responsible for: the five command lines. Refuses to know: how a command is carried out, confirmed and told.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from opsledger.cli.failure import Exit
from opsledger.cli.look.errors import complain
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import Task
from opsledger.cli.task import bulk
from opsledger.cli.task.carry_out import carry_out, dry_run, failed
from opsledger.cli.task.choice import Following, How, Many, check
from opsledger.cli.task.stay import stay
from opsledger.cli.task.told import tell
from opsledger.cli.task.wait import After

_HERE, _HOW, _MANY, _AFTER = Address(), How(), Many(), Following()
Tasks = Annotated[str, Parameter(name="TASK")]
_TASKS = """
    Parameters
    ----------
    tasks
        Task ids, @latest for the newest task, or @latest-failed for the newest failed one.
"""
_SUBTASK = """    subtask
        Only this step: its key, number or id.
"""


_BOTH = {
    "retry": "Run every failed step again; a task that has no plan is planned again.\n",
    "skip": "Count every failed step as done, so that what waits for it goes on. `pass` is the same.\n",
    "cancel": "Stop tasks: nothing new starts, and what runs is stopped.\n",
}
_TASK_ONLY = {
    "rollback": "Undo what has started, the last step first. Shows what that means, and asks.\n",
    "delete": "Take ended tasks out of the lists; their history stays. Asks first.\n",
}


def commands() -> list[Callable[..., int]]:
    """All five, named by their words."""
    both = [_on_subtask_too(word, about) for word, about in _BOTH.items()]
    return both + [_on_task(word, about) for word, about in _TASK_ONLY.items()]


def _on_task(word: str, about: str) -> Callable[..., int]:
    """The command line of a command that is for whole tasks alone."""

    def command(
        *tasks: Tasks,
        how: How = _HOW,
        many: Many = _MANY,
        after: Following = _AFTER,
        address: Address = _HERE,
    ) -> int:
        return _act(word, tasks, None, how, many, after, address)

    return _named(command, word, about + _TASKS)


def _on_subtask_too(word: str, about: str) -> Callable[..., int]:
    """The command line of a command that a single step takes as well."""

    def command(
        *tasks: Tasks,
        subtask: Annotated[str | None, Parameter(metavar="KEY|NUMBER|ID")] = None,
        how: How = _HOW,
        many: Many = _MANY,
        after: Following = _AFTER,
        address: Address = _HERE,
    ) -> int:
        return _act(word, tasks, subtask, how, many, after, address)

    return _named(command, word, about + _TASKS + _SUBTASK)


def _named(command: Callable[..., int], word: str, doc: str) -> Callable[..., int]:
    command.__name__, command.__doc__ = word, doc
    return command


def _act(
    word: str, tasks: tuple[str, ...], subtask: str | None, how: How, many: Many, after: Following, address: Address
) -> int:
    check(tasks, subtask, how, many, after)
    connection = resolve(address)
    if many.where is not None:
        return bulk.command(connection, word, many, how, after)
    if how.dry_run:
        return dry_run(connection, word, tasks, subtask, how)
    outcomes = carry_out(connection, word, tasks, subtask, how)
    done = [(one.order, one.answer) for one in outcomes if one.answer is not None]
    tell(done, how.output)
    errors = failed(outcomes)
    for error in errors:
        complain(error.cause, error.next_step)
    begun = [(order.task_id, After(answer.seq, order.seen or Task.of(answer.data))) for order, answer in done]
    code = asyncio.run(stay(connection, begun, after))
    return Exit.FAILED if errors else code
