"""What somebody may do with a task now, and why not the rest."""

from typing import Any, Final

from services.api.access import COMMANDS
from services.api.console.task_shown import Shown
from services.api.rest.policy import principal
from shared.task.allowed import allowed_on_task

WORDS: Final = {
    "retry": "Retry",
    "skip": "Skip",
    "rollback": "Roll back",
    "cancel": "Cancel",
    "delete": "Delete",
}


def of_task(found: Shown) -> list[dict[str, Any]]:
    """Return the buttons of a task: each with the address of its dialog, or the reason why it is not lawful now."""
    lawful = allowed_on_task(found.task)
    who = principal(found.request)
    acts = []
    for word, label in WORDS.items():
        why = ""
        if found.past:
            why = "This is the past: leave it to act."
        elif not who.may(COMMANDS[word]):
            why = f"Your role {who.role.value} may not {word}."
        elif word not in lawful:
            why = f"Not while the task is {found.task.state.value.lower()}."
        href = f"/tasks/{found.task.id}/{word}"
        acts.append({"word": label, "name": word, "why": why, "href": href, "first": word == "retry" and not why})
    return acts
