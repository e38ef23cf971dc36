"""`opsledger whoami`: who the API takes us for, and what we may."""

import asyncio
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from opsledger.cli.look.console import clean, out, show
from opsledger.cli.people.token import teams
from opsledger.cli.rest import people
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import text
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Address()


def whoami(*, output: Output = "table", address: Address = _HERE) -> None:
    """Say who the API takes you for, and what you may do.

    Parameters
    ----------
    output
        table, json or jsonl.
    """
    connection = resolve(address)

    async def work() -> Mapping[str, Any]:
        async with Client(connection) as client:
            return await people.me(client)

    me = asyncio.run(work())
    if output == "json":
        write_json(me)
    elif output == "jsonl":
        write_lines([me])
    else:
        facts = Table.grid(padding=(0, 2, 0, 0))
        facts.add_column(style="label", no_wrap=True)
        facts.add_column(overflow="fold")
        may = me.get("permissions")
        facts.add_row("name", Text(clean(text(me.get("name"))), style="head"))
        facts.add_row("role", clean(text(me.get("role"))))
        facts.add_row("may", ", ".join(clean(text(word)) for word in may) if isinstance(may, list) else "")
        facts.add_row("teams", teams(me))
        facts.add_row("at", connection.url)
        show(out(), facts)
