"""What a list's address asks for, asked as REST would be: the same filters, sort, cursor and teams. Knows no markup.

What cannot be understood is told in the search box's own words, and nothing is found then.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from services.api.console import list_chips
from services.api.console.list_look import Look
from services.api.console.searchbox import NAMES, BadSearch, Pairs, likely, parse
from services.api.projection.reads import Filter
from services.api.projection.view import Page, TaskRow
from services.api.rest import query
from services.api.rest.errors import Problem
from services.api.rest.policy import principal
from services.api.rest.ports import api
from services.api.rest.tasks import reach_list

SIZE: Final = 50
KEPT: Final = frozenset({"cursor", "sort", "min_seq"})
"""Parameters of a page that are REST's."""
_NUMBER: Final = re.compile(r"#?([0-9]{1,15})")
NOTHING: Final = Page([], 1, SIZE, 0, total_exact=True)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of tasks, how many are in each state (None: not counted), or the problem in words; `hint`: try this."""

    page: Page = NOTHING
    counts: list_chips.Counts = None
    exact: bool = True
    problem: str = ""
    hint: str = ""
    direct: TaskRow | None = None
    """The task whose number was searched for."""


async def find(request: Request, look: Look, text: str) -> Found:
    """Return what a search finds in a look. Raises `ViewUnavailable`, 504 for a `min_seq` that is not reached."""
    try:
        pairs = parse(text, principal(request).name)
        asked = asking(request, pairs, look)
        (sort, descending), after = query.sorting(asked), query.cursor(asked)
        where = query.filters(asked)
    except query.Nothing:
        return Found()
    except BadSearch as error:
        return Found(problem=str(error))
    except Problem as error:
        return Found(problem=_in_words(error))
    reads = api(request).reads
    await reach_list(request, api(request))
    page, (counts, exact) = await asyncio.gather(
        reads.tasks(where, page=1, size=SIZE, sort=sort, descending=descending, after=after),
        list_chips.counts(reads, where),
    )
    return Found(
        page, counts, exact, hint="" if page.contents else _hint(request, where), direct=await _direct(request, text)
    )


def asking(request: Request, pairs: Pairs, look: Look, kept: Iterable[str] = KEPT) -> Request:
    """Return the request as REST's list would have been asked, for its own functions to read. Raises `Nothing`."""
    kept = frozenset(kept)
    of_address = [(name, value) for name, value in request.query_params.multi_items() if name in kept]
    asked = [*of_address, *_within(pairs, look), *([("dialect", look.dialect)] if look.dialect != "ocp" else [])]
    return Request({**request.scope, "query_string": urlencode(asked).encode()})


async def _direct(request: Request, text: str) -> TaskRow | None:
    """Return the task of a search that is nothing but a number."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return None
    where = Filter(ids=(int(number.group(1)),), teams=principal(request).teams)
    return next(iter((await api(request).reads.tasks(where, size=1)).contents), None)


def _within(pairs: Pairs, look: Look) -> Pairs:
    """Return the parameters with the look's task types: of those that were asked for, its own alone."""
    if not look.types:
        return pairs
    wanted = {word.strip() for name, value in pairs if name == "taskType" for word in value.split(",")}
    types = [kind for kind in look.types if not wanted or kind in wanted]
    if not types:
        raise query.Nothing
    return [pair for pair in pairs if pair[0] != "taskType"] + [("taskType", ",".join(types))]


def _in_words(error: Problem) -> str:
    """Return what REST says of a parameter as the search box would. Raises what is no matter of words."""
    name = (error.target or {}).get("parameter", "")
    if error.status != 400 or not name:
        raise error
    text = error.message.removeprefix(f"The parameter {name} ")
    if name == "cursor":
        return "This address goes on behind a task in a way that is not understood. Go back to the first page."
    said = NAMES.get(name, name)
    return f"{said}: {text}" if text != error.message else text


def _hint(request: Request, where: Filter) -> str:
    """Return what somebody who found nothing may have meant."""
    known = sorted(api(request).catalog.types)
    unknown = [kind for kind in where.types if kind not in known]
    meant = likely(unknown[0], known) if unknown else None
    if not meant:
        return ""
    return f"There is no task type {unknown[0]} on offer. Did you mean type:{meant}?"
