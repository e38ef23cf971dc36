"""`opsledger audit [list] | verify`: who commanded what, when, why, and what was answered.

Responsible for: the filters' words and the table. Refuses to know: how a chain is checked.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from opsledger.cli import jobs
from opsledger.cli.failure import Exit
from opsledger.cli.local.joining import System
from opsledger.cli.look.audit import print_audit, print_chain
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, Url, resolve
from opsledger.cli.rest.view import mapping, objects
from opsledger.cli.task.moment import moment
from opsledger.cli.task.output import Output, write_json, write_lines

AUDIT = "/api/v2/audit"
_HERE, _SYSTEM = Address(), System()


def audit(
    *,
    by: str | None = None,
    command: str | None = None,
    task: Annotated[str | None, Parameter(metavar="TASK")] = None,
    outcome: str | None = None,
    via: str | None = None,
    since: Annotated[str | None, Parameter(metavar="TIME")] = None,
    until: Annotated[str | None, Parameter(metavar="TIME")] = None,
    text_: Annotated[str | None, Parameter(name="--text")] = None,
    size: int = 50,
    after: Annotated[str | None, Parameter(metavar="CURSOR")] = None,
    output: Output = "table",
    address: Address = _HERE,
) -> None:
    """List what people commanded, the newest first, what was refused included.

    Parameters
    ----------
    by
        Who, comma separated.
    command
        Which commands, comma separated: create, retry, skip, cancel, rollback, delete, subtask.retry …
    task
        Task id, @latest or @latest-failed.
    outcome
        accepted or refused.
    via
        Which way it came in: rest, bus, bulk.
    since
        Not before this time: 2h, 3d, 2026-11-20, or 2026-11-20T02:00.
    until
        Before this time, said likewise.
    text_
        Part of the reason or of the answer.
    size
        Decisions a page, at most 1000.
    after
        The next page, as the one before names it.
    output
        table, json (the whole page) or jsonl (one decision a line).
    """
    now = datetime.now(UTC)
    filters = {
        "by": by,
        "command": command,
        "outcome": outcome,
        "via": via,
        "text": text_,
        "from": moment(since, "--since", now),
        "to": moment(until, "--until", now),
        "size": size,
        "after": after,
    }

    async def work() -> Mapping[str, Any]:
        async with Client(resolve(address)) as client:
            task_id = await tasks.resolve_id(client, task) if task else None
            return mapping((await client.get(AUDIT, task=task_id, **filters)).data)

    found = asyncio.run(work())
    if output == "json":
        write_json(found)
    elif output == "jsonl":
        write_lines(objects(found.get("contents")))
    else:
        print_audit(found, now)


def verify(
    task: Annotated[str | None, Parameter(name="TASK")] = None,
    /,
    *,
    output: Output = "table",
    url: Url = None,
    system: System = _SYSTEM,
) -> int:
    """Follow the hash chain of a task's history, or of every task's, and name what is broken.

    Exit code 1 when a link is broken.

    Parameters
    ----------
    task
        Task id, @latest or @latest-failed; over REST. Without it the whole log is read, which takes NATS.
    output
        table, json or jsonl.
    url
        Address of the API, for one task.
    """
    if task is None:
        jobs.run("audit-verify", system)

    async def work() -> Mapping[str, Any]:
        async with Client(resolve(Address(url, system.data_dir))) as client:
            task_id = await tasks.resolve_id(client, task)
            return mapping((await client.get(f"{AUDIT}/verify", task=task_id)).data)

    chain = asyncio.run(work())
    if output == "json":
        write_json(chain)
    elif output == "jsonl":
        write_lines([chain])
    else:
        print_chain(chain)
    return Exit.DONE if chain.get("whole") is True else Exit.FAILED
