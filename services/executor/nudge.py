"""What the API tells this executor over `nudge.<incarnation>`: look at a task now; take no new work; take work again.

Reads bodies, does nothing. A nudge may be lost: whoever sends one looks at what came of it (`liveness.py`).
"""

import json
from dataclasses import dataclass
from typing import Final

MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the claims on this task: somebody asked to cancel it."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new work (`on`), or take work again; `by` is who wants it."""

    on: bool
    by: str


def read(body: bytes) -> Look | Drain:
    """Return what a nudge says: `{"task": id}` or `{"drain": bool, "by": name}`. Raises `ValueError`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("no JSON") from error
    if not isinstance(said, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  a fact about the message, as all of these
    drain = said.get("drain")
    if isinstance(drain, bool):
        return Drain(drain, str(said.get("by", ""))[:MAX_NAME])
    task = said.get("task")
    if not isinstance(task, int) or isinstance(task, bool):
        raise ValueError("neither a task nor a wish to drain")  # noqa: TRY004
    return Look(task)
