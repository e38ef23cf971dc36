"""The workbench as another process: this one knows the API alone, that one what executors are made of.

Responsible for the order's words. Refuses to know what is done with them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from opsledger.cli.failure import CliError


def command(word: str, **order: Any) -> list[str]:
    """The workbench's command line; what is None is left out. -P keeps the working folder from shadowing ours."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in order.items()}
    named = {name: value for name, value in given.items() if value is not None}
    return [sys.executable, "-P", "-m", "opsledger.workbench", word, json.dumps(named)]


def become(word: str, **order: Any) -> NoReturn:
    """Let the workbench take this process's place: its signals, streams and exit code are its own."""
    sys.stdout.flush()
    argv = command(word, **order)
    os.execv(argv[0], argv)  # noqa: S606 - our own interpreter and module


def ask(word: str, **order: Any) -> Any:
    """The workbench's answer, as JSON. CliError when it gave none."""
    ran = subprocess.run(command(word, **order), stdout=subprocess.PIPE, check=False)  # noqa: S603 - likewise
    try:
        return json.loads(ran.stdout)
    except ValueError:
        raise CliError(
            f"the workbench ended with {ran.returncode} and no answer",
            next_step='it needs what executors need: pip install "opsledger[executor]"',
        ) from None
