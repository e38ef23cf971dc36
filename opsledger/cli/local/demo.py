"""The first tasks of a fresh system: inspect this host, live, and say what was found; fail once, for somebody to retry.

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
_FAILS_ONCE = 'test -e "$1" || { : > "$1"; echo "backup-2 refuses the connection: port 22" >&2; exit 1; }'
_BACKUP = (
    ("find", "Find last night's backup", "echo shop-2026-11-20.tar.zst: 41 GB", ()),
    ("sum", "Check its sum", "echo the sum is right", ("find",)),
    ("room", "Make room on backup-2", "echo 812 GB are free", ("find",)),
    ("copy", "Copy it to backup-2", f"{_FAILS_ONCE}; echo copied", ("sum", "room")),
    ("tell", "Tell the team", "echo told", ("copy",)),
)
"""Key, name, script and upstreams of each step; only the copy does anything: it fails the first time."""


async def tour(system: System, console: Console) -> None:
    """Run the demo and end with where to go from here."""
    console.print()
    failed = None
    if system.executors:
        try:
            async with Client(Connection(system.url, httpx2.BasicAuth("admin", system.password))) as client:
                failed = await _fail_once(client, system)
                await _inspect(client, console)
        except Exception as error:  # noqa: BLE001 - whatever it is, the system is up and stays up
            cause = error.cause if isinstance(error, CliError) else f"{type(error).__name__}: {error}"
            console.print(Text(f"the demo did not work: {clean(cause)}", style="bad"))
            console.print(Text("opsledger itself is up", style="label"))
    else:
        console.print(Text("no demo: it needs an executor, and this start has none", style="label"))
    console.print()
    _farewell(system, console, failed)


async def _fail_once(client: Client, system: System) -> int:
    """Create a task that needs somebody; nothing real hangs on it. Return its id."""
    mark = system.home.samples / "backup-2-is-reached"
    mark.unlink(missing_ok=True)
    plan = [
        {"key": key, "name": name, "operation": "command.run", "upstreams": list(upstreams),
         "params": {"argv": ["sh", "-c", script, "sh", str(mark)]}}
        for key, name, script, upstreams in _BACKUP
    ]  # fmt: skip
    body = {"name": "Copy a backup (a demonstration: it fails once)", "plan": {"subtasks": plan}}
    return (await tasks.create(client, body, key=secrets.token_hex(16))).id


async def _inspect(client: Client, console: Console) -> None:
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


def _farewell(system: System, console: Console, failed: int | None) -> None:
    lines = {
        "open": system.url,
        "login": f"admin    the password: cat {system.home.password_file}",
        **({"retry": f"{system.url}/tasks/{failed} has failed on purpose: read why, press Retry"} if failed else {}),
        "try": "opsledger task list            in a second terminal",
        "": "opsledger task show @latest    or: watch, logs, events",
        "stop": "Ctrl-C; unfinished tasks go on at the next start",
    }
    for label, value in lines.items():
        console.print(Text.assemble((f"{label:<8} ", "label"), value))
