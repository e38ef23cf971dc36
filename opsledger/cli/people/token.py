"""`opsledger token create|list|revoke`: what programs log in with.

Responsible for: the token alone on stdout, so that a shell can keep it. Refuses to know: how tokens are made.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli import jobs
from opsledger.cli.failure import UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.local.joining import System
from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.look.words import clock
from opsledger.cli.people.secret import shown_once
from opsledger.cli.rest import people
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, Url, resolve
from opsledger.cli.rest.view import text, when
from opsledger.cli.task.output import Output, write_json, write_lines, write_text, wrote

_HERE, _SYSTEM = Address(), System()
DEFAULT_ROLE = "TASK_VIEWER"
"""The least: who needs more says so."""
_ROOMY = 100


def create(
    name: Annotated[str, Parameter(name="NAME")],
    /,
    *,
    role: str = DEFAULT_ROLE,
    days: Annotated[float | None, Parameter(metavar="N")] = None,
    team: Annotated[list[str] | None, Parameter(negative="", metavar="TEAM")] = None,
    key_pair: Flag = False,
    without_api: Annotated[Flag, Parameter(group="System")] = False,
    output: Output = "table",
    url: Url = None,
    system: System = _SYSTEM,
) -> None:
    """Make an API token and print it, once.

    Parameters
    ----------
    name
        Whom or what the token is for; what it does stands under this name in the history.
    role
        TASK_VIEWER, TASK_OPERATOR (retry, skip, cancel), TASK_MANAGER (create and roll back too), AUDIT_VIEWER, ADMIN.
    days
        How long it is good for; for ever by default.
    team
        Let it see the tasks of this team alone; may be repeated.
    key_pair
        Make a key pair for signing messages on the bus too.
    without_api
        Make it over NATS, as nobody in particular: the way back in for who is locked out.
    output
        table prints the token, and below it the key pair; json and jsonl everything there is to know of it.
    url
        Address of the API; else OPSLEDGER_URL, else the system that runs on the data directory.
    """
    if days is not None and days <= 0:
        raise UsageError(f"--days {days:g}: give a number above 0")
    if without_api:
        words = [name, "--role", role.upper(), *(["--days", f"{days:g}"] if days is not None else [])]
        words += [word for one in team or () for word in ("--team", one)] + (["--key-pair"] if key_pair else [])
        jobs.run("token", system, *words)
    body: dict[str, Any] = {"name": name, "role": role.upper(), "key_pair": key_pair}
    if days is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    if team:
        body["teams"] = team

    async def work() -> Mapping[str, Any]:
        async with Client(resolve(Address(url, system.data_dir))) as client:
            return await people.create_token(client, body)

    made = asyncio.run(work())
    if output == "json":
        write_json(made)
    elif output == "jsonl":
        write_lines([made])
    else:
        write_text(text(made.get("token")))
        if key_pair:
            write_text(f"access_key {text(made.get('access_key'))}\nsecret_key {text(made.get('secret_key'))}")
    shown_once(f"shown once; keep it now. Revoke it with: opsledger token revoke {text(made.get('id'))}")


def list_tokens(*, output: Output = "table", address: Address = _HERE) -> None:
    """List the tokens, without their secrets.

    Parameters
    ----------
    output
        table, json (a list) or jsonl (one token a line).
    """

    async def work() -> list[Mapping[str, Any]]:
        async with Client(resolve(address)) as client:
            return await people.tokens(client)

    found = asyncio.run(work())
    if wrote(found, output):
        return
    if not found:
        err().print(Text("there is no token", style="label"))
        return
    _print(found)


def revoke(id_: Annotated[str, Parameter(name="ID")], /, *, address: Address = _HERE) -> None:
    """Revoke a token: from now on nobody gets in with it.

    Parameters
    ----------
    id_
        Its id, as `opsledger token list` shows it; also the second part of the token itself.
    """

    async def work() -> None:
        async with Client(resolve(address)) as client:
            await people.revoke_token(client, id_)

    asyncio.run(work())
    err().print(Text(f"token {clean(id_)} is revoked"), soft_wrap=True)


def _print(tokens: list[Mapping[str, Any]]) -> None:
    """The table; a narrow terminal leaves out when and by whom, so that no id is cut."""
    console, now = out(), datetime.now(UTC)
    roomy = not console.is_terminal or console.width >= _ROOMY
    table = grid("id", "name", "role", "teams", "expires", *(("made", "by") if roomy else ()))
    for token in tokens:
        made = Text(clock(when(token.get("created_at")), now), style="label")
        by = Text(clean(text(token.get("created_by"))), style="label")
        table.add_row(
            clean(text(token.get("id"))),
            clean(text(token.get("name"))),
            clean(text(token.get("role"))),
            teams(token),
            _expiry(when(token.get("expires_at")), now),
            *((made, by) if roomy else ()),
        )
    show(console, table)


def _expiry(at: datetime | None, now: datetime) -> Text:
    if at is None:
        return Text("never", style="label")
    return Text("expired", style="warn") if at <= now else Text(f"{at.astimezone():%Y-%m-%d}", style="label")


def teams(who: Mapping[str, Any]) -> str:
    """Whose tasks somebody sees."""
    found = who.get("teams")
    return ", ".join(clean(text(team)) for team in found) if isinstance(found, list) else "all"
