"""One contained command: how it ended, orders to its init, and the wait until its whole tree is dead.

Responsible for `Exit` and `attend`. Refuses to know who started the command and whose lease keeps it alive:
`processes.py`.
"""

import asyncio
import os
import signal
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

Stream = Literal["stdout", "stderr"]
Containment = Literal["namespace", "tree"]
EndReason = Literal["exited", "timeout", "cancelled", "killed", "beats"]
OnData = Callable[[Stream, bytes], Awaitable[None]]

CHUNK = 64 * 1024
_KILL_PATIENCE = 3.0
_LAST_WORDS = 1.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended: `code` or `signal`, why, under which containment, and after how many seconds."""

    code: int | None
    signal: int | None
    reason: EndReason
    containment: Containment
    seconds: float

    @property
    def timed_out(self) -> bool:
        """Whether it was ended because its time was up."""
        return self.reason == "timeout"

    @property
    def cancelled(self) -> bool:
        """Whether it was ended because somebody asked for it."""
        return self.reason == "cancelled"


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


class Child:
    """One command with its init: what was said over the control socket, and how to give orders."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self.process = process
        self.control = control
        # Not `process.kill`: it reaps on the way, behind the back of asyncio's own watcher.
        self.pidfd = _pidfd(process.pid)
        self.level: Containment = "tree"
        self.error: str | None = None
        self.code: int | None = None
        self.signal: int | None = None
        self.reason: EndReason = "exited"
        self.gone = asyncio.Event()

    def order(self, order: bytes) -> None:
        """Tell the init; if it cannot listen, its own clock and our end of the socket still work."""
        with suppress(OSError):
            self.control.send(order + b"\n")

    def kill(self) -> None:
        """Have the tree killed now. Its init does it, and ends when nobody is left, so its end is the tree's."""
        self.order(b"K")

    def kill_init(self) -> None:
        """Kill an init that does not obey; a namespace dies with it, moments later."""
        if self.pidfd is not None and not self.gone.is_set():
            with suppress(OSError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the descriptors; to the init the end of the socket means: kill."""
        self.gone.set()
        self.control.close()
        if self.pidfd is not None:
            os.close(self.pidfd)

    async def listen(self) -> None:
        """Read what the init says until it is gone."""
        loop = asyncio.get_running_loop()
        pending = b""
        with suppress(ConnectionError):
            while data := await loop.sock_recv(self.control, 4096):
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    word, _, rest = line.decode(errors="replace").partition(" ")
                    self._hear(word, rest)
        await self.process.wait()

    def _hear(self, word: str, rest: str) -> None:
        match word:
            case "level":
                self.level = "namespace" if rest == "namespace" else "tree"
            case "error":
                self.error = rest
            case "exit":
                self.code = int(rest)
            case "signal":
                self.signal = int(rest)
            case "reason":
                self.reason = "beats"
            case _:
                pass

    async def end(self, listener: asyncio.Task[None], grace: float | None) -> None:
        """TERM to the tree, KILL after `grace` seconds (None: KILL at once); returns when all of it is dead."""
        gently = () if grace is None else ((b"T", grace),)
        for order, patience in (*gently, (b"K", _KILL_PATIENCE)):
            if not listener.done():
                self.order(order)
                await asyncio.wait({listener}, timeout=patience)
        if listener.done():
            return
        self.kill_init()
        await asyncio.wait({listener})


async def attend(
    child: Child,
    stdin: bytes | None,
    timeout: float | None,  # noqa: ASYNC109 - the child's, not the coroutine's
    grace: float,
    cancel: asyncio.Event | None,
    on_data: OnData | None,
) -> None:
    """Pump, wait for the end or make one, and leave only when the tree is dead, whatever happens here."""
    listener = asyncio.create_task(child.listen())
    pumps = asyncio.gather(*_pumps(child.process, stdin, on_data))
    asked = asyncio.create_task(cancel.wait()) if cancel is not None else None
    events = {task for task in (listener, pumps, asked) if task is not None}
    due = None if timeout is None else time.monotonic() + timeout
    try:
        while not listener.done():
            left = None if due is None else max(0.0, due - time.monotonic())
            done, events = await asyncio.wait(events, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if pumps in done:
                pumps.result()  # raises what the receiver raised; a command that closed its output goes on
            if not listener.done() and (not done or asked in done):  # what ended by itself was not ended by us
                child.reason = "cancelled" if done else "timeout"
                await child.end(listener, grace)
        await pumps
    except asyncio.CancelledError:
        if not listener.done() and child.reason == "exited":
            await child.end(listener, grace)
            await asyncio.wait({pumps}, timeout=_LAST_WORDS)
        raise
    finally:
        if asked is not None:
            asked.cancel()
        await _surely(asyncio.create_task(child.end(listener, None)))
        pumps.cancel()
        await asyncio.gather(pumps, return_exceptions=True)


def _pumps(process: Process, stdin: bytes | None, on_data: OnData | None) -> list[Coroutine[Any, Any, None]]:
    assert process.stdout is not None  # noqa: S101 - asked for a pipe at the start
    assert process.stderr is not None  # noqa: S101 - likewise
    pumps = [_pump(process.stdout, "stdout", on_data), _pump(process.stderr, "stderr", on_data)]
    if stdin is not None and process.stdin is not None:
        pumps.append(_feed(process.stdin, stdin))
    return pumps


async def _surely(task: asyncio.Task[None]) -> None:
    """Wait for a task to its end even while we are being cancelled, then let the cancellation go on."""
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted


async def _pump(reader: asyncio.StreamReader, stream: Stream, on_data: OnData | None) -> None:
    while data := await reader.read(CHUNK):
        if on_data is not None:
            await on_data(stream, data)


async def _feed(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
    with suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()
