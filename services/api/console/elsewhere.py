"""Who acted on a task last, in words: what a reader is told whose page was older than the task. Reads the log."""

from datetime import datetime
from typing import Any, Final

from starlette.requests import Request

from services.api.console.span import ago
from services.api.rest.policy import principal
from services.api.rest.ports import api
from shared.runtime.clock import now

LOOKED: Final = 200
"""How many commits back somebody is looked for."""
DID: Final = {
    "task.retried": "retried the task",
    "task.skipped": "skipped what had failed",
    "task.cancel_requested": "cancelled the task",
    "task.rollback_requested": "began to roll it back",
    "task.deleted": "deleted the task",
    "subtask.retried": "retried subtask {subtask}",
    "subtask.skipped": "skipped subtask {subtask}",
    "subtask.cancel_requested": "cancelled subtask {subtask}",
}
"""What an operator's event says somebody did."""


async def last_act(request: Request, task_id: int) -> str:
    """Return who did what, when and why, the last time that somebody acted. Raises `LogUnavailable`."""
    page = await api(request).live.histories.before(task_id, None, LOOKED)
    for _, entries in reversed(page.contents):
        for entry in reversed(entries):
            for event in entry["events"]:
                if entry["outcome"] == "accepted" and event["type"] in DID:
                    return _told(entry, event, principal(request).name)
    return "The task has changed since you opened this."


def _told(entry: dict[str, Any], event: dict[str, Any], me: str) -> str:
    who = entry["by"]["name"]
    when = ago(datetime.fromisoformat(entry["at"]), now())
    what = DID[event["type"]].format(subtask=event.get("subtask"))
    why = f": {entry['reason']}" if entry.get("reason") else ""
    someone = "You acted elsewhere" if who == me else "Someone else acted"
    return f"{someone} {when}: {who} {what}{why}."
