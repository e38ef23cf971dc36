"""`opsledger user add|list|set-role|password|remove`: people who log in by name.

Responsible for: passwords that never stand on a command line. Refuses to know: what a password must look like.
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
from opsledger.cli.people.secret import read_new, read_present
from opsledger.cli.people.token import teams
from opsledger.cli.rest import people
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import text, when
from opsledger.cli.task.confirm import agreed, require_somebody
from opsledger.cli.task.output import Output, wrote

T = TypeVar("T")
_HERE = Address()
Name = Annotated[str, Parameter(name="NAME")]
Team = Annotated[list[str] | None, Parameter(negative="", metavar="TEAM")]


def add(
    name: Name,
    /,
    *,
    role: str,
    team: Team = None,
    password_stdin: Flag = False,
    address: Address = _HERE,
) -> None:
    """Add a user; the password is asked for without echo.

    Parameters
    ----------
    name
        What the user logs in as.
    role
        TASK_VIEWER, TASK_OPERATOR, TASK_MANAGER, AUDIT_VIEWER or ADMIN.
    team
        Show the tasks of this team alone; may be repeated.
    password_stdin
        Take the password from stdin instead of asking.
    """
    new = read_new(name, stdin=password_stdin)
    _ask(address, lambda client: people.add_user(client, name, new, role.upper(), team))
    _say(f"{name} is a user with the role {role.upper()}")


def list_users(*, output: Output = "table", address: Address = _HERE) -> None:
    """List the users.

    Parameters
    ----------
    output
        table, json (a list) or jsonl (one user a line).
    """
    found = _ask(address, people.users)
    if wrote(found, output):
        return
    table = grid("name", "role", "teams", "made")
    now = datetime.now(UTC)
    for user in found:
        name, role = clean(text(user.get("name"))), clean(text(user.get("role")))
        table.add_row(name, role, teams(user), Text(clock(when(user.get("created_at")), now), style="label"))
    show(out(), table)


def set_role(name: Name, role: Annotated[str, Parameter(name="ROLE")], /, *, address: Address = _HERE) -> None:
    """Give a user another role; it holds at once.

    Parameters
    ----------
    name
        Whose.
    role
        TASK_VIEWER, TASK_OPERATOR, TASK_MANAGER, AUDIT_VIEWER or ADMIN.
    """
    _ask(address, lambda client: people.change_user(client, name, {"role": role.upper()}))
    _say(f"{name} has the role {role.upper()}")


def password(
    name: Annotated[str | None, Parameter(name="NAME")] = None,
    /,
    *,
    password_stdin: Flag = False,
    address: Address = _HERE,
) -> None:
    """Change a password, which is asked for without echo; your own takes the present one too.

    Parameters
    ----------
    name
        Whose; your own by default.
    password_stdin
        Take it from stdin instead of asking; of your own, the present one first, each on a line of its own.
    """
    own, home = text(_ask(address, people.me).get("name")), resolve(address).home
    whose = name or own
    kept = home.password() if home is not None and whose == own else None
    old = kept or (read_present(whose, stdin=password_stdin) if whose == own else None)
    new = read_new(whose, stdin=password_stdin)
    _ask(address, lambda client: people.set_password(client, whose, new, old=old))
    if home is not None and kept is not None:
        home.keep_password(new)  # the next start, and a second terminal, log in with it
    _say(f"the password of {whose} is changed")


def remove(
    name: Name,
    /,
    *,
    yes: Annotated[Flag, Parameter(name=["--yes", "-y"])] = False,
    address: Address = _HERE,
) -> None:
    """Remove a user; what they did stays in the history. Asks first.

    Parameters
    ----------
    name
        Whom.
    yes
        Do not ask.
    """
    if not yes:
        require_somebody("user remove", otherwise="")
        agreed(f"Remove the user {clean(name)}?")
    _ask(address, lambda client: people.remove_user(client, name))
    _say(f"{name} is no user any more")


def _ask(address: Address, question: Callable[[Client], Awaitable[T]]) -> T:
    async def work() -> T:
        async with Client(resolve(address)) as client:
            return await question(client)

    return asyncio.run(work())


def _say(line: str) -> None:
    err().print(Text(clean(line)), soft_wrap=True)
