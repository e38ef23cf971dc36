"""Asks an executor what plan a task type would make, before the task is created. Whoever answers stores nothing."""

from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import ValidationError
from pydantic_core import to_json

from shared.messages import subjects
from shared.messages.foresee import Outlook
from shared.runtime.logging import get
from shared.runtime.nats import Unanswered, Unreachable, request

SECONDS = 3.0
"""How long an answer is waited for: somebody looks at a page meanwhile."""
TRIES = 5
"""Executors of one pool may have different types; how many are asked."""

log = get(__name__)


class Foresight:
    """Questions over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def outlook(self, name: str, params: dict[str, Any], pool: str) -> Outlook | None:
        """Return what plan the type would make of these parameters; None when no executor of the pool answers."""
        question, why = to_json({"type": name, "params": params}), "who answered does not have the type"
        for _ in range(TRIES):
            try:
                answer = await request(self._client, subjects.foresee(pool), question, timeout=SECONDS)
                found = Outlook.model_validate_json(answer)
            except (Unreachable, Unanswered, NatsError, ValidationError) as problem:
                why = str(problem)[:200]
                break
            if found.known:
                return found
        log.info("nobody told a plan", type=name, pool=pool, why=why)
        return None
