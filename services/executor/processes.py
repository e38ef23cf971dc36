"""Contained child processes: start one, pass its output on, and see its whole tree dead (T28).

Responsible for `Children`, the registry of what one lease keeps alive. Refuses to know tasks, logs and leases: the
owner of the lease calls `beat`, and when beats stay away each child's own init (`contain.py`) kills its tree, even
if this process is stopped. Two levels of containment, reported with every exit: `namespace` (own pid namespace;
needs root) and `tree` (session, subreaper: daemons cannot get away by setsid, but a command of the same user may
kill its init by number).
"""

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.executor.fault import Cancelled, PermanentFault, TransientFault

Stream = Literal["stdout", "stderr"]
Containment = Literal["namespace", "tree"]
EndReason = Literal["exited", "timeout", "cancelled", "killed", "beats"]
OnData = Callable[[Stream, bytes], Awaitable[None]]

CHUNK = 64 * 1024
KILL_PATIENCE = 3.0
LAST_WORDS = 1.0
_INIT = str(Path(__file__).with_name("contain.py"))


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


class _Child:
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
        """Kill the tree now. Outside a namespace the init must live to do it."""
        self.order(b"K")
        if self.level == "namespace":
            self.kill_init()

    def kill_init(self) -> None:
        """Kill the init itself: ends a namespace at once, whatever state its processes are in."""
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

    async def end(self, listener: asyncio.Task[None], grace: float) -> None:
        """TERM to the tree, KILL after `grace` seconds; returns when all of it is dead."""
        for order, patience in ((b"T", grace), (b"K", KILL_PATIENCE)):
            self.order(order)
            await asyncio.wait({listener}, timeout=patience)
            if listener.done():
                return
        self.kill_init()
        await asyncio.wait({listener})


class Children:
    """The commands one lease keeps alive. Cheap to build: nothing exists until a command runs.

    `beat_timeout` (seconds, None = no watchdog) is AckWait less a margin. Every good heartbeat of the lease calls
    `beat`, whether or not a command is running: a new command inherits the age of the last beat.
    """

    __slots__ = ("_beat_at", "_children", "_fenced", "beat_timeout")

    def __init__(self, beat_timeout: float | None = None) -> None:
        self.beat_timeout = beat_timeout
        self._beat_at = time.monotonic()
        self._children: set[_Child] = set()
        self._fenced = False

    def __len__(self) -> int:
        return len(self._children)

    def beat(self, at: float | None = None) -> None:
        """Say that the lease was good at `at` (monotonic seconds; default now)."""
        self._beat_at = time.monotonic() if at is None else at
        order = b"B%.6f" % self._beat_at
        for child in self._children:
            child.order(order)

    def kill_all(self) -> None:
        """Fence: kill every tree now, and refuse new commands. `wait_gone` says when they are dead."""
        self._fenced = True
        self.kill_running()

    def kill_running(self) -> None:
        """Kill every tree now; new commands may still be started."""
        for child in self._children:
            child.reason = "killed"
            child.kill()

    async def wait_gone(self) -> None:
        """Return when no process of any command is alive."""
        for child in list(self._children):
            await child.gone.wait()

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdin: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the child's, not the coroutine's
        grace: float = 10.0,
        cancel: asyncio.Event | None = None,
        on_data: OnData | None = None,
        host_pids: bool = False,
    ) -> Exit:
        """Run `argv` (no shell) with exactly `env`, and return when nothing of its process tree is alive.

        `on_data` gets the output in chunks of at most 64 KiB, in order per stream; while it waits, the command is
        slowed down. `timeout` and `grace` are in seconds; at the end of the first, or when `cancel` is set, the
        tree gets TERM, and KILL after `grace`. Processes left behind by a command that ended are killed at once.
        `host_pids` leaves the pid namespace out, for commands that must signal processes of the host. Raises
        `PermanentFault` when the program cannot be started, `Cancelled` after `kill_all`. A cancelled coroutine
        ends the tree the same way first; cancelled twice, by KILL.
        """
        started = time.monotonic()
        child = await self._start(argv, env, cwd, stdin=stdin is not None, namespace=not host_pids)
        self._children.add(child)
        if self._fenced:
            child.reason = "killed"
            child.kill()
        try:
            await _attend(child, stdin, timeout, grace, cancel, on_data)
        finally:
            self._children.discard(child)
            child.close()
        if child.error is not None:
            raise PermanentFault(child.error[:1].upper() + child.error[1:] + ".", {"argv0": argv[0]})
        number = int(signal.SIGKILL) if child.code is None and child.signal is None else child.signal
        return Exit(child.code, number, child.reason, child.level, time.monotonic() - started)

    async def _start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, *, stdin: bool, namespace: bool
    ) -> _Child:
        if self._fenced:
            raise Cancelled("The lease is lost: no new command is started.")
        lease = (str(self.beat_timeout or 0.0), repr(self._beat_at))
        pairs = (f"{name}={value}" for name, value in env.items())
        fields = (*lease, "1" if namespace else "0", cwd, str(len(argv)), *argv, *pairs)
        if any("\0" in field for field in fields):
            raise PermanentFault("A NUL character cannot be passed to a command.")
        request = os.fsencode("\0".join(fields))
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)  # noqa: FBT003 - the stdlib's own signature
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _INIT, str(theirs.fileno())),
                stdin=PIPE if stdin else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env={},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                limit=CHUNK,
            )
        except OSError as error:
            ours.close()
            raise TransientFault(f"This executor cannot start a process: {error.strerror}.") from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        with suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(ours, b"%d\n" % len(request) + request)
        return _Child(process, ours)


async def _attend(
    child: _Child,
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
            if not done or asked in done:
                child.reason = "cancelled" if done else "timeout"
                await child.end(listener, grace)
        await pumps
    except asyncio.CancelledError:
        if not listener.done() and child.reason == "exited":
            await child.end(listener, grace)
            await asyncio.wait({pumps}, timeout=LAST_WORDS)
        raise
    finally:
        if not listener.done():
            child.kill()
        if asked is not None:
            asked.cancel()
        await _surely(listener)
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
