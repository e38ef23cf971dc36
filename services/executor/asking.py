"""How operations ask the APIs something: the few subjects that are open to them, and what no answer means."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic_core import to_json

from services.executor.fault import PermanentFault, TransientFault
from services.executor.operations.contract import Ask
from shared.messages import subjects
from shared.runtime.nats import Unanswered, Unreachable

OPEN = frozenset({subjects.BULK_PERFORM})
"""What operations may ask. The API checks in the log that the asking subtask may."""

Requests = Callable[[str, bytes, float], Awaitable[bytes]]
"""Sends a request and waits so many seconds for its answer; raises `Unreachable` or `Unanswered`."""


def ask_through(requests: Requests) -> Ask:
    """Return what contexts ask through."""

    async def ask(subject: str, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        if subject not in OPEN:
            raise PermanentFault(f"'{subject}' is nothing an operation may ask.")
        try:
            answer = json.loads(await requests(subject, to_json(question), seconds))
        except (Unreachable, Unanswered) as problem:
            raise TransientFault(f"No API answers: {problem}.") from problem
        except ValueError as problem:
            raise TransientFault("The answer of the API cannot be read.") from problem
        if not isinstance(answer, dict):
            raise TransientFault("The answer of the API cannot be read.")
        return answer

    return ask
