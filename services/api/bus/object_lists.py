"""Asks an executor what object lists a synchronisation has written: executors reach the destination, APIs do not."""

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import ValidationError

from shared.messages import subjects
from shared.messages.object_lists import ListAnswer, ListQuestion
from shared.runtime.nats import Unanswered, Unreachable, request

SECONDS = 10.0
"""How long an answer is waited for; an executor gives up on the destination before."""


class NobodyAnswers(Exception):  # noqa: N818  a fact about the installation
    """No executor of the pool answers, or not in time; the message says it."""


class ObjectLists:
    """Questions over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, pool: str, question: ListQuestion) -> ListAnswer:
        """Return what an executor of the pool says. Raises `NobodyAnswers`."""
        body = question.model_dump_json(exclude_none=True).encode()
        try:
            answer = await request(self._client, subjects.object_lists(pool), body, timeout=SECONDS)
            return ListAnswer.model_validate_json(answer)
        except (Unreachable, Unanswered, NatsError, ValidationError) as error:
            raise NobodyAnswers(f"No executor of the pool {pool} answers.") from error
