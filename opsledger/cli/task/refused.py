"""A command that was not carried out: why, and what can be typed instead.

Responsible for: turning a refusal into an error with a next step. Refuses to know: how either is printed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from opsledger.cli.failure import CliError
from opsledger.cli.look.console import clean
from opsledger.cli.look.preview import allowed
from opsledger.cli.rest.commands import Order
from opsledger.cli.rest.trouble import Unreachable
from opsledger.cli.rest.view import text


def refused(order: Order, error: Mapping[str, Any], *, otherwise: CliError | None = None) -> CliError:
    """The error for a refusal; `otherwise` when the API does not say what is allowed now."""
    words = allowed(error)
    if words is None and otherwise is not None:
        return otherwise
    said = clean(text(error.get("message")).partition(" Allowed now:")[0])
    typed = [order.typed(word) for word in words or ()]
    if words is not None and not typed:
        typed = [f"nothing can be done with it as things stand; see: opsledger task show {order.task_id}"]
    return CliError(said or f"task {order.task_id} was left as it is", next_step="\n".join(typed) or None)


def unsure(trouble: Unreachable, key: str, done: Sequence[int]) -> Unreachable:
    """An API that could not be reached in the middle: what is known of the effect, and how to go on safely."""
    before = f"\n    done before: task {', '.join(map(str, done))}" if done else ""
    if trouble.maybe:
        return Unreachable(
            f"{trouble.cause}\n    whether the command took effect is not known{before}",
            next_step=f"repeat it with --key {key}: it takes effect at most once",
            maybe=True,
        )
    return Unreachable(f"{trouble.cause}{before}", next_step=trouble.next_step)
