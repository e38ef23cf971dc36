"""What the world did to an operation: faults are facts about it, never about our own code.

```text
Fault
├── TransientFault   may go away by itself (a refused connection, a full queue): an automatic retry makes sense
├── PermanentFault   will be the same next time (no such program, forbidden address): a person has to change something
└── Cancelled        somebody asked for the end and the operation stopped
```

Anything else that an operation raises means that its code is wrong. Refuses to know what becomes of a fault:
`attempt.py` maps it to an outcome, once.
"""

from collections.abc import Mapping
from typing import Any


class Fault(Exception):  # noqa: N818 - the house word for what the world did; "error" is what we did
    """`message` is one line a person can act on; `detail` is JSON-able and goes into the task's history."""

    __slots__ = ("detail", "message")

    def __init__(self, message: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, Any] = dict(detail) if detail else {}


class TransientFault(Fault):
    """The world failed and may recover by itself."""


class PermanentFault(Fault):
    """The world failed and will fail the same way again."""


class Cancelled(Fault):
    """The operation stopped because it was asked to."""

    def __init__(self, message: str = "Cancelled.", detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, detail)
