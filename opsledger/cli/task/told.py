"""What became of commands that were carried out, one line each.

Responsible for: the line and the JSON. Refuses to know: refusals, which are errors.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import clean, out
from opsledger.cli.look.task_table import head
from opsledger.cli.look.words import state
from opsledger.cli.rest.client import Answer
from opsledger.cli.rest.commands import Order
from opsledger.cli.rest.view import Step, Task, mapping
from opsledger.cli.task.output import Form, write_answers

_DONE = {
    "retry": "retried",
    "skip": "skipped",
    "cancel": "cancelled",
    "rollback": "rollback begun",
    "delete": "deleted",
}


def tell(done: Sequence[tuple[Order, Answer]], form: Form) -> None:
    """Print them."""
    if form != "table":
        write_answers([answer.data for _, answer in done], form)
        return
    for order, answer in done:
        out().print(_line(out(), order, answer), soft_wrap=True)


def _line(console: Console, order: Order, answer: Answer) -> Text:
    task, step = Task.of(answer.data, answer.timestamp), Step(mapping(answer.data))
    stopping = order.word == "cancel" and (step.status == "CANCELING" if order.step else not task.ended)
    line = Text(f"{'cancelling' if stopping else _DONE[order.word]}  ", style="label")
    if order.step is None:
        line.append_text(head(console, task))
    else:
        line.append(clean(order.step.name), style="head")
        line.append(f"  of task {order.task_id}   ", style="label")
        line.append_text(state(console, step.word if step.status else order.step.word))
    if answer.headers.get("idempotency-replayed") == "true":
        line.append("   done before, under the same key", style="label")
    return line
