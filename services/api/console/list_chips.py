"""The states above a list, each with its number of tasks where that costs little. Knows no markup.

The view keeps the numbers of all tasks. Those of a search are counted, up to a bound, unless words are searched for:
what these leave in other states only a second search could tell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from services.api.console.list_look import Look
from services.api.console.searchbox import STATES, BadSearch, tokens, with_state
from services.api.projection.reads import Filter, Reads
from services.api.rest.words import plain
from shared.task.state import TaskState

Counts = Mapping[TaskState, int] | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A chip as it is drawn; `count` is None where nobody counted."""

    word: str
    href: str
    count: str | None
    here: bool


async def counts(reads: Reads, where: Filter) -> tuple[Counts, bool]:
    """Return how many tasks a search finds in each state, whatever states it names, and whether that is all of them.

    None: it would cost a search more.
    """
    if where.name or where.text or where.object_name or where.things:
        return None, False
    return await reads.counts_of(replace(where, states=frozenset()))


def chips(
    look: Look, text: str, found: Counts, link: Callable[[str | None], str], *, exact: bool = True
) -> list[Shown]:
    """Return the chips of a search. `link` makes an address of a search's text."""
    here = _chosen(look, text)
    every = None if found is None else sum(found.values())
    shown = [Shown("All", link(with_state(text, None) or None), _number(every, exact=exact), here is None)]
    for chip in look.chips:
        count = None if found is None else sum(found[state] for state in chip.states)
        if chip.states == {TaskState.INITIALIZING} and not count and here != chip.states:
            continue  # it lasts no longer than a look
        href = link(with_state(text, chip.said, look.qualifier))
        shown.append(Shown(chip.word, href, _number(count, exact=exact), here == chip.states))
    return shown


def _chosen(look: Look, text: str) -> frozenset[TaskState] | None:
    """Return the states that a search names, None for none, and no state when no chip stands for them."""
    try:
        said = [plain(value).lower() for name, value in tokens(text) if name in STATES]
    except BadSearch:
        said = []
    if not said:
        return None
    fits = [chip.states for chip in look.chips if said == [chip.said]]
    return fits[0] if fits else frozenset()


def _number(count: int | None, *, exact: bool) -> str | None:
    if count is None:
        return None
    return f"{count:,}" if exact else f"{count:,}+"
