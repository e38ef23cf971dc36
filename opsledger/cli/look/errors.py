"""How an error looks: the cause, then the next step, on stderr.

Refuses to know: exit codes, and what went wrong.
"""

from rich.text import Text

from opsledger.cli.look.console import err

_INDENT = "\n       "


def complain(cause: str, next_step: str | None) -> None:
    """Print both; a next step of several lines is a choice of what to type."""
    console = err()
    console.print(Text.assemble(("error  ", "bad"), cause), soft_wrap=True)
    if next_step:
        console.print(Text.assemble(("next   ", "label"), next_step.replace("\n", _INDENT)), soft_wrap=True)
