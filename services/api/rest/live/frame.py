"""Server-sent events as bytes. Knows the format and our words for events, nothing of where they come from."""

from typing import Any, Final

from pydantic_core import to_json

BEAT: Final = b": beat\n\n"
"""A comment: nothing new, the connection lives."""
RETRY: Final = b"retry: 1000\n\n"
"""How long (ms) a browser waits before it comes back."""


def frame(event: str, data: Any, id_: int | str | None = None) -> bytes:
    """Return one event. JSON has no line breaks, so `data` is one line."""
    head = f"id: {id_}\n" if id_ is not None else ""
    return f"{head}event: {event}\ndata: ".encode() + to_json(data, inf_nan_mode="null") + b"\n\n"


def opened(seq: int) -> bytes:
    """Return what a stream begins with: everything behind `seq` follows."""
    return RETRY + frame("open", {"seq": seq}, seq)


def reset(seq: int, reason: str) -> bytes:
    """Return what says that the wanted position cannot be replayed: read anew; everything behind `seq` follows."""
    return frame("reset", {"seq": seq, "reason": reason}, seq)


def position(seq: int) -> bytes:
    """Return what says that up to `seq` there was nothing to see: where to go on from after a break."""
    return frame("position", {"seq": seq}, seq)
