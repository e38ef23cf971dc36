"""One thread for one session: database drivers block, and most of them want to be used by a single thread.

And how the event loop waits for threads, such that none is left behind. Refuses to know what they do.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from services.executor.fault import Cancelled

T = TypeVar("T")


class OneThread:
    """Runs what it is given, one after the other; a daemon, so that a driver that hangs never holds up the process."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have the thread do this next."""
        future: Future[T] = Future()
        self._queue.put((future, work))
        return future

    def end(self) -> None:
        """Let the thread end after what it was given."""
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait for its end; blocks."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while (given := self._queue.get()) is not None:
            future, work = given
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
                future.set_exception(error)
            del future, work, given


async def unless(stop: asyncio.Event, work: "asyncio.Future[T]") -> T:
    """Wait for work, or raise `Cancelled` as soon as somebody wants the end; the work itself goes on."""
    stopping = asyncio.create_task(stop.wait())
    try:
        both: tuple[asyncio.Future[Any], ...] = (work, stopping)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Cancelled
        return work.result()
    finally:
        stopping.cancel()


def wrapped(future: "Future[T]") -> "asyncio.Future[T]":
    """A thread's future for the loop; nobody complains when its error is not looked at."""
    waited_for = asyncio.wrap_future(future)
    waited_for.add_done_callback(lambda done: done.cancelled() or done.exception())
    return waited_for


async def gone(last: "Future[Any]", thread: OneThread, seconds: float) -> None:
    """Wait until the last piece of work is done and its thread has ended, but no longer than so many seconds."""
    await asyncio.wait({wrapped(last)}, timeout=seconds)
    if last.done():
        thread.join(1.0)


def aside(work: Callable[[], None]) -> "Future[None]":
    """Do it on a thread of its own: the session's thread is busy."""
    thread = OneThread("sql interrupt")
    done = thread.submit(work)
    thread.end()
    return done


async def finish(work: Awaitable[None]) -> None:
    """Finish this although we are being cancelled, then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001 - told below
            break
    if cancelled:
        raise asyncio.CancelledError
    task.result()
