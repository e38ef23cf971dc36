"""The value of a secret on its way in: from stdin or asked for, never from the command line.

Responsible for: reading it. Refuses to know: what it opens.
"""

import sys
from getpass import getpass

from opsledger.cli.failure import UsageError


def read(name: str) -> str:
    """All of stdin but one newline at its end; on a terminal, asked for twice without echo. UsageError for nothing."""
    if sys.stdin.isatty():
        given = getpass(f"value of {name}: ")
        if given and getpass("the same again: ") != given:
            raise UsageError("the two differ; nothing was changed")
    else:
        given = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not given:
        raise UsageError(
            "no value was given; nothing was changed",
            next_step=f"pipe it in, as: opsledger secret set {name} < FILE; or run it on a terminal, which asks",
        )
    return given
