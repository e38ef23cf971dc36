"""What the tasks of a bulk command answered: those that refused it, and why.

Refuses to know: the command.
"""

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import clean, grid, show
from opsledger.cli.look.words import count
from opsledger.cli.rest.view import Task, mapping, objects, outputs, text

SHOWN_AT_MOST = 50


def print_refused(console: Console, task: Task) -> None:
    """A line for each, up to a screenful; nothing when there are none."""
    refused = [
        (text(item.get("task")), text(mapping(error).get("message")))
        for _, items in outputs(task, "items")
        for item in objects(items)
        if (error := item.get("error"))
    ]
    if not refused:
        return
    console.print()
    console.print(Text(f"{count(len(refused), 'task')} refused it", style="warn"))
    table = grid("task", "why", right=("task",), wide="why")
    for task_id, why in refused[:SHOWN_AT_MOST]:
        table.add_row(task_id, Text(clean(why.partition(" Allowed now:")[0])))
    show(console, table)
    if len(refused) > SHOWN_AT_MOST:
        console.print(Text(f"and {len(refused) - SHOWN_AT_MOST:,} more: -o json has them all", style="label"))
