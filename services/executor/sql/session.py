"""One session as the event loop sees it: statements in order on one thread, each ended for real when it must end.

A statement ends early because its time is over or because somebody wants the end: the server is asked to kill it, again
and again until it is over, and at last the connection is cut. When `open` is left, however that happens, nothing of it
runs any more: not on the server, as far as that answers, and not here. Refuses to know scripts.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from services.executor.fault import Cancelled
from services.executor.operations.contract import ResultWriter
from services.executor.sql.driver import Column, Driver, Notice, Place, StatementFailed
from services.executor.sql.mysql import MysqlDriver
from services.executor.sql.postgresql import PostgresqlDriver
from services.executor.sql.rows import Pieces
from services.executor.sql.sqlite import SqliteDriver
from services.executor.sql.target import Target
from services.executor.sql.thread import OneThread, aside, finish, gone, unless, wrapped

T = TypeVar("T")

MARGIN: Final = 1.0
"""How long after the server's own limit (s) the client ends a statement."""
ASK_EVERY: Final = 0.5
PATIENCE: Final = 4.0
"""How long the server is asked to end a statement (s) before the connection is cut."""
ABANDON: Final = 2.0
"""How long a connect that nobody wants any more (s) is waited for; it runs nothing, and closes what it gets."""
DRAIN: Final = 0.5
"""How long (s) what is on its way is read, after the server was asked to end a statement."""
END: Final = 10.0

OpenFile = Callable[[], AbstractAsyncContextManager[ResultWriter]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a statement gave. `reference` names the file with its rows; `rows` is how many of them were kept."""

    columns: list[Column] | None = None
    rows: int = 0
    truncated: bool = False
    affected: int | None = None
    extra_sets: int = 0
    reference: dict[str, Any] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)


def drive(target: Target, label: str, seconds: float) -> Driver:
    """Open a session of the target's kind; blocks. Raises faults."""
    match target.dialect:
        case "sqlite":
            return SqliteDriver(target)
        case "postgresql":
            return PostgresqlDriver(target, label, seconds)
        case "mysql":
            return MysqlDriver(target, label, seconds)


class Session:
    """One open session. `seconds` is how long one statement may take; `stop` set means that all shall end."""

    def __init__(self, driver: Driver, thread: OneThread, seconds: float, stop: asyncio.Event) -> None:
        self._driver = driver
        self._thread = thread
        self._seconds = seconds
        self._stop = stop
        self._call: Future[Any] | None = None
        self._asking: Future[None] | None = None
        self._open = False
        self._cancelled = self._overdue = False
        self._cut = False

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target, *, label: str, seconds: float, stop: asyncio.Event) -> AsyncIterator["Session"]:
        """Connect, and close when the block is left. Raises faults, and `Cancelled` when `stop` was set meanwhile."""
        thread = OneThread(f"sql {label}")
        connecting = thread.submit(partial(drive, target, label, seconds))
        try:
            driver = await unless(stop, wrapped(connecting))
        except BaseException:
            connecting.add_done_callback(_close_unwanted)
            thread.end()
            await finish(gone(connecting, thread, ABANDON))
            raise
        session = cls(driver, thread, seconds, stop)
        try:
            yield session
        finally:
            await finish(session._close())

    def place(self) -> Place:
        """Where the session stands between two statements."""
        return self._driver.place()

    async def run(self, sql: str, *, limit: int, file: OpenFile) -> Ran:
        """Run one statement to its end and store at most `limit` rows; the file is whole or not there.

        Raises `StatementFailed`, `Cancelled`, and whatever the file raises (the session is of no use then).
        """
        began = time.monotonic()
        self._overdue, self._open = False, True
        watch = asyncio.create_task(self._watch())
        try:
            ran = await self._run(sql, limit, file)
        except StatementFailed as error:
            failure = error
        else:
            self._open = False
            return ran
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            if self._asking is not None and not self._cut:
                await asyncio.wait({wrapped(self._asking)}, timeout=END)
            self._asking = None
        self._open = False
        if self._cancelled:
            raise Cancelled
        failure = self._explained(failure, time.monotonic() - began)
        if failure.cause != "SESSION_LOST":
            await self._on_thread(self._driver.settle)
        raise failure

    async def _run(self, sql: str, limit: int, file: OpenFile) -> Ran:
        columns = await self._on_thread(partial(self._driver.execute, sql))
        if columns is None:
            affected, extra_sets = self._driver.affected, self._driver.extra_sets
            said = await self._on_thread(self._driver.notices)
            return Ran(affected=affected, extra_sets=extra_sets, notices=said)
        async with file() as writer:
            pieces = Pieces(self._driver, limit)
            piece = await self._on_thread(pieces.next)
            while not pieces.ended:
                following = self._begin(pieces.next)  # the next piece is made while this one travels
                await writer.write(piece)
                piece = await wrapped(following)
                if self._cancelled:  # what is on its way already need not be read
                    raise Cancelled
            if piece:
                await writer.write(piece)
        extra_sets, said = self._driver.extra_sets, await self._on_thread(self._driver.notices)
        return Ran(columns, pieces.rows, pieces.truncated, None, extra_sets, writer.reference, said)

    def _begin(self, work: Callable[[], T]) -> "Future[T]":
        self._call = call = self._thread.submit(work)
        return call

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await wrapped(self._begin(work))

    async def _watch(self) -> None:
        """Wait for a reason to end the statement, then end it."""
        try:
            async with asyncio.timeout(self._seconds + (MARGIN if self._driver.server_cuts else 0.0)):
                await self._stop.wait()
            self._cancelled = True
        except TimeoutError:
            self._overdue = True
        while not self._cut:  # until `run` has seen its end
            await self._end_statement()
            await asyncio.sleep(ASK_EVERY)

    async def _end_statement(self) -> None:
        """Ask until the thread is free, which it is when the driver has raised there what the server answered."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self._asking is None or self._asking.done():
                self._asking = aside(self._driver.interrupt)
            await asyncio.wait({wrapped(self._asking)}, timeout=ASK_EVERY)
            call = self._call
            if call is None or call.done():
                return
            await asyncio.wait({wrapped(call)}, timeout=ASK_EVERY)
        self._cut = True
        self._driver.sever()

    def _explained(self, failure: StatementFailed, took: float) -> StatementFailed:
        over = f"It took longer than its time limit of {self._seconds:g} s and was stopped"
        if self._cut:
            return StatementFailed(f"{over}; the server did not stop it, so the session was cut", "", "SESSION_LOST")
        by_server = failure.cause == "TIMEOUT" or (failure.code == "57014" and took >= self._seconds)
        if failure.cause != "SESSION_LOST" and (by_server or self._overdue):
            return StatementFailed(over, failure.code, "TIMEOUT")
        return failure

    async def _close(self) -> None:
        """End what runs, close, and see the thread go."""
        if self._open:
            await self._end_statement()
            # a server that waits for room to send rows notices a cancel when somebody reads
            await asyncio.wait({wrapped(self._begin(self._driver.discard))}, timeout=DRAIN)
            if self._call is not None and not self._call.done():
                self._driver.sever()
        closing = self._thread.submit(self._driver.close)
        self._thread.end()
        await gone(closing, self._thread, END)


def _close_unwanted(connecting: "Future[Driver]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
