"""Waiting for the view to reach a log position (`min_seq`)."""

import asyncio

from services.api.projection.position import Position


async def test_who_waits_is_woken_by_the_move_that_reaches_it() -> None:
    """Each waits for its own position."""
    position = Position()
    near, far = (asyncio.create_task(position.wait_for(seq, 5)) for seq in (3, 9))
    await asyncio.sleep(0)

    assert await position.move(5)
    assert await near
    assert not far.done()
    assert await position.move(9)
    assert await far
    assert not await position.move(9)


async def test_wanted_tells_whether_somebody_waits() -> None:
    """A process that stands by looks more often then."""
    position = Position()
    assert not await position.wanted(0)
    waiting = asyncio.create_task(position.wait_for(1, 5))
    assert await position.wanted(1)
    await position.move(1)
    assert await waiting
    assert not await position.wanted(0)


async def test_patience_ends() -> None:
    """What does not come in time is answered with no."""
    assert not await Position().wait_for(1, 0)
