"""Times and durations as people read them. A page says when it was drawn; the browser keeps what is relative fresh."""

from datetime import UTC, datetime

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def iso(at: datetime) -> str:
    """Return the time in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago it was: `just now`, `42 s ago`, `5 min ago`, `3 h ago`, `12 d ago`; `in 42 s` for later."""
    seconds = (now - at).total_seconds()
    if -1 < seconds < 5:
        return "just now"
    text = _rough(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def _rough(seconds: float) -> str:
    for size, word in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)} {word}"
    return f"{int(seconds)} s"


def lasted(began: datetime | None, ended: datetime | None, now: datetime) -> str:
    """Return how long something took, or has taken so far: `31 ms`, `4.2 s`, `1 min 12 s`, `1 h 02 min`."""
    if began is None:
        return ""
    seconds = max(0.0, ((ended or now) - began).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
