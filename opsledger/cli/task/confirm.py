"""Ask before doing what cannot simply be done again.

Responsible for: the question, and what happens where nobody can be asked. Refuses to know: what is asked about.
"""

import sys

from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.look.console import err


def can_ask() -> bool:
    """Whether somebody sits there who can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def require_somebody(what: str, *, otherwise: str = "or --dry-run to see what it would do") -> None:
    """UsageError when nobody can be asked and nobody has said --yes; `otherwise` is another way on."""
    if not can_ask():
        raise UsageError(
            f"{what} asks first, and there is no terminal to ask on; nothing was changed",
            next_step=", ".join(filter(None, ("add --yes to do it", otherwise))),
        )


def agreed(question: str) -> None:
    """Ask; CliError (exit code 1) unless the answer is yes."""
    console = err()
    console.print(f"{question} [y/N] ", end="", soft_wrap=True)
    answer = sys.stdin.readline()
    if not answer:
        console.print()
    if answer.strip().lower() not in {"y", "yes"}:
        raise CliError("not confirmed; nothing was changed")
