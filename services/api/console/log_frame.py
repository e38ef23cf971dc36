"""What stands between a subtask's lines: where a run begins, who ran it, how it ended. Drawn from its commits.

A reader is somewhere in it: `drawn` counts what was shown so far, two for each run (its beginning and its end), so a
reader who comes back goes on where they were. Knows neither lines nor pages.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.api.console.log_history import History
from services.api.rest.live.log_line import Line
from services.api.rest.live.log_runs import RunAbout
from services.api.rest.log_text import Key, gone

Runs = frozenset[tuple[int, int, str | None]]
"""Generation, attempt and phase, None for either phase."""
_OPERATION: Final = re.compile(r"#\{([A-Z]+)\}")
_WORDS: Final = {"ROLLBACK": "Rolled back", "SKIP": "Skipped", "CANCEL": "Cancelled"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing between lines. `head`: a run begins; else what is said of its end, or that lines are missing."""

    id: str
    text: str
    head: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One run: what names it in addresses, and what stands before and behind its lines."""

    key: Key | None
    name: str
    """What `attempt` says to choose it; empty for what printed nothing, as a skip."""
    title: str
    at: datetime | None
    notes: tuple[str, ...]
    end: tuple[str, ...]


class Frame:
    """The runs of one subtask as one reader sees them."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._chosen: Runs | None = None
        self._since: datetime | None = None
        self.known: list[Part] = []
        """Every run."""
        self.parts: list[Part] = []
        """Those that are shown."""

    @property
    def abouts(self) -> list[RunAbout]:
        """What there is to say of each run."""
        return self._history.abouts

    async def extend(self) -> None:
        """Read what was committed since. Raises `LogUnavailable`."""
        await self._history.extend()
        self._draw()

    async def meet(self, lines: Iterable[Line]) -> bool:
        """Read on when a line is of a run that began since; return whether one did. Raises `LogUnavailable`.

        What ended that run may then be known before all of its lines were read.
        """
        strange = {line.run for line in lines} - {part.key for part in self.known}
        if strange:
            await self.extend()
        return not strange.isdisjoint({part.key for part in self.known})

    def choose(self, runs: Runs | None) -> None:
        """Show these runs only, None for all."""
        self._chosen = runs
        self._draw()

    def expired(self, since: datetime | None) -> None:
        """Say where lines may be missing: everything printed since then is there, None for everything."""
        self._since = since
        self._draw()

    def _draw(self) -> None:
        self.known = list(self._parts())
        self.parts = [part for part in self.known if self._shows(part.key)]

    def _shows(self, key: Key | None) -> bool:
        if self._chosen is None:
            return True
        return key is not None and not self._chosen.isdisjoint({key, (key[0], key[1], None)})

    def _parts(self) -> Iterator[Part]:
        abouts = {(one.generation, one.attempt, one.phase): one for one in self._history.abouts}
        executions = [key for key in abouts if key[2] == "execute"]
        since = self._since
        for key, run in self._history.text.runs:
            about = abouts.get(key) if key is not None else None
            name, title = "", "Lines of a run that is not known"
            if about is not None and key is not None:
                known = key in executions
                name = str(executions.index(key) + 1) if known else f"{about.generation}-{about.attempt}"
                title = f"{f'Attempt {name}' if known else 'Undo'} on {about.executor}"
            elif run.head:
                said = _OPERATION.search(run.head)
                title = _WORDS.get(said[1], said[1].capitalize()) if said else title
            notes: tuple[str, ...] = ()
            if since is not None and run.at is not None and run.at < since:
                notes, since = (gone(since),), None  # once: from there on
            yield Part(key, name, title, run.at, notes, tuple(line for line in run.end if line))

    def until(self, drawn: int, key: Key, before: Key | None) -> tuple[list[Mark], int]:
        """Return what stands before a line of run `key`, `before` being the run of the line before it."""
        if key == before and drawn:
            return [], drawn
        ahead = [place for place, part in enumerate(self.parts) if part.key == key and 2 * place + 1 > drawn]
        if not ahead:
            return ([Mark("", f"Lines of run {key[0]}-{key[1]}", head=True)] if key != before else []), drawn
        upto = 2 * ahead[0] + 1
        return self._between(drawn, upto), upto

    def rest(self, drawn: int) -> tuple[list[Mark], int]:
        """Return what stands behind the last line; a run that has not ended stays open."""
        upto = 2 * len(self.parts)
        if self.parts and not self.parts[-1].end:
            upto -= 1
        return self._between(drawn, upto), max(drawn, upto)

    def begin(self, key: Key) -> int:
        """Return what counts as drawn where a page begins with a line of this run: all before it."""
        return next((2 * place for place, part in enumerate(self.parts) if part.key == key), 0)

    def _between(self, drawn: int, upto: int) -> list[Mark]:
        found: list[Mark] = []
        for half in range(drawn, upto):
            part, name = self.parts[half // 2], f"M{half}"
            if half % 2 == 0:
                found.append(Mark(name, part.title, head=True, at=part.at))
            lines = part.end if half % 2 else part.notes
            found += [Mark(f"{name}.{place}", line) for place, line in enumerate(lines, 1)]
        return found
