"""Blocking work on a thread of its own, with an end: a cancel, or the loss of the lease, stops it before this returns.

A thread of its own, since the loop's shared ones are few and this work is long. The loop goes on beside it: the
interpreter hands over every 5 ms, which heartbeats never notice.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

from services.executor.fault import Cancelled
from services.executor.mock.fill import Tell
from services.executor.mock.session import Session
from services.executor.mock.sessions import session_on
from services.executor.operations.contract import Context
from services.executor.sql.target import Target

T = TypeVar("T")
AGAIN_SECONDS = 0.3
"""A statement that begins just after an interrupt gets another one."""


class Work:
    """One session on one thread."""

    def __init__(self, ctx: Context, target: Target) -> None:
        self._ctx, self._target = ctx, target
        self._stop = Event()
        self._session: Session | None = None
        self._connected = False

    async def run(self, work: Callable[[Session, Tell], T]) -> T:
        """Do the work. When somebody wants the end, stop it; a result that came all the same counts."""
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, "mock")
        doing: asyncio.Future[Any] = loop.run_in_executor(pool, self._work, work, self._tell(loop))
        doing.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits for it
        asked: asyncio.Future[Any] = asyncio.create_task(self._ctx.cancelled.wait())
        lost: asyncio.CancelledError | None = None
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            lost = error
        asked.cancel()
        while not doing.done() and not self._still_connecting():
            try:
                await self._interrupt(doing)
            except asyncio.CancelledError as error:
                lost = error
        pool.shutdown(wait=False)
        if lost is not None and (not doing.done() or doing.exception() is not None):
            raise lost
        if not doing.done():
            raise Cancelled
        result: T = doing.result()
        return result

    def _still_connecting(self) -> bool:
        """Say stop; True when there is no session yet. Then there will be none: the thread closes what it gets."""
        self._stop.set()
        return not self._connected

    async def _interrupt(self, doing: "asyncio.Future[Any]") -> None:
        session = self._session
        if session is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself, or the server be gone
                await asyncio.wait_for(asyncio.to_thread(session.interrupt), 5)
        await asyncio.wait({doing}, timeout=AGAIN_SECONDS)

    def _work(self, work: Callable[[Session, Tell], T], tell: Tell) -> T:
        session = session_on(self._target, f"opsledger mock {self._ctx.task_id}")
        try:
            self._session, self._connected = session, True
            if self._stop.is_set():
                raise Cancelled
            return work(session, tell)
        finally:
            self._session = None
            with contextlib.suppress(Exception):  # a connection that is gone took its transaction with it
                session.close()

    def _tell(self, loop: asyncio.AbstractEventLoop) -> Tell:
        ctx = self._ctx
        return Tell(
            progress=lambda fraction, note: _on(loop, ctx.progress, fraction, note),
            info=lambda text: _on(loop, ctx.log.info, text),
            stop=self._stop,
        )


def _on(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *values: object) -> None:
    loop.call_soon_threadsafe(call, *values)
