"""One page for many readers: who is sent what, when it is drawn, and what happens when drawing fails."""

import asyncio
from collections.abc import AsyncIterator
from time import process_time
from typing import Any, cast

import pytest

from services.api.console import live_room
from services.api.console.live_lane import WIDTH, Lane
from services.api.console.live_reader import Reader
from services.api.console.live_room import ALWAYS, Anew, Changes, Drawn, Room
from services.api.console.live_rooms import Rooms
from services.api.rest.live.fan import Item
from services.api.rest.live.tail import Tail
from shared.log.port import LogUnavailable
from tests.support.eventually import eventually


class End:
    """The end of a log that the test writes."""

    def __init__(self) -> None:
        self.top = self.epoch = 0
        self.listening: list[Changes] = []

    async def join(self, listener: Changes) -> None:
        """Let it listen."""
        self.listening.append(listener)

    def leave(self, listener: Changes) -> None:
        """Let it go."""
        self.listening.remove(listener)

    def commit(self, task_id: int) -> int:
        """Store a commit of this task; return its position."""
        self.top += 1
        for listener in self.listening:
            listener.give(Item(self.top, task_id, {}, 0, list))
        return self.top


class Picture:
    """A page of two pieces: `head` changes with each commit, `title` never does."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.drawn: list[frozenset[int] | None] = []
        self.problem: Exception | None = None

    async def reach(self, seq: int) -> bool:
        """It is there."""
        return seq <= self.end.top

    async def draw(self, changed: frozenset[int] | None, seq: int) -> Drawn:
        """Draw it."""
        self.drawn.append(changed)
        if self.problem is not None:
            raise self.problem
        return Drawn(seq, {"head": (seq, f"<p>{seq}</p>"), "title": (ALWAYS, "same")})


class Stage:
    """A room with its log and its picture."""

    def __init__(self) -> None:
        self.end = End()
        self.picture = Picture(self.end)
        self.changes = Changes(7, None)
        self.room = Room(cast("Tail", self.end), Lane(), self.changes, self.picture)
        self.job = asyncio.create_task(self.room.run())

    def reader(self, after: int) -> Reader:
        """Somebody who has a page that shows the log up to `after`."""

        async def leave() -> None:
            pass

        return Reader(self.room, after, leave)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A room that draws as often as it likes."""
    monkeypatch.setattr(live_room, "PACE", 0.0)
    monkeypatch.setattr(live_room, "SHARE", 0)
    monkeypatch.setattr(live_room, "AGAIN", 0.01)
    found = Stage()
    found.end.commit(7)
    await eventually(lambda: found.room.turn == 1)
    yield found
    found.job.cancel()
    await asyncio.gather(found.job, return_exceptions=True)
    assert found.end.listening == []


async def events(reader: Reader) -> bytes:
    """What the reader is sent next."""
    async with asyncio.timeout(5):
        while True:
            found = await reader.next(1.0)
            if found is None or found.startswith((b"id:", b"event:")):
                return found or b""


async def test_whoever_comes_gets_what_is_newer_than_the_page(stage: Stage) -> None:
    """All of it for an old page, only what does not know its position for a fresh one."""
    assert b"<p>1</p>" in await events(stage.reader(0))
    fresh = await events(stage.reader(1))
    assert b"<p>" not in fresh
    assert b"same" in fresh


async def test_nothing_older_than_the_page_is_sent(stage: Stage) -> None:
    """A page that is ahead of this process waits until it has caught up."""
    ahead = stage.reader(3)
    waiting = asyncio.create_task(events(ahead))
    stage.end.commit(7)
    await eventually(lambda: stage.room.seq == 2)
    assert not waiting.done()
    stage.end.commit(7)
    stage.end.commit(7)
    found = await waiting
    assert b"same" in found
    assert b"<p>2</p>" not in found
    assert b"<p>3</p>" not in found


async def test_a_slow_reader_gets_the_newest_once(stage: Stage) -> None:
    """What changed several times meanwhile comes once, as it is now."""
    reader = stage.reader(0)
    await events(reader)
    for _ in range(5):
        seq = stage.end.commit(7)
        await eventually(lambda seq=seq: stage.room.seq == seq)  # type: ignore[misc]
    found = await events(reader)
    assert found.count(b"<p>") == 1
    assert b"<p>6</p>" in found
    assert found.startswith(b"id: 6\n")
    assert b"same" not in found


async def test_readers_share_the_bytes(stage: Stage) -> None:
    """What two readers are sent is one object."""
    one, two = stage.reader(0), stage.reader(0)
    assert await events(one) is await events(two)
    stage.end.commit(7)
    await eventually(lambda: stage.room.seq == 2)
    assert await events(one) is await events(two)


async def test_what_could_not_be_drawn_is_drawn_later(stage: Stage) -> None:
    """An absent log, or a fault of ours, loses no change: it is tried again with all that was touched."""
    reader = stage.reader(0)
    await events(reader)
    for problem in (LogUnavailable("away", maybe=False), ZeroDivisionError()):
        stage.picture.problem = problem
        drawn = len(stage.picture.drawn)
        seq = stage.end.commit(7)
        await eventually(lambda drawn=drawn: len(stage.picture.drawn) > drawn + 1)  # type: ignore[misc]
        stage.picture.problem = None
        assert f"<p>{seq}</p>".encode() in await events(reader)
    assert set(stage.picture.drawn[1:]) == {frozenset({7})}


@pytest.mark.parametrize("why", ["anew", "another log"])
async def test_a_page_that_is_another_one_now_is_asked_to_fetch_itself(stage: Stage, why: str) -> None:
    """One `reset`, then the end of the stream."""
    reader = stage.reader(0)
    await events(reader)
    if why == "anew":
        stage.picture.problem = Anew()
    else:
        stage.end.epoch += 1
    stage.end.commit(7)
    assert b"event: reset" in await events(reader)
    assert await reader.next(1.0) is None


async def test_all_pages_together_take_half_the_time() -> None:
    """However many there are to draw, the process has as long for everything else."""
    lane, clock = Lane(), asyncio.get_running_loop().time

    async def page() -> None:
        async with lane.turn():
            spent = process_time()
            while process_time() < spent + 0.02:
                pass

    began = clock()
    await asyncio.gather(*(page() for _ in range(3 * WIDTH)))
    assert clock() - began > 2 * 2 * WIDTH * 0.02


async def test_a_room_lasts_as_long_as_somebody_looks() -> None:
    """The second reader of an address comes into the same room; the last one to leave ends it."""
    end = End()
    rooms = Rooms(cast("Tail", end))
    made: list[Any] = []

    def make() -> tuple[Changes, Picture]:
        made.append(1)
        return Changes(None, None), Picture(end)

    one, two, other = rooms.reader("a", make, 0), rooms.reader("a", make, 0), rooms.reader("b", make, 0)
    assert (len(rooms), len(made)) == (2, 2)
    await eventually(lambda: len(end.listening) == 2)
    await one.close()
    assert len(rooms) == 2
    await two.close()
    await other.close()
    assert (len(rooms), end.listening) == (0, [])
