"""The first task of a fresh system: inspect this host, live, and say what was found.

Responsible for: the tour that `opsledger up` gives. Refuses to know: anything but REST; its failure is told, not fatal.
"""

import secrets

import httpx2
from rich.console import Console
from rich.text import Text

from opsledger.cli.failure import CliError
from opsledger.cli.local.up import System
from opsledger.cli.look.console import clean
from opsledger.cli.look.findings import findings, print_findings, report_path
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Connection
from opsledger.cli.task.wait import until_rest

TYPE = "host.inspect"
PATIENCE_SECONDS = 120.0


async def tour(system: System, console: Console) -> None:
    """Run the demo and end with where to go from here."""
    console.print()
    if system.executors:
        try:
            await _inspect(system, console)
        except Exception as error:  # noqa: BLE001 - whatever it is, the system is up and stays up
            cause = error.cause if isinstance(error, CliError) else f"{type(error).__name__}: {error}"
            console.print(Text(f"the demo did not work: {clean(cause)}", style="bad"))
            console.print(Text("opsledger itself is up", style="label"))
    else:
        console.print(Text("no demo: it needs an executor, and this start has none", style="label"))
    console.print()
    _farewell(system, console)


async def _inspect(system: System, console: Console) -> None:
    async with Client(Connection(system.url, httpx2.BasicAuth("admin", system.password))) as client:
        created = await tasks.create(
            client, {"type": TYPE, "params": {}, "name": "Inspect this host"}, key=secrets.token_hex(16)
        )
        task = await until_rest(client, created.id, console, seconds=PATIENCE_SECONDS)
    found = findings(task)
    if found is not None:
        console.print()
        print_findings(console, found)
    if path := report_path(task):
        console.print()
        console.print(Text.assemble(("report   ", "label"), clean(path)))
    if task.exit_code:
        raise CliError(f"task {task.id} ended {task.word}; see: opsledger task show {task.id}")


def _farewell(system: System, console: Console) -> None:
    lines = {
        "open": system.url,
        "login": f"admin, password in {system.home.password_file}",
        "try": "opsledger task list            in a second terminal",
        "": "opsledger task show @latest    or: watch, logs, events",
        "stop": "Ctrl-C; unfinished tasks go on at the next start",
    }
    for label, value in lines.items():
        console.print(Text.assemble((f"{label:<8} ", "label"), value))
