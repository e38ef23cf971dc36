"""What was typed after a command on tasks, found at the API: which tasks, and which step of one.

Responsible for: ids, @latest and steps by key, number or id. Refuses to know: what is done with them.
"""

from dataclasses import dataclass

from opsledger.cli.failure import UsageError
from opsledger.cli.look.console import clean
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.commands import Order
from opsledger.cli.rest.view import Step, Task

_NAMED_AT_MOST = 12


@dataclass(frozen=True, slots=True)
class Named:
    """An order, and what people call its task; the name is read only where it is shown."""

    order: Order
    name: str = ""


async def find(client: Client, word: str, typed: tuple[str, ...], subtask: str | None) -> list[Order]:
    """The orders, in the order typed, each once. UsageError for what cannot be an id or is no step of the task."""
    ids = list(dict.fromkeys([await tasks.resolve_id(client, one) for one in typed]))
    if subtask is None:
        return [Order(word, task_id) for task_id in ids]
    task = await tasks.read(client, ids[0])
    return [Order(word, ids[0], step(task, subtask), task)]


async def named(client: Client, orders: list[Order]) -> list[Named]:
    """The orders with the names of their tasks."""
    return [Named(order, await _name(client, order.task_id)) for order in orders]


async def _name(client: Client, task_id: int) -> str:
    found = await tasks.read(client, task_id)
    return found.name or found.type


def step(task: Task, wanted: str) -> Step:
    """One step by key, number or id; a key comes first. UsageError names the steps there are."""
    for fits in (lambda s: s.name == wanted, lambda s: wanted in {str(s.number), str(s.id)}):
        if found := next((s for s in task.steps if fits(s)), None):
            return found
    known = ", ".join(clean(s.name) for s in task.steps[:_NAMED_AT_MOST])
    more = f" and {len(task.steps) - _NAMED_AT_MOST} more" if len(task.steps) > _NAMED_AT_MOST else ""
    next_step = f"its steps are: {known}{more}" if task.steps else "it has not been planned yet"
    raise UsageError(f"task {task.id} has no step {clean(wanted)}", next_step=next_step)
