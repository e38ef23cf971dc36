"""The words and marks that states, durations and times get on a terminal.

Responsible for: one state, one word, one mark, one colour, everywhere; colour never stands without the word.
Refuses to know: what has that state.
"""

from datetime import datetime

from rich.console import Console
from rich.text import Text

_LOOKS = {
    "successful": ("✔", "good"),
    "failed": ("✖", "bad"),
    "rollback failed": ("✖", "bad"),
    "undo failed": ("✖", "bad"),
    "cancelled": ("⊘", "warn"),
    "canceling": ("⊘", "warn"),
    "running": ("●", "live"),
    "rolling back": ("◀", "live"),
    "to be undone": ("○", ""),
    "rolled back": ("↶", "warn"),
    "retry waits": ("↻", "warn"),
    "skipped": ("↷", "quiet"),
    "ready": ("○", ""),
    "initializing": ("○", ""),
    "pending": ("·", "quiet"),
}
ORDER = tuple(_LOOKS)
"""States from what people look for first."""


def state(console: Console, word: str) -> Text:
    """A state with its mark, when the terminal can show it."""
    mark, style = _LOOKS.get(word, ("?", ""))
    return Text(f"{mark} {word}" if _can_draw(console) else word, style=style)


def _can_draw(console: Console) -> bool:
    return console.is_terminal and not console.legacy_windows and console.encoding.startswith("utf")


def span(seconds: float | None) -> str:
    """A duration in at most two units: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clock(at: datetime | None, now: datetime) -> str:
    """A time of today by the clock, an older one with its date; the reader's time zone."""
    if at is None:
        return ""
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M:%S}"


def count(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
