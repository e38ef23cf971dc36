"""Commands on tasks that were named: tried out, confirmed, carried out one by one, and told.

Responsible for: what is asked first, and that what was confirmed is what happens. Refuses to know: HTTP, and --where.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx2
from rich.text import Text

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.console import err, out
from opsledger.cli.look.preview import INFINITIVE, brief, print_full
from opsledger.cli.rest import commands
from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.commands import Order, Preview
from opsledger.cli.rest.connection import Connection
from opsledger.cli.rest.trouble import ApiError, Unreachable
from opsledger.cli.task.choice import How, invocation
from opsledger.cli.task.confirm import agreed, require_somebody
from opsledger.cli.task.orders import Named, find, named
from opsledger.cli.task.output import write_answers
from opsledger.cli.task.refused import refused, unsure

ASKS = frozenset({"rollback", "delete"})
"""They cannot be taken back, so they ask. A retry, a skip and a cancel of tasks that were named do as they are told."""
_HOPELESS = frozenset({httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order."""

    order: Order
    answer: Answer | None = None
    refusal: ApiError | None = None


def dry_run(connection: Connection, word: str, typed: tuple[str, ...], subtask: str | None, how: How) -> int:
    """Say what would happen; exit code 1 when any of it would be refused."""

    async def work() -> list[tuple[Named, Preview]]:
        async with Client(connection) as client:
            orders = await find(client, word, typed, subtask)
            return await _previews(client, await named(client, orders))

    found = asyncio.run(work())
    if how.output == "table":
        for one, preview in found:
            print_full(out(), one.order, one.name, preview)
        err().print(Text("nothing was changed", style="label"))
    else:
        write_answers([preview.json for _, preview in found], how.output)
    return Exit.DONE if all(preview.accepted for _, preview in found) else Exit.FAILED


def carry_out(
    connection: Connection, word: str, typed: tuple[str, ...], subtask: str | None, how: How
) -> list[Outcome]:
    """Do it, after asking where that is due. CliError when nothing was done; refusals of some are in the outcomes."""
    asks = word in ASKS and not how.yes
    if asks:
        require_somebody(f"task {word}")

    async def begin() -> list[Order]:
        async with Client(connection) as client:
            return await find(client, word, typed, subtask)

    orders = asyncio.run(begin())
    key = invocation()
    if not asks:
        return asyncio.run(_perform(connection, orders, how, key, {}))
    done: list[Outcome] = []
    while orders:
        previews = _confirm(connection, word, orders)
        versions = {one.order.task_id: preview.version for one, preview in previews if preview.accepted}
        if not versions:
            one, preview = previews[0]
            raise refused(one.order, preview.refusal)
        meant = [order for order in orders if order.task_id in versions]
        outcomes = asyncio.run(_perform(connection, meant, how, key, versions))
        changed = [outcome.order for outcome in outcomes if _has_changed(outcome)]
        done += [outcome for outcome in outcomes if not _has_changed(outcome)]
        if changed:
            if how.key is not None:
                raise CliError("it has changed meanwhile; nothing was done", next_step="the same with another --key")
            key = invocation()  # the refusal was stored under the old one, as any first answer
            err().print(Text("it has changed meanwhile; this is how things stand now", style="warn"))
        orders = changed
    return done


def _has_changed(outcome: Outcome) -> bool:
    return outcome.refusal is not None and outcome.refusal.status == httpx2.codes.PRECONDITION_FAILED


def _confirm(connection: Connection, word: str, orders: list[Order]) -> list[tuple[Named, Preview]]:
    async def work() -> list[tuple[Named, Preview]]:
        async with Client(connection) as client:
            return await _previews(client, await named(client, orders))

    found = asyncio.run(work())
    for one, preview in found:
        err().print(brief(err(), one.order, one.name, preview), soft_wrap=True)
    accepted = [one for one, preview in found if preview.accepted]
    if accepted:
        what = f"task {accepted[0].order.task_id}" if len(accepted) == 1 else f"these {len(accepted)} tasks"
        agreed(f"{INFINITIVE[word].capitalize()} {what}?")
    return found


async def _previews(client: Client, orders: Sequence[Named]) -> list[tuple[Named, Preview]]:
    return [(one, await commands.preview(client, one.order)) for one in orders]


async def _perform(
    connection: Connection, orders: Sequence[Order], how: How, key: str, versions: Mapping[int, int | None]
) -> list[Outcome]:
    done: list[Outcome] = []
    async with Client(connection) as client:
        for order in orders:
            version, its_key = versions.get(order.task_id), how.key_for(key, order.task_id)
            try:
                answer = await commands.perform(client, order, key=its_key, reason=how.reason, version=version)
            except Unreachable as trouble:
                raise unsure(trouble, how.key or key, [one.order.task_id for one in done]) from None
            except ApiError as refusal:
                if refusal.status in _HOPELESS:
                    raise
                done.append(Outcome(order, refusal=refusal))
            else:
                done.append(Outcome(order, answer))
    return done


def failed(outcomes: Sequence[Outcome]) -> list[CliError]:
    """The refusals among them, as errors to print."""
    return [refused(one.order, one.refusal.error, otherwise=one.refusal) for one in outcomes if one.refusal is not None]
