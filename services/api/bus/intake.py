"""Command intake: takes `commands.*` from the stream, has the desk decide, answers, and acknowledges last.

At least once in, effects once: every command has a key, so a message that is taken again gets the first answer again.
The world in the way: the message goes back with a delay and nothing is lost. What nobody can carry out is set aside
with its reason and never blocks the next. Knows no command by name.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from prometheus_client.core import Metric

from services.api.bus.desk import Desk, told
from services.api.bus.message import Message
from services.api.bus.order import Unfit
from services.api.bus.pull import Pull
from services.api.bus.set_aside import AsideUnavailable, SetAside
from services.api.failure import OUTAGES, Failure
from services.api.identity.limits import Pace
from services.api.numbers import counter, gauge
from shared.runtime.failpoint import hit
from shared.runtime.logging import get

SLOTS: Final = 16
"""How many commands one process decides at once."""
BACK_SECONDS: Final = 1.0
"""After an outage a command comes back not before this, doubled with every delivery up to `MOST_SECONDS`."""
MOST_SECONDS: Final = 15.0
FAULTS: Final = 5
"""How often a command may meet a fault of ours before it is set aside."""
STOP_SECONDS: Final = 2.0

log = get(__name__)


class Intake:
    """Takes commands for one process."""

    def __init__(self, client: Client, desk: Desk, aside: SetAside, *, ack_wait: float) -> None:
        self._client = client
        self._desk = desk
        self._aside = aside
        self._pull = Pull(client, ack_wait=ack_wait, free=self._free, take=self._take)
        self._running: set[asyncio.Task[None]] = set()
        self._pause_until = 0.0
        self._lines, self._unwritten = Pace(rate=10, burst=50), 0
        self.set_aside = 0
        self.given_back = 0

    async def run(self) -> None:
        """Take commands until cancelled, then finish or give back what is in hand."""
        try:
            await self._pull.run()
        finally:
            if self._running:
                await asyncio.wait(self._running, timeout=STOP_SECONDS)
            for job in self._running:
                job.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def numbers(self) -> Iterator[Metric]:
        """Yield what this process counts."""
        yield counter("bus_commands", "Commands of the bus decided.", self._desk.decided)
        yield counter("bus_commands_refused", "Commands of the bus refused.", self._desk.refused)
        yield counter("bus_set_aside", "Messages of the bus set aside.", self.set_aside)
        yield counter("bus_given_back", "Deliveries given back, for a later try.", self.given_back)
        yield gauge("bus_running", "Commands of the bus in hand.", len(self._running))
        yield gauge("bus_bound", "Whether commands can be taken from the bus.", float(self._pull.bound))

    def _free(self) -> int:
        return 0 if monotonic() < self._pause_until else SLOTS - len(self._running)

    def _take(self, delivery: Msg, stamp: str) -> None:
        job = asyncio.create_task(self._carry_out(delivery, stamp))
        self._running.add(job)
        job.add_done_callback(self._over)

    def _over(self, job: asyncio.Task[None]) -> None:
        self._running.discard(job)
        self._pull.wake()
        if not job.cancelled() and job.exception() is not None:
            log.error("a command was left; it comes back", exc_info=job.exception())

    async def _carry_out(self, delivery: Msg, stamp: str) -> None:
        message = Message.of(delivery)
        try:
            answer = await self._desk.decide(message)
        except Unfit as problem:
            if problem.reason == "unknown_producer" and message.delivered == 1:
                await self._give_back(delivery, BACK_SECONDS)  # its access key may be too new for this process
                return
            await self._put_aside(delivery, message, stamp, problem)
        except OUTAGES as problem:
            self._hold(problem)
            await self._give_back(delivery, delay(message.delivered))
        except asyncio.CancelledError:
            await self._give_back(delivery, 0.0)
            raise
        except Exception as error:  # we are wrong
            log.exception("a command met a fault of ours", seq=message.seq, delivered=message.delivered)
            if message.delivered < FAULTS:
                await self._give_back(delivery, delay(message.delivered))
                return
            failure = Failure(500, 1000, "Something went wrong here; an administrator can see the message.")
            await self._put_aside(delivery, message, stamp, Unfit("fault", type(error).__name__, failure))
        else:
            hit("api.bus.before_answer")
            await self._desk.tell(message, answer)
            hit("api.bus.before_ack")
            await self._say(delivery, b"+ACK")

    async def _put_aside(self, delivery: Msg, message: Message, stamp: str, problem: Unfit) -> None:
        try:
            await self._aside.put(message, stamp, problem.reason, problem.why)
        except AsideUnavailable as unavailable:
            self._hold(unavailable)
            await self._give_back(delivery, delay(message.delivered))
            return
        self.set_aside += 1
        self._note(message, problem)
        await self._desk.tell(message, told(message, problem))
        await self._say(delivery, b"+ACK")

    def _note(self, message: Message, problem: Unfit) -> None:
        """Write a line, unless there were too many; the next one says how many went unwritten."""
        if self._lines.take("") < 0:
            self._unwritten += 1
            return
        log.warning(
            "a message of the bus was set aside",
            seq=message.seq,
            reason=problem.reason,
            why=ascii(problem.why),
            **({"unwritten": self._unwritten} if self._unwritten else {}),
        )
        self._unwritten = 0

    def _hold(self, problem: Exception) -> None:
        """Take nothing new for a moment: what is away for one command is away for the next."""
        if monotonic() >= self._pause_until:
            log.warning("commands of the bus wait", why=str(problem))
        self._pause_until = monotonic() + BACK_SECONDS

    async def _give_back(self, delivery: Msg, seconds: float) -> None:
        self.given_back += 1
        await self._say(delivery, b'-NAK {"delay": %d}' % max(1, int(seconds * 1e9)))

    async def _say(self, delivery: Msg, word: bytes) -> None:
        with suppress(NatsError, OSError):  # the message comes back after AckWait
            await self._client.publish(delivery.reply, word)


def delay(delivered: int) -> float:
    """Return after how many seconds a message is tried again: doubling, bounded, never all at once (T21)."""
    most: float = min(MOST_SECONDS, BACK_SECONDS * 2 ** min(10, delivered - 1))
    return most * random.uniform(0.75, 1.0)  # noqa: S311  jitter, no secret
