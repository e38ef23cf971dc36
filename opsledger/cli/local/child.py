"""One supervised process: its own group, its own log file, and death when its parent dies.

Responsible for: starting it, reading its last words, ending it. Refuses to know: what it is for and who starts it.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOG_CAP_BYTES = 5 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A running (or ended) process and where it writes."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    log_start: int
    """Where this incarnation's lines begin in the log file, in bytes."""

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None

    def said(self, words: bytes) -> bool:
        """Whether this incarnation has logged `words`."""
        with self.log.open("rb") as handle:
            handle.seek(self.log_start)
            return words in handle.read()

    def last_words(self, lines: int = 12) -> list[str]:
        """The last lines this incarnation logged."""
        with self.log.open("rb") as handle:
            handle.seek(self.log_start)
            return [line.decode("utf-8", "replace").rstrip() for line in deque(handle, maxlen=lines)]

    async def stop(self, grace: float) -> None:
        """TERM, `grace` seconds to comply, then KILL to the whole group; returns when it has ended."""
        if self.alive:
            self._signal(signal.SIGTERM)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace)
        self._kill_group()
        await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def _kill_group(self) -> None:
        """Also after an orderly end: a child that forgot a child of its own leaves it in this group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


async def start(
    name: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str], orphan_signal: signal.Signals = signal.SIGKILL
) -> Child:
    """Start `argv` with its output appended to `log`.

    `orphan_signal` is what the kernel sends it when this process dies without a word (Linux only). Call this from
    the main thread: the kernel watches the thread that forked.
    """
    rotate(log)
    with log.open("ab") as sink:
        beginning = sink.tell()
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=dict(env),
            process_group=0,
            preexec_fn=_die_with_parent(orphan_signal),
        )
    return Child(name, process, log, beginning)


def rotate(log: Path) -> None:
    """Set a log file aside as `.1` once it has grown past the cap; one old file is kept."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_CAP_BYTES:
            log.replace(log.with_name(log.name + ".1"))


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl: nobody would tell us any more
            os._exit(1)

    return bind
