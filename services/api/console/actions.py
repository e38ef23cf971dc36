"""What somebody may do with a task or a subtask now, and why not the rest. Each is a link to its dialog.

One that is not lawful leads there as well: the dialog says why, to those who cannot hover and before anybody tries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from services.api.access import COMMANDS
from services.api.asked import SUBTASK_WORDS
from services.api.console.lawful import why_not, why_not_subtask
from services.api.console.task_shown import Shown
from services.api.creation import BULK
from services.api.rest.policy import principal

WORDS: Final = {"retry": "Retry", "skip": "Skip", "rollback": "Roll back", "cancel": "Cancel", "delete": "Delete"}
OF_TASK: Final = {**WORDS, "skip": "Skip failed"}
"""What the buttons of a task say: a task is never skipped, only what failed of it."""
KEYS: Final = {"retry": "R", "skip": "S", "cancel": "C"}
"""What to press with Shift, on the task's page."""
MEANS: Final = {
    "retry": "Run again what failed",
    "skip": "Count what failed as done",
    "rollback": "Undo what has started, the last first",
    "cancel": "Stop what runs; nothing new starts",
    "delete": "Take it out of the lists; its history stays",
}
PAST: Final = "This is the past: go back to now to act."


@dataclass(frozen=True, slots=True)
class Action:
    """A button. `why`: why it is not lawful now, empty when it is; `hint` is what it means, or why not."""

    name: str
    word: str
    href: str
    why: str
    hint: str
    key: str = ""
    first: bool = False
    asks: bool = True
    """It opens a dialog; from the past it leads to now."""


def of_task(found: Shown) -> list[Action]:
    """Return the buttons of the task."""
    return _actions(found, OF_TASK, f"/tasks/{found.task.id}", lambda word: why_not(found.task, word), KEYS)


def of_subtask(found: Shown) -> list[Action]:
    """Return the buttons of the chosen subtask."""
    chosen = found.chosen
    if chosen is None:
        return []
    where = f"/tasks/{found.task.id}/subtasks/{chosen.number}"
    words = {word: WORDS[word] for word in SUBTASK_WORDS}
    return _actions(found, words, where, lambda word: why_not_subtask(found.task, chosen, word), {})


def _actions(
    found: Shown, words: dict[str, str], where: str, why_not_: Callable[[str], str], keys: dict[str, str]
) -> list[Action]:
    who, acts = principal(found.request), []
    for name, label in words.items():
        why = PAST if found.past else why_not_(name)
        if not who.may(COMMANDS[name]):
            why = f"Your role {who.role.value} may not {WORDS[name].lower()}."
        href = found.address(at=None) if found.past else f"{where}/{name}"
        hint = why or MEANS[name] + (f" (Shift+{keys[name]})" if name in keys else "")
        first = name == "retry" and name in keys and not why
        key = keys.get(name, "")
        acts.append(Action(name, label, href, why, hint, key, first=first, asks=not found.past))
    return acts


def again(found: Shown) -> str | None:
    """Return where to create another task like this one; None for a bulk command, and for who may not create."""
    if found.task.type.startswith(BULK) or not principal(found.request).may(COMMANDS["create"]):
        return None
    return f"/create/{quote(found.task.type, safe='')}?like={found.task.id}"
