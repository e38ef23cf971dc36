"""A terminal of its own for one command: what it shows at a given width, and answers typed when it asks.

Knows no command. Nothing that it started outlives the call.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.up import environment, program

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ENTER = "\n"
_NOT_OURS = frozenset({"NO_COLOR", "COLUMNS", "LINES"})
"""What would speak louder than the terminal itself."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one command gave on its terminal."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without colours, with plain line ends."""
        return _COLOUR.sub("", self.raw).replace("\r\n", "\n")


def run(
    words: Sequence[str], *, columns: int = 80, answers: Sequence[tuple[str, str]] = (), seconds: float = 30, **env: str
) -> Shown:
    """Run `opsledger WORDS` on a terminal; each of `answers` is typed once its question has been shown."""
    keeper, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen(
        [program(), *words], stdin=terminal, stdout=terminal, stderr=terminal, env=_environment(env), process_group=0
    )
    os.close(terminal)
    try:
        return Shown(*_converse(child, keeper, list(answers), time.monotonic() + seconds))
    finally:
        child.kill()
        child.wait()
        os.close(keeper)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    found = environment(TERM="xterm-256color", LANG="C.UTF-8", **extra)
    return {name: value for name, value in found.items() if name not in _NOT_OURS} | dict(extra)


def _converse(
    child: subprocess.Popen[bytes], keeper: int, answers: list[tuple[str, str]], deadline: float
) -> tuple[int, str]:
    heard, asked_from = b"", 0
    while time.monotonic() < deadline:
        ready, _, _ = select.select([keeper], [], [], 0.1)
        try:
            piece = os.read(keeper, 65536) if ready else b""
        except OSError:  # the other side is closed: everything was heard
            break
        heard += piece
        if answers and answers[0][0] in heard[asked_from:].decode(errors="replace"):
            asked_from = len(heard)
            os.write(keeper, (answers.pop(0)[1] + ENTER).encode())
        if not ready and child.poll() is not None:
            break
    return child.wait(max(0.1, deadline - time.monotonic())), heard.decode(errors="replace")
