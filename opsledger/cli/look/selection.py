"""The tasks that a bulk command would be carried out on, and how each would answer.

Refuses to know: how they were selected, and whether the command follows.
"""

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import clean, grid, show
from opsledger.cli.look.preview import INFINITIVE, reason
from opsledger.cli.look.words import count, state
from opsledger.cli.rest.bulk import Selection
from opsledger.cli.rest.view import Task

SHOWN_AT_MOST = 10


def print_selection(console: Console, word: str, found: Selection, *, everything: bool) -> None:
    """How many, how many of those looked at would be refused, and the newest of them or all that were looked at."""
    console.print(_title(word, found), soft_wrap=True)
    shown = found.previews if everything else found.previews[:SHOWN_AT_MOST]
    if shown:
        table = grid("  task", "name", "now", "answer", right=("  task",), wide="answer")
        for preview in shown:
            table.add_row(
                str(preview.task_id),
                Text(clean(preview.name)),
                state(console, Task.of(preview.json).word),
                Text("would be done", style="good") if preview.accepted else Text(reason(preview), style="warn"),
            )
        show(console, table)
    if (more := found.count - len(shown)) > 0:
        console.print(Text(f"  and {more:,} more", style="label"))


def _title(word: str, found: Selection) -> Text:
    newest = "" if found.json.get("exact", True) else "the newest "
    line = Text.assemble((f"{INFINITIVE[word]}  ", "label"), (f"{newest}{count(found.count, 'task')}", "head"))
    refused = sum(not preview.accepted for preview in found.previews)
    if refused:
        of_some = "" if len(found.previews) == found.count else f" of the {len(found.previews)} looked at"
        line.append(f"   {refused}{of_some} would be refused as things stand", style="warn")
    return line
