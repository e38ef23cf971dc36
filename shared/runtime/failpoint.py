"""Places where a system test kills the process. In production the variable is unset and `hit` costs a comparison.

`OPSLEDGER_FAILPOINT=name` or `name:N` kills with SIGKILL at the Nth time (the first by default) the place is reached.
`OPSLEDGER_FAILPOINT_ONCE=file` makes it happen once: the file is created first, and nothing happens when it exists.
"""

import os
import signal

_NAME, _, _COUNT = os.environ.get("OPSLEDGER_FAILPOINT", "").partition(":")
_ONCE = os.environ.get("OPSLEDGER_FAILPOINT_ONCE")
_left = int(_COUNT or "1")


def hit(name: str) -> None:
    """Die here if a test asked for it."""
    global _left  # noqa: PLW0603  a process has one death
    if name != _NAME:
        return
    _left -= 1
    if _left > 0:
        return
    if _ONCE is not None:
        try:
            os.close(os.open(_ONCE, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
