"""Passwords on their way in, secrets on their way out.

Responsible for: never taking a password from the command line, and saying that a secret is shown once.
"""

import sys
from getpass import getpass

from rich.text import Text

from opsledger.cli.failure import UsageError
from opsledger.cli.look.console import err


def read_new(whose: str, *, stdin: bool) -> str:
    """A new password: the next line of stdin, or asked for twice without echo. UsageError when there is none."""
    given = _read(f"new password of {whose}", stdin=stdin)
    if not stdin and getpass("the same again: ") != given:
        raise UsageError("the two differ; nothing was changed")
    return given


def read_present(whose: str, *, stdin: bool) -> str:
    """The password in force, likewise, asked for once."""
    return _read(f"present password of {whose}", stdin=stdin)


def _read(what: str, *, stdin: bool) -> str:
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise UsageError(f"--password-stdin: stdin has no line for the {what}")
        return given
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password on",
            next_step="pipe it in with --password-stdin; a password on the command line could be seen by others",
        )
    given = getpass(f"{what}: ")
    if not given:
        raise UsageError("no password was given; nothing was changed")
    return given


def shown_once(what: str) -> None:
    """Say, beside the secret itself, that this is the only time."""
    err().print(Text(what, style="label"), soft_wrap=True)
