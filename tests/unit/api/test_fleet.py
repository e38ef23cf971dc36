"""Executors as they say they are, and what comes of the wish that one takes no new work."""

import asyncio
import json
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch

import pytest

from services.api import fleet
from services.api.bus.replicas import Replica
from services.api.fleet import Fleet, Queue, Silent
from shared.queue.port import Depth
from shared.runtime.clock import now
from shared.store.kv import Bucket
from shared.store.streams import Figures
from tests.unit.api.fakes import FakeBucket


def said(name: str, **more: Any) -> dict[str, Any]:
    """What an executor says."""
    at = now().isoformat()
    return {"name": name, "pools": ["default"], "slots": 4, "startedAt": at, "at": at, "beatSeconds": 10, **more}


class World:
    """A bucket of executors that do as they are told, if they are listed in `obey`."""

    def __init__(self, *obey: str) -> None:
        self.bucket, self.obey = FakeBucket(), obey
        self.told: list[tuple[str, str, bool]] = []
        self.fleet = Fleet(
            cast("Bucket", self.bucket),
            cast("Queue", self),
            self,
            lambda: {"default", "far"},
            replicas=self.nobody,
            storage=self.nothing,
        )

    async def nobody(self) -> list[Replica]:
        """No API process answers."""
        return []

    async def nothing(self) -> list[Figures]:
        """No stream is there."""
        return []

    async def put(self, incarnation: str, content: Any) -> None:
        """An executor says something."""
        await self.bucket.put(incarnation, json.dumps(content).encode())

    async def drain(self, incarnation: str, by: str, *, on: bool) -> None:
        """Tell one; the first nudge is always lost."""
        self.told.append((incarnation, by, on))
        if incarnation in self.obey and len(self.told) > 1:
            await self.put(incarnation, said("one", draining=on, drainedBy=by))

    async def depth(self, pool: str) -> Depth | None:
        """Every pool but far has a queue."""
        return Depth(2, 1) if pool != "far" else None

    async def strays(self, known: dict[str, Depth]) -> dict[str, Depth]:
        """Two pools have items and no consumer."""
        return {pool: Depth(1, 0) for pool in ("far", "lost") if pool not in known}


async def test_executors_are_listed_and_nonsense_is_passed_over() -> None:
    """By name; what one of them has put there cannot hide the others."""
    world = World()
    await world.put("2-b", said("zoe", running=[{"task": 7, "subtask": 2, "fence": 9, "progress": [0.5, "half"]}]))
    await world.put("1-a", said("abe", more="of a later version"))
    for place, nonsense in enumerate(({}, [], "x", said("x", slots="many"), said("x", at="2026-01-01T00:00:00"))):
        await world.put(f"9-{place}", nonsense)

    found = await world.fleet.executors()

    assert [(one.incarnation, one.name, one.busy) for one in found] == [("1-a", "abe", 0), ("2-b", "zoe", 1)]
    assert found[1].running[0].progress == (0.5, "half")


async def test_an_executor_drains_and_takes_work_again() -> None:
    """It is told until it says that it does; who has asked stands in its entry."""
    world = World("1-a")
    await world.put("1-a", said("one"))

    drained = await world.fleet.drain("1-a", "ana", on=True)
    again = await world.fleet.drain("1-a", "ana", on=False)

    assert drained is not None
    assert (drained.draining, drained.drained_by) == (True, "ana")
    assert again is not None
    assert not again.draining
    assert world.told == [("1-a", "ana", True), ("1-a", "ana", True), ("1-a", "ana", False)]


async def test_what_it_does_already_is_not_asked_for() -> None:
    """Two people press the same button."""
    world = World("1-a")
    await world.put("1-a", said("one", draining=True))

    assert await world.fleet.drain("1-a", "ana", on=True) is not None
    assert world.told == []


async def test_one_that_does_not_answer_is_silent() -> None:
    """Nobody is told that it drains while it takes work."""
    world = World()
    await world.put("1-a", said("one"))

    with patch.object(fleet, "PATIENCE", 0.05), patch.object(fleet, "ASK_AGAIN", 0.01), pytest.raises(Silent):
        await world.fleet.drain("1-a", "ana", on=True)


@pytest.mark.parametrize("incarnation", ["", "gone", "a.b", "*", ">", "a b", "../x", "x" * 81])
async def test_one_that_is_not_there_is_none(incarnation: str) -> None:
    """Whatever stands in an address; only names that can be an executor's are looked up at all."""
    world = World()

    assert await asyncio.wait_for(world.fleet.drain(incarnation, "ana", on=True), 1) is None
    assert world.told == []


async def test_every_pool_has_its_depth() -> None:
    """Those offered in, those executors serve, and those that something waits for though nobody serves them."""
    world = World()
    await world.put("1-a", said("one", pools=["db"]))

    assert await world.fleet.depths() == {
        "db": Depth(2, 1),
        "default": Depth(2, 1),
        "far": Depth(1, 0),
        "lost": Depth(1, 0),
    }


async def test_one_that_missed_a_beat_is_late() -> None:
    """Two beats long it may be slow; then somebody has to look."""
    world, at = World(), now()
    await world.put("1-a", said("one", at=(at - timedelta(seconds=19)).isoformat()))
    await world.put("1-b", said("two", at=(at - timedelta(seconds=21)).isoformat()))

    assert [one.late(at) for one in await world.fleet.executors()] == [False, True]
