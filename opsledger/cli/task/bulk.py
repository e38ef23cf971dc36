"""One command on every task that a selection finds, carried out at a pace by a task of its own.

Responsible for: the preview, the question, and the id of that task on stdout. Refuses to know: how it is carried out.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.console import err, out
from opsledger.cli.look.preview import INFINITIVE
from opsledger.cli.look.selection import print_selection
from opsledger.cli.look.words import count
from opsledger.cli.rest import bulk
from opsledger.cli.rest.bulk import Selection
from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.connection import Connection
from opsledger.cli.rest.trouble import Unreachable
from opsledger.cli.rest.view import Task
from opsledger.cli.task import qualifiers
from opsledger.cli.task.choice import Following, How, Many, invocation
from opsledger.cli.task.confirm import agreed, require_somebody
from opsledger.cli.task.output import write_answers, write_text
from opsledger.cli.task.refused import unsure
from opsledger.cli.task.stay import stay
from opsledger.cli.task.wait import After

_NONE = "no task matches; nothing was changed"


def command(connection: Connection, word: str, many: Many, how: How, after: Following) -> int:
    """Try it out, ask, begin it, and stay if wanted. CliError when nothing matches or nobody agrees."""
    where = qualifiers.parse(many.where or "", datetime.now(UTC))
    body = {
        name: value
        for name, value in {"reason": how.reason, "pace": many.pace, "limit": many.limit}.items()
        if value is not None
    }
    if how.dry_run:
        return _dry_run(connection, word, where, body, how)
    if not how.yes:
        require_somebody(f"task {word} --where")
        found = _select(connection, word, where, body)
        if not found.count:
            raise CliError(_NONE)
        print_selection(err(), word, found, everything=False)
        pace = f", {many.pace} a minute" if many.pace else ""
        agreed(f"{INFINITIVE[word].capitalize()} {count(found.count, 'task')}{pace}?")
        where = {**where, "ids": found.ids} if found.ids else where  # what was shown, and nothing that came since
    answer = _begin(connection, word, where, body, how.key or invocation())
    task = Task.of(answer.data, answer.timestamp)
    if not task.id:
        raise CliError(_NONE)
    if how.output == "table":
        write_text(str(task.id))
        err().print(Text(f"task {task.id} carries it out; see: opsledger task watch {task.id}", style="label"))
    else:
        write_answers([task.json], how.output)
    return asyncio.run(stay(connection, [(task.id, After(answer.seq))], after))


def _dry_run(connection: Connection, word: str, where: Mapping[str, Any], body: Mapping[str, Any], how: How) -> int:
    found = _select(connection, word, where, body)
    if how.output == "table":
        print_selection(out(), word, found, everything=True)
        err().print(Text("nothing was changed", style="label"))
    else:
        write_answers([found.json], how.output)
    return Exit.DONE


def _select(connection: Connection, word: str, where: Mapping[str, Any], body: Mapping[str, Any]) -> Selection:
    async def work() -> Selection:
        async with Client(connection) as client:
            return await bulk.preview(client, word, where, body)

    return asyncio.run(work())


def _begin(connection: Connection, word: str, where: Mapping[str, Any], body: Mapping[str, Any], key: str) -> Answer:
    async def work() -> Answer:
        async with Client(connection) as client:
            try:
                return await bulk.perform(client, word, where, body, key=key)
            except Unreachable as trouble:
                raise unsure(trouble, key, []) from None

    return asyncio.run(work())
