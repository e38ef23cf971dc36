"""A page that several people look at: drawn once when something changed, its new pieces handed to all of them.

A piece has the log position that it shows and the turn at which it became what it is. A reader who comes with the
position that was painted gets what is newer, and never anything older; one who is slow gets the newest of what changed
meanwhile, once. Nothing is queued, so a slow client costs no memory. Knows no template, no storage and no HTTP.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import process_time
from typing import Final, Protocol

from services.api.console.live_lane import Lane
from services.api.projection.faults import ViewUnavailable
from services.api.rest.live.fan import Item, Listener
from services.api.rest.live.frame import frame
from services.api.rest.live.tail import Tail
from shared.log.port import LogUnavailable
from shared.runtime.logging import get
from shared.task.refusals import TaskNotFound

PACE: Final = 0.2
"""A page is drawn at most once in so many seconds."""
SHARE: Final = 9
"""It rests so many times as long as drawing it took processors: a dear page takes a tenth of one at most."""
AGAIN: Final = 1.0
"""How long (s) until it is tried again when log or view did not answer."""
LONGEST: Final = 10.0
"""How long (s) it rests at most, and how long drawing may take."""
LONG: Final = 3600.0
ALWAYS: Final = 2**63
"""The position of a piece that does not know it: whoever comes is sent it."""

log = get(__name__)


class Anew(Exception):  # noqa: N818  no error: the page is another one now
    """Pieces do not do: the page has to be fetched anew."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn: each piece's log position and HTML, by the id of its element.

    `seq`: up to where the log is in it. `again`: in how many seconds it looks different without any commit.
    """

    seq: int
    pieces: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    again: float = LONG


class Scene(Protocol):
    """What draws a page."""

    async def reach(self, seq: int) -> bool:
        """Wait until what it reads holds the log up to `seq`; return whether it does."""

    async def draw(self, changed: frozenset[int] | None, seq: int) -> Drawn:
        """Draw what these tasks' commits up to `seq` have changed, None: all of it. Raises `Anew`, `TaskNotFound`."""


class Changes(Listener):
    """Which tasks were touched since the last look: it takes the same room however much happens to them."""

    def __init__(self, task_id: int | None, teams: frozenset[str] | None) -> None:
        super().__init__(task_id, teams)
        self._touched: set[int] = set()

    def give(self, item: Item) -> None:
        """Take note of a commit; returns at once."""
        self._touched.add(item.task_id)
        self._stirred.set()

    def touched(self) -> frozenset[int]:
        """Return whose commits came since the last time."""
        found = frozenset(self._touched)
        self._touched.clear()
        self.take()
        return found


@dataclass(frozen=True, slots=True)
class Piece:
    """One element of the page. `seq`: the log position it shows; `turn`: when it became what it is."""

    seq: int
    turn: int
    html: str


class Room:
    """One page that is looked at. `run` keeps it drawn; `seq` is how far the log is in it, `turn` counts changes."""

    def __init__(self, tail: Tail, lane: Lane, changes: Changes, scene: Scene) -> None:
        self._tail, self._lane, self._changes, self._scene = tail, lane, changes, scene
        self._pieces: dict[str, Piece] = {}
        self._frames: dict[tuple[int, int], bytes] = {}
        self._news = asyncio.Event()
        self._rest = PACE
        self.seq = self.turn = 0
        self.over = False
        """The page has to be fetched anew."""

    async def run(self) -> None:
        """Keep it drawn until cancelled, or until it is over."""
        while True:
            try:
                await self._tail.join(self._changes)
                break
            except LogUnavailable:
                await asyncio.sleep(AGAIN)
        try:
            await self._keep()
        except (Anew, TaskNotFound):
            self.over = True
            self._tell()
        finally:
            self._tail.leave(self._changes)

    def newer(self, turn: int, seq: int) -> bytes:
        """Return what a reader has missed since `turn` that shows more than `seq`; empty when that is nothing."""
        key = (turn, seq if turn == 0 else 0)
        if key not in self._frames:
            found = {
                name: piece.html for name, piece in self._pieces.items() if piece.turn > turn and piece.seq > key[1]
            }
            self._frames[key] = frame("patch", found, self.seq) if found else b""
        return self._frames[key]

    async def wait(self, seconds: float) -> None:
        """Wait until it was drawn anew, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _keep(self) -> None:
        epoch, changed = self._tail.epoch, None
        while True:
            drawn = await self._try(changed)
            if drawn is not None:
                self._show(drawn)
                changed = frozenset[int]()
            await asyncio.sleep(self._rest if drawn is not None else AGAIN)
            if drawn is not None:
                await self._changes.wait(drawn.again)
            if self._tail.epoch != epoch:
                raise Anew
            touched = self._changes.touched()
            changed = changed | touched if changed is not None else None

    async def _try(self, changed: frozenset[int] | None) -> Drawn | None:
        """Draw, or return None when it has to be tried again."""
        seq = self._tail.top
        try:
            if not await self._scene.reach(seq):
                return None
            async with self._lane.turn(), asyncio.timeout(LONGEST):
                began = process_time()
                drawn = await self._scene.draw(changed, seq)
                self._rest = max(PACE, min(SHARE * (process_time() - began), LONGEST))
                return drawn
        except (LogUnavailable, ViewUnavailable, TimeoutError):
            return None
        except (Anew, TaskNotFound):
            raise
        except Exception:
            log.exception("a live page could not be drawn")
            return None

    def _show(self, drawn: Drawn) -> None:
        turn = self.turn + 1
        for name, (seq, html) in drawn.pieces.items():
            old = self._pieces.get(name)
            if old is None or old.html != html:
                self._pieces[name] = Piece(seq, turn, html)
                self.turn = turn
            elif old.seq != seq:
                self._pieces[name] = Piece(seq, old.turn, html)
        self.seq = max(self.seq, drawn.seq)
        self._tell()

    def _tell(self) -> None:
        self._frames.clear()
        self._news.set()
        self._news = asyncio.Event()
