"""`opsledger up`: the command line of the system on one machine."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.data_dir import DataDir
from opsledger.cli.failure import UsageError
from opsledger.cli.look.console import err

DEFAULT_PORT = 8642
DEFAULT_EXECUTORS = 2
_MOST_EXECUTORS = 64


def up(
    *,
    data_dir: Path | None = None,
    port: int = DEFAULT_PORT,
    executors: int = DEFAULT_EXECUTORS,
    database_url: Annotated[str | None, Parameter(env_var="OPSLEDGER_DATABASE_URL")] = None,
    nats_url: Annotated[str | None, Parameter(env_var="OPSLEDGER_NATS_URL")] = None,
    demo: bool = True,
) -> int:
    """Start everything on this machine and stay up until Ctrl-C.

    Prints one line on stdout once work is accepted: ready http://127.0.0.1:PORT. The next start on the same
    directory goes on with what was unfinished.

    Parameters
    ----------
    data_dir
        Where everything lives; OPSLEDGER_DATA_DIR or ~/.local/share/opsledger by default.
    port
        Port of the API and the console; 0 picks a free one.
    executors
        How many executors to start; more can join with: opsledger executor.
    database_url
        Keep the view in this database instead of SQLite: postgresql://user:password@host/name.
    nats_url
        Use this NATS instead of starting one: nats://user:password@host:port.
    demo
        Inspect this host as a first task and show how it goes.
    """
    from opsledger.cli.local.demo import tour  # noqa: PLC0415 - only this command pays for what it imports
    from opsledger.cli.local.up import System, Wanted, run  # noqa: PLC0415

    if not 0 <= executors <= _MOST_EXECUTORS:
        raise UsageError(f"--executors {executors}: give a number from 0 to {_MOST_EXECUTORS}")
    console = err()

    async def greet(system: System) -> None:
        if demo:
            await tour(system, console)

    def say(label: str, words: str, style: str = "") -> None:
        console.print(Text.assemble((f"{label:<10} ", "label"), (words, style)), soft_wrap=True)

    wanted = Wanted(DataDir.at(data_dir), port, executors, nats_url, database_url)
    return asyncio.run(run(wanted, say=say, greet=greet))
