"""What a command would do, before it does it: in one line, or in full.

Responsible for: the words of a dry run. Refuses to know: who asked for it, and whether the command follows.
"""

from collections import Counter

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import clean, grid, show
from opsledger.cli.look.words import count, state
from opsledger.cli.rest.commands import Order, Preview
from opsledger.cli.rest.view import Step, text

LISTED_AT_MOST = 15
INFINITIVE = {"retry": "retry", "skip": "skip", "cancel": "cancel", "rollback": "roll back", "delete": "delete"}
_EVENTS = {
    "task.retried": "every failed step runs again",
    "task.skipped": "every failed step counts as done",
    "task.cancel_requested": "nothing new starts, and what runs is stopped",
    "task.rollback_requested": "what has started is undone, the last step first",
    "task.deleted": "the task leaves the lists; its history stays",
    "subtask.retried": "the step runs again",
    "subtask.skipped": "the step counts as done",
    "subtask.cancel_requested": "the step is stopped",
    "task.finished": "the task ends at once",
}


def brief(console: Console, order: Order, name: str, preview: Preview) -> Text:
    """One line: which task, from which state to which, and how many steps that touches at once."""
    line = subject(order, name)
    line.append("   ")
    if not preview.accepted:
        line.append(reason(preview), style="warn")
        return line
    line.append_text(_change(console, preview))
    if touched := touches(preview.changes):
        line.append(f"   {touched}", style="label")
    return line


def print_full(console: Console, order: Order, name: str, preview: Preview) -> None:
    """The dry run: what would change, in words, and every step that would look different at once."""
    title = Text.assemble(("dry run", "label"), f"  {INFINITIVE.get(order.word, order.word)}  ")
    title.append_text(subject(order, name))
    console.print(title, soft_wrap=True)
    if not preview.accepted:
        console.print(Text.assemble("  ", ("would be refused: ", "warn"), reason(preview)), soft_wrap=True)
        print_allowed(console, order, preview.refusal)
        return
    line = Text("  ")
    line.append_text(_change(console, preview))
    line.append("   " + in_words(preview), style="label")
    console.print(line, soft_wrap=True)
    _print_changes(console, preview.changes)


def print_allowed(console: Console, order: Order, refusal: object) -> None:
    """After a refusal: what can be typed instead."""
    words = allowed(refusal)
    if words is None:
        return
    lines = [order.typed(word) for word in words] or ["nothing, as things stand"]
    for place, line in enumerate(lines):
        console.print(Text.assemble(("  allowed now: " if not place else " " * 15, "label"), line), soft_wrap=True)


def allowed(refusal: object) -> list[str] | None:
    """The words of the commands that a refusal names as legal; None when it names none."""
    target = refusal.get("target") if isinstance(refusal, dict) else None
    words = target.get("allowed") if isinstance(target, dict) else None
    return [clean(str(word)) for word in words] if isinstance(words, list) else None


def subject(order: Order, name: str) -> Text:
    """Which task, or which step of which task."""
    line = Text()
    if order.step is not None:
        line.append(clean(order.step.name), style="head")
        line.append("  of ", style="label")
    line.append(clean(name) or "task", style="" if order.step else "head")
    line.append(f"  task {order.task_id}", style="label")
    return line


def reason(preview: Preview) -> str:
    """Why it would be refused, without the list of what is allowed."""
    return clean(text(preview.refusal.get("message")).partition(" Allowed now:")[0]) or "it would be refused"


def in_words(preview: Preview) -> str:
    """The events as sentences, each once."""
    kinds = dict.fromkeys(text(event.get("type")) for event in preview.events)
    return "; ".join(_EVENTS.get(kind, clean(kind)) for kind in kinds)


def touches(changes: list[tuple[Step, Step]]) -> str:
    """How many steps would be in which state at once: `1 step skipped, 2 ready`."""
    counts = Counter(after.word for _, after in changes)
    return ", ".join(
        f"{number:,} {word}" if place else f"{count(number, 'step')} {word}"
        for place, (word, number) in enumerate(counts.items())
    )


def _change(console: Console, preview: Preview) -> Text:
    before, after = state(console, preview.before.word), state(console, preview.after.word)
    return before if before == after else Text.assemble(before, (" → ", "label"), after)


def _print_changes(console: Console, changes: list[tuple[Step, Step]]) -> None:
    if not changes:
        return
    table = grid("step", "now", "then")
    for before, after in changes[:LISTED_AT_MOST]:
        table.add_row("  " + clean(after.name), state(console, before.word), state(console, after.word))
    table.columns[0].header = "  step"
    show(console, table)
    if len(changes) > LISTED_AT_MOST:
        console.print(Text(f"  and {count(len(changes) - LISTED_AT_MOST, 'step')} more", style="label"))
