"""`opsledger connection add|list|remove`: the targets that operations name.

Responsible for: options as a body. Refuses to know: what a URL must look like; the API says.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.failure import UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.people.token import teams
from opsledger.cli.rest import targets
from opsledger.cli.rest.connection import Address
from opsledger.cli.rest.view import mapping, text
from opsledger.cli.target.secret import Name, Team, ask, say, sure
from opsledger.cli.task.output import Output, wrote

_HERE = Address()
Pairs = Annotated[list[str] | None, Parameter(negative="", metavar="K=V")]


def add(
    name: Name,
    target: Annotated[str, Parameter(name="URL")],
    /,
    *,
    secret: Pairs = None,
    option: Pairs = None,
    team: Team = None,
    description: str = "",
    address: Address = _HERE,
) -> None:
    """Define a connection, or define it anew.

    Parameters
    ----------
    name
        What operations call it: letters, digits and ._-.
    target
        Where it is, without a password: postgresql://user@host/database, mysql://…, sqlite:///path, file:///folder,
        s3://bucket/prefix, gs://…, az://….
    secret
        What a secret is for, and a reference to it: password=kv:NAME, also env:NAME or file:NAME; may be repeated.
    option
        A setting of its driver, as sslmode=require; may be repeated.
    team
        Let tasks of this team alone use it; may be repeated.
    description
        A word for those who choose among connections.
    """
    body: dict[str, Any] = {"url": target, "description": description}
    body |= {"secrets": _pairs(secret, "--secret"), "options": _pairs(option, "--option")}
    if team:
        body["teams"] = team
    ask(address, lambda client: targets.define(client, name, body))
    say(f"{name} is a connection; operations name it as {name}")


def list_connections(*, output: Output = "table", address: Address = _HERE) -> None:
    """List the connections, with the names of their secrets.

    Parameters
    ----------
    output
        table, json (a list) or jsonl (one connection a line).
    """
    found = ask(address, targets.connections)
    if wrote(found, output):
        return
    if not found:
        err().print(Text("there is no connection", style="label"))
        return
    table = grid("name", "url", "secrets", "teams", "description", wide="description")
    for one in found:
        secrets = ", ".join(f"{purpose}={reference}" for purpose, reference in mapping(one.get("secrets")).items())
        words = (one.get("name"), one.get("url"), secrets, teams(one), one.get("description"))
        table.add_row(*(clean(text(word)) for word in words))
    show(out(), table)


def remove(
    name: Name, /, *, yes: Annotated[Flag, Parameter(name=["--yes", "-y"])] = False, address: Address = _HERE
) -> None:
    """Remove a connection; tasks that name it fail from then on. Asks first.

    Parameters
    ----------
    name
        Which.
    yes
        Do not ask.
    """
    sure(f"Remove the connection {name}?", "connection remove", yes=yes)
    ask(address, lambda client: targets.remove_connection(client, name))
    say(f"the connection {name} is removed")


def _pairs(given: Sequence[str] | None, flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given or ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise UsageError(f"{flag}: give a name, = and a value")  # without repeating it: it may be a password
        found[key] = value
    return found
