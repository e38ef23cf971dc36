"""The two sides of a synchronisation, open, and what is known to be wrong with them as a whole."""

from dataclasses import dataclass

from services.executor.operations.contract import Context
from services.executor.sync.keys import Bounds, reserved, unfit
from services.executor.sync.params import Rules, below
from services.executor.sync.store import Store, open_store
from services.executor.sync.survey import probe
from services.executor.sync.trouble import Trouble, Troubled


@dataclass(frozen=True, slots=True)
class Sides:
    """Where objects come from and go to. Without a `source` nothing can be read, and `broken` says why."""

    rules: Rules
    task: int
    source: Store | None
    destination: Store
    broken: Trouble | None = None

    def names(self, key: str) -> tuple[str, str]:
        """Return a key's name at the source and at the destination."""
        return below(self.rules.source_prefix, key), below(self.rules.destination_prefix, key)

    def refused(self, source: Store, key: str, read: Bounds, written: Bounds) -> Trouble | None:
        """Return why a key cannot be copied whatever lies there, None when it can."""
        name, to = self.names(key)
        return (
            unfit(key, self.destination)
            or unfit(to, self.destination)
            or reserved(to)
            or unfit(name, source)
            or written.leaves(to, follow=False)
            or read.leaves(name, follow=True)
        )


async def open_sides(ctx: Context, rules: Rules) -> Sides:
    """Open both. Raises a fault for a connection that is wrong, and for a destination that cannot be written to."""
    task = rules.task if rules.task is not None else ctx.task_id
    try:
        destination = open_store(await ctx.connection(rules.destination), "destination")
    except Troubled as error:
        raise error.trouble.fault() from None
    if (trouble := await probe(destination)) is not None:
        raise trouble.fault()
    try:
        source = open_store(await ctx.connection(rules.source), "source")
    except Troubled as error:
        return Sides(rules, task, None, destination, error.trouble)
    return Sides(rules, task, source, destination)
