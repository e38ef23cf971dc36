"""A task's history, the newest decision first: who, what, why, refusals too; narrowed to a kind, by the page.

A narrowed page reads on until it is full, within a bound; what lies beyond is asked for by its own link.
"""

from typing import Any, Final

from services.api.console.event_words import KINDS, Entry, entry, fits, names
from services.api.console.task_shown import Shown
from services.api.rest import query
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import visible
from services.api.rest.ports import api

SIZE: Final = 50
"""Decisions on a page."""
CHUNK: Final = 200
READ: Final = 1_000
"""Commits that one narrowed page looks at."""


async def events(found: Shown) -> dict[str, Any]:
    """Return a page of decisions. Raises 400 for a kind that is none."""
    kind = found.request.query_params.get("kind") or "all"
    if kind not in KINDS:
        raise bad_parameter("kind", f"is one of {', '.join(KINDS)}")
    given = query.number(found.request, "cursor", least=1)
    before = given if given is not None else (found.task.seq + 1 if found.past else None)
    told, older = await _page(found, kind, before)
    return {
        "events": told,
        "kinds": [
            {
                "word": word,
                "here": name == kind,
                "href": found.address(kind=None if name == "all" else name, cursor=None),
            }
            for name, word in KINDS.items()
        ],
        "older": found.address(cursor=older) if older is not None else None,
        "newest": found.address(cursor=None) if given is not None else None,
        "here_seq": found.task.seq if found.past else 0,
        "step_to": lambda seq: found.address(at=seq, cursor=None),
        "subtask_link": lambda number: found.address(view="graph", subtask=number, kind=None, cursor=None),
    }


async def _page(found: Shown, kind: str, before: int | None) -> tuple[list[Entry], int | None]:
    """Return decisions of a kind, and where the next page goes on; a commit's decisions stay together."""
    histories, called = api(found.request).live.histories, names(found.task)
    told: list[Entry] = []
    read = 0
    size = SIZE if kind == "all" else CHUNK
    while True:
        page = await histories.before(found.task.id, before, size)
        visible(found.request, page.labels)
        for seq, made in reversed(page.contents):
            told += [entry(one, called) for one in reversed(made) if fits(one, kind)]
            before = seq
            if len(told) >= SIZE:
                first = seq == page.contents[0][0]
                return told, before if page.more or not first else None
        read += len(page.contents)
        if not page.more:
            return told, None
        if read >= READ:
            return told, before
