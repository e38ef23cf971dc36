"""The desk: a message in, an answer out. Decides through `Commands`, as every other door does, and tells the answer.

Commands of one task are decided in the order in which this process took them up; between processes there is no order.
Knows how to answer, not where messages come from.
"""

import asyncio
from contextlib import nullcontext
from weakref import WeakValueDictionary

from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.api.asked import Done
from services.api.bus.message import Message
from services.api.bus.order import VIA, Denied, Order, SecretOf, Unfit, key_of, read, unfit
from services.api.bus.shapes import Answer, AnswerError
from services.api.commands import Commands
from services.api.failure import Failure, failure_of
from services.api.invalid import Invalid
from shared.log.port import CommitTooLarge
from shared.messages import subjects
from shared.runtime.logging import get
from shared.task.refusals import PlanInvalid, Refusal

log = get(__name__)


class Desk:
    """Decides what messages ask for, and answers. One per process."""

    def __init__(self, client: Client, commands: Commands, secret_of: SecretOf) -> None:
        # The client itself publishes: FastStream's metrics would keep a series for every inbox and every task.
        self._client = client
        self._commands = commands
        self._secret_of = secret_of
        self._lanes: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self.decided = 0
        self.refused = 0

    async def decide(self, message: Message) -> Answer:
        """Return how the command was decided, refusals included.

        Raises `Unfit` when nobody can carry it out, one of `OUTAGES` when the world is in the way.
        """
        key = key_of(message)
        task_id: int | None = None
        try:
            order = read(message, self._secret_of)
            task_id = order.task_id
            async with self._lane(task_id) or nullcontext():
                done = await self._commands.perform(order.command, order.asked)
        except (Invalid, PlanInvalid, CommitTooLarge) as error:
            raise unfit(error) from None
        except Denied as denied:
            log.warning("denied", status=denied.failure.status, who=denied.name, via=VIA, command=message.word)
            answer = refusal(denied.failure, message.word, key, task_id)
        except Refusal as error:
            failure = failure_of(error)
            assert failure is not None  # noqa: S101  it knows all refusals
            answer = refusal(failure, message.word, key, task_id)
        else:
            answer = acceptance(done, order)
        self.decided += 1
        self.refused += answer.error is not None
        return answer

    async def tell(self, message: Message, answer: Answer) -> None:
        """Send the answer where the producer wants it, and to whoever follows the results.

        At most once; a lost one is asked for again with the key. Whatever goes wrong is only logged.
        """
        body = answer.encode()
        for subject in filter(None, (message.reply_to, subjects.result(answer.task or 0))):
            try:
                await self._client.publish(subject, body)
            except (NatsError, OSError) as problem:
                log.warning("answer not sent", seq=message.seq, why=str(problem))

    def _lane(self, task_id: int | None) -> asyncio.Lock | None:
        return self._lanes.setdefault(task_id, asyncio.Lock()) if task_id is not None else None


def acceptance(done: Done, order: Order) -> Answer:
    """Return the answer to a command that was carried out; a repeated one gets the first one's status."""
    return Answer(
        status=201 if order.word == "create" else 200,
        command=order.word,
        key=order.asked.key,
        task=done.task.id,
        seq=done.seq,
        state=done.task.state.value,
        version=done.task.version,
        replayed=done.replayed or None,
    )


def refusal(failure: Failure, word: str, key: str | None, task_id: int | None = None) -> Answer:
    """Return the answer to a command that was not carried out."""
    return Answer(status=failure.status, command=word[:100], key=key, task=task_id, error=AnswerError.of(failure))


def told(message: Message, problem: Unfit) -> Answer:
    """Return the answer to a message that was set aside."""
    return refusal(problem.failure, message.word, key_of(message))
