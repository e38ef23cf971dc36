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
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from services.executor.child import CHUNK, Child, Exit, OnData, attend
from services.executor.fault import Cancelled, PermanentFault, TransientFault

_INIT = str(Path(__file__).with_name("contain.py"))


class Children:
    """The commands one lease keeps alive. Cheap to build: nothing exists until a command runs.

    `beat_timeout` (seconds, None = no watchdog) is AckWait less a margin. Every good heartbeat of the lease calls
    `beat`, whether or not a command is running: a new command inherits the age of the last beat.
    """

    __slots__ = ("_beat_at", "_children", "_fenced", "beat_timeout")

    def __init__(self, beat_timeout: float | None = None) -> None:
        self.beat_timeout = beat_timeout
        self._beat_at = time.monotonic()
        self._children: set[Child] = set()
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
            await attend(child, stdin, timeout, grace, cancel, on_data)
        finally:
            self._children.discard(child)
            child.close()
        if child.error is not None:
            raise PermanentFault(child.error[:1].upper() + child.error[1:] + ".", {"argv0": argv[0]})
        number = int(signal.SIGKILL) if child.code is None and child.signal is None else child.signal
        return Exit(child.code, number, child.reason, child.level, time.monotonic() - started)

    async def _start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, *, stdin: bool, namespace: bool
    ) -> Child:
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
        return Child(process, ours)
