"""A server process that a test owns: started, watched, killed, paused, and gone when the test run is gone.

Knows nothing of what the server does. It refuses to call a server started while our own process is not alive: another
program may hold the port, and a test must never talk to that one by accident.
"""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tests.support.eventually import eventually_sync

# Below the range that systems hand out for outgoing connections: a client that reconnects to a port whose server is
# down could otherwise be given that very port and connect to itself. Below the one of `opsledger up`, too.
PORTS = (10_000, 20_000)
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_given: set[int] = set()


class ServerFailed(Exception):  # noqa: N818  (a fact about a server, named like one)
    """The server's own process ended, or did not become ready in time; carries the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment, and that this run has not been given yet.

    Each worker of a run has ports of its own: a server that is down for a while must find its port free.
    """
    for _ in range(1_000):
        # Not the seeded chance: two runs side by side must differ.
        port = random.SystemRandom().randrange(PORTS[0] + WORKER, PORTS[1], WORKERS)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise OSError(f"no free port between {PORTS[0]} and {PORTS[1]}")


def setpriv(*options: str) -> list[str]:
    """The start of a command line that sets process attributes by util-linux; empty where there is none."""
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    return [program, *options] if program else []


def become(user: pwd.struct_passwd | None) -> list[str]:
    """The start of a command line that runs as somebody else; empty for None.

    Who becomes somebody else forgets whose death to follow, so it is asked for once more: of the main thread's, since
    another one's death would count as well.
    """
    if user is None:
        return []
    main = threading.current_thread() is threading.main_thread()
    changed = setpriv(f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return [*changed, *(setpriv("--pdeathsig", "KILL") if main else [])]


class ServerProcess(ABC):
    """The process behind a server; subclasses say how it is started and when it is ready. A context runs it."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        """Everything the process printed, over all its starts."""
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Whether our own process runs (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; ServerFailed when it does not run."""
        if self._process is None or not self.alive:
            raise ServerFailed(f"{self.name} is not running")
        return self._process.pid

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it is ready; ServerFailed otherwise."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask it to end in good order, wait 10 s, then kill it; nothing when it has ended already."""
        if self._process is None:
            return
        if self.alive:
            self._process.send_signal(self.stop_signal)
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill9(self) -> None:
        """End it at once, as a crash would (also a paused one), and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Freeze it: its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        if hasattr(os, "waitid"):  # not on macOS; elsewhere: the signal is no use before all its threads stand still
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _launch(self, argv: Sequence[str], is_ready: Callable[[], bool], *, timeout: float = 20.0) -> None:
        """Start `argv` and wait until it is ready and still ours; ServerFailed otherwise."""
        if self.alive:
            raise ServerFailed(f"{self.name} runs already, as process {self.pid}")
        # The kernel sends it when the *thread* that started the child ends, so only the main thread asks for it.
        main = threading.current_thread() is threading.main_thread()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*(setpriv("--pdeathsig", "KILL") if main else []), *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C reaches the test run only
            )

        self._wait(is_ready, timeout=timeout)

    def _wait(self, is_ready: Callable[[], bool], *, timeout: float) -> None:
        def ready() -> bool:
            if not self.alive:
                raise ServerFailed(f"{self.name} ended by itself: {self.log_tail()}")
            return is_ready()

        try:
            eventually_sync(ready, timeout=timeout, interval=0.01, ignoring=(OSError,), what=f"{self.name} is ready")
        except AssertionError as error:
            self.kill9()
            raise ServerFailed(f"{error}: {self.log_tail()}") from error
        if not self.alive:
            raise ServerFailed(f"{self.name} ended by itself: {self.log_tail()}")

    def log_tail(self, lines: int = 8) -> str:
        """The last lines of its log, for a failure message."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "its log is empty"
