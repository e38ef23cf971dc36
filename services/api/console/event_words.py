"""A task's history in words: who decided what, why, and what became of it. Reads what REST's history shows of a commit.

Knows no page. An event of a type that this version does not know is shown by its type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.api.console.shown import VIA
from shared.task.state import Task

Event = Mapping[str, Any]
Names = Callable[[int], str]

KINDS: Final = {
    "all": "All",
    "commands": "Commands",
    "refused": "Refusals",
    "attempts": "Attempts",
    "failures": "Failures",
}
"""What a history can be narrowed down to, and what that is called."""
MAX_LINES: Final = 20
"""How many events of one decision are shown; a commit may have thousands."""
_COMMANDS: Final = {
    "task.created": ("✚", "created {name}"),
    "task.retried": ("⟳", "retried the task: every failed subtask runs again"),
    "task.skipped": ("⤼", "skipped what failed: every failed subtask counts as done"),
    "task.cancel_requested": ("■", "cancelled the task: nothing new starts, what runs is being stopped"),
    "task.rollback_requested": ("↺", "rolled the task back: what has started is undone in reverse order"),
    "task.deleted": ("⌫", "deleted the task: it is out of the lists, its history stays"),
    "subtask.retried": ("⟳", "was retried: it runs again"),
    "subtask.skipped": ("⤼", "was skipped: it counts as done"),
    "subtask.cancel_requested": ("■", "was cancelled: what it runs is being stopped"),
}
_FAILURES: Final = {
    "task.plan_failed": ("✕", "no plan can be made: {problem}"),
    "subtask.failed": ("✕", "failed: {problem}"),
    "subtask.retry_scheduled": ("◷", "failed and will be tried again by itself: {problem}"),
    "subtask.lost": ("✕", "lost its executor and will run again"),
}
_ATTEMPTS: Final = {
    "subtask.started": ("▶", "{phase} on {executor}, attempt {attempt}"),
    "subtask.succeeded": ("✓", "is done"),
    "subtask.undone": ("↺", "is undone"),
    "subtask.cancelled": ("■", "has stopped, as requested"),
    "subtask.released": ("◌", "was handed back by an executor that is going away"),
}
_OTHERS: Final = {"task.planned": ("◇", "planned {planned}"), "task.finished": ("●", "the task ended: {state}")}
_WORDS: Final = {**_COMMANDS, **_FAILURES, **_ATTEMPTS, **_OTHERS}
_TONES: Final = {"✕": "bad", "✓": "good", "▶": "busy", "◷": "wait", "■": "wait"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `number` and `name` are of its subtask, 0 and empty when it is about the task."""

    icon: str
    tone: str
    text: str
    number: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision: at which log position, when, by whom, why, what it brought about, and why it was refused if so."""

    seq: int
    at: datetime
    who: str
    via: str
    reason: str = ""
    refused: str = ""
    ignored: str = ""
    lines: list[Line] = field(default_factory=list)
    more: int = 0


def entry(shown: Mapping[str, Any], name_of: Names) -> Entry:
    """Return the words for one entry of the history (`rest/live/chain.py`)."""
    by, events = shown.get("by") or {}, shown["events"]
    return Entry(
        seq=shown["seq"],
        at=datetime.fromisoformat(shown["at"]),
        who=_who(by),
        via=VIA.get(by.get("via", ""), by.get("via", "")) if by.get("kind") == "user" else "",
        reason=shown.get("reason", ""),
        refused=_refusal(shown.get("refusal")),
        ignored=_ignored(shown),
        lines=[_line(event, name_of) for event in events[:MAX_LINES]],
        more=max(0, len(events) - MAX_LINES),
    )


def names(task: Task) -> Names:
    """Return how the subtasks of a task are called, by their number."""

    def name_of(number: int) -> str:
        found = task.find(number)
        return found.plan.name if found is not None else f"subtask {number}"

    return name_of


def fits(shown: Mapping[str, Any], kind: str) -> bool:
    """Whether an entry is of this kind, one of `KINDS`."""
    types = {event["type"] for event in shown["events"]}
    match kind:
        case "commands":
            return shown["outcome"] == "refused" or not types.isdisjoint(_COMMANDS)
        case "refused":
            return bool(shown["outcome"] == "refused")
        case "attempts":
            return not types.isdisjoint(_ATTEMPTS) or not types.isdisjoint(_FAILURES)
        case "failures":
            return not types.isdisjoint(_FAILURES)
        case _:
            return True


def sentence(shown: Entry) -> str:
    """Return what one decision was, in a line without markup."""
    if shown.refused:
        return f"{shown.who}: refused, {shown.refused}"
    if not shown.lines:
        return f"{shown.who}: {shown.ignored}"
    first = shown.lines[0]
    about = f"{first.name} " if first.name else ""
    rest = len(shown.lines) + shown.more - 1
    return f"{shown.who}: {about}{first.text}" + (f", and {rest} more" if rest else "")


def _line(event: Event, name_of: Names) -> Line:
    kind, number = event["type"], event.get("subtask", 0)
    icon, text = _WORDS.get(kind, ("·", kind))
    size = len(event.get("subtasks", ()))
    part = f", part {event['part']} of {event['parts']}" if event.get("parts", 1) > 1 else ""
    said = text.format(
        name=event.get("name", ""),
        problem=_first_line((event.get("problem") or {}).get("message", "")),
        phase="is being undone" if event.get("phase") == "undo" else "started",
        executor=event.get("executor", ""),
        attempt=event.get("attempt", ""),
        planned=f"{size} subtask{'' if size == 1 else 's'}{part}",
        state=_ended(event),
    )
    return Line(icon, _TONES.get(icon, "idle"), said, number, name_of(number) if number else "")


def _ended(event: Event) -> str:
    rolled_back = event.get("operation") == "ROLLBACK" and event.get("state") == "SUCCESSFUL"
    return "rolled back" if rolled_back else str(event.get("state", "")).lower()


def _who(by: Event) -> str:
    kind, name = by.get("kind", ""), by.get("name", "")
    return name if kind == "user" or not kind else f"{kind} {name}".strip()


def _refusal(refusal: Event | None) -> str:
    if not refusal:
        return ""
    command = str(refusal.get("command", ""))
    return f"{command}: {refusal.get('message', '')}" if command else str(refusal.get("message", ""))


def _ignored(shown: Mapping[str, Any]) -> str:
    if shown["outcome"] == "unreadable":
        return str(shown["error"]["message"])
    return "This commit is a copy or a stray and changed nothing." if shown["outcome"] == "ignored" else ""


def _first_line(text: Any) -> str:
    lines = str(text).strip().splitlines()
    return lines[0][:500] if lines else ""
