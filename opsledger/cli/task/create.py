"""`opsledger task create`: from a type and parameters, or from a plan."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from opsledger.cli.failure import Exit, UsageError
from opsledger.cli.look.console import err
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import Task
from opsledger.cli.task import ask
from opsledger.cli.task.choice import Following
from opsledger.cli.task.output import Form, Output, write_json, write_lines, write_text
from opsledger.cli.task.wait import watch

_HERE, _AFTER = Address(), Following()


def create(
    type_: Annotated[str | None, Parameter(name="TYPE")] = None,
    /,
    *,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative="", metavar="K=V")] = None,
    params: Annotated[str | None, Parameter(metavar="JSON|@FILE")] = None,
    plan: Annotated[str | None, Parameter(metavar="FILE|-", allow_leading_hyphen=True)] = None,
    name: str | None = None,
    object_: Annotated[str | None, Parameter(name="--object", metavar="KIND/ID/NAME")] = None,
    label: Annotated[list[str] | None, Parameter(negative="", metavar="K=V")] = None,
    parent: Annotated[int | None, Parameter(metavar="ID")] = None,
    key: str | None = None,
    after: Following = _AFTER,
    output: Output = "table",
    address: Address = _HERE,
) -> int:
    """Create a task; prints only its id.

    With --wait the exit code tells the outcome: 0 done, 1 failed, 3 cancelled, 4 rolled back, 124 wait timed out.

    Parameters
    ----------
    type_
        Task type, such as host.inspect.
    param
        One parameter of the type: k=v, or k:=JSON for a value that is no string. May be repeated.
    params
        All parameters as a JSON object, from a file with @.
    plan
        A plan of your own as JSON, instead of a type.
    name
        What to call the task.
    object_
        What the task is about, such as host/17/db-17.
    label
        A label; may be repeated.
    parent
        The task it belongs to; requests of a standing task name it here.
    key
        Idempotency key: the same key always gives the same task. A new one by default.
    output
        table prints the id; json and jsonl print the task.
    """
    if (type_ is None) == (plan is None):
        raise UsageError(
            "give either a task type or --plan", next_step="for example: opsledger task create host.inspect"
        )
    if plan is not None and (param or params):
        raise UsageError("a plan carries its own parameters: --param and --params go with a type")
    after.check()
    around: dict[str, Any] = {"name": name, "object": ask.subject(object_) if object_ else None, "parent": parent}
    if label:
        around["labels"] = ask.pairs(label, "--label")
    around = {field: value for field, value in around.items() if value is not None}

    async def work() -> int:
        async with Client(resolve(address)) as client:
            if type_ is None:
                what: dict[str, Any] = {"plan": _plan(str(plan))}
            else:
                given = ask.read_json(params, "--params") if params else {}
                schema = await tasks.type_schema(client, type_) if param else {}
                what = {"type": type_, "params": {**given, **ask.parameters(param or [], schema)}}
            task = await tasks.create(client, {**what, **around}, key=key or secrets.token_hex(16))
            if output == "table":
                write_text(str(task.id))
            if not after.stays:
                _write(task, output)
                return Exit.DONE
            ended = await watch(client, task.id, err(), seconds=after.timeout, log=after.log)
            _write(ended, output)
            return ended.exit_code

    return asyncio.run(work())


def _plan(source: str) -> dict[str, Any]:
    if source == "-":
        return ask.parse_object(sys.stdin.read(), "--plan", "stdin")
    return ask.parse_object(ask.read_file(Path(source), "--plan"), "--plan", source)


def _write(task: Task, output: Form) -> None:
    if output == "json":
        write_json(task.json)
    elif output == "jsonl":
        write_lines([task.json])
