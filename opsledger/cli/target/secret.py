"""`opsledger secret set|list|remove`: what operations get in with.

Responsible for: values that never stand on a command line. Refuses to know: how they are sealed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.flag import Flag
from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.look.words import clock
from opsledger.cli.people.token import teams
from opsledger.cli.rest import targets
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import text, when
from opsledger.cli.target.value import read
from opsledger.cli.task.confirm import agreed, require_somebody
from opsledger.cli.task.output import Output, wrote

T = TypeVar("T")
_HERE = Address()
Name = Annotated[str, Parameter(name="NAME")]
Team = Annotated[list[str] | None, Parameter(negative="", metavar="TEAM")]


def set_secret(name: Name, /, *, team: Team = None, address: Address = _HERE) -> None:
    """Set a secret; its value comes from stdin, or is asked for without echo.

    Parameters
    ----------
    name
        Letters, digits and ._-/, as crm/password; operations name it as kv:crm/password.
    team
        Let tasks of this team alone use it; may be repeated. Left out, it stays as it was.
    """
    value = read(name)
    ask(address, lambda client: targets.set_secret(client, name, value, team))
    say(f"{name} is set; operations name it as kv:{name}")


def list_secrets(*, output: Output = "table", address: Address = _HERE) -> None:
    """List the secrets, without their values.

    Parameters
    ----------
    output
        table, json (a list) or jsonl (one secret a line).
    """
    found = ask(address, targets.secrets)
    if wrote(found, output):
        return
    if not found:
        err().print(Text("there is no secret", style="label"))
        return
    table, now = grid("name", "teams", "changed", "by"), datetime.now(UTC)
    for one in found:
        changed = Text(clock(when(one.get("changed_at")), now), style="label")
        by = Text(clean(text(one.get("changed_by"))), style="label")
        table.add_row(clean(text(one.get("name"))), teams(one), changed, by)
    show(out(), table)


def remove(
    name: Name, /, *, yes: Annotated[Flag, Parameter(name=["--yes", "-y"])] = False, address: Address = _HERE
) -> None:
    """Remove a secret that no connection names. Asks first.

    Parameters
    ----------
    name
        Which.
    yes
        Do not ask.
    """
    sure(f"Remove the secret {name}? Nobody can read it back.", "secret remove", yes=yes)
    ask(address, lambda client: targets.remove_secret(client, name))
    say(f"the secret {name} is removed")


def ask(address: Address, question: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the API one thing."""

    async def work() -> T:
        async with Client(resolve(address)) as client:
            return await question(client)

    return asyncio.run(work())


def say(line: str) -> None:
    """Tell the operator on stderr."""
    err().print(Text(clean(line)), soft_wrap=True)


def sure(question: str, what: str, *, yes: bool) -> None:
    """Go on only after a yes. UsageError when nobody can be asked, CliError for a no."""
    if not yes:
        require_somebody(what, otherwise="")
        agreed(clean(question))
