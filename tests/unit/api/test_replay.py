"""Signatures are used once; Huawei's clients may repeat themselves for a moment, over their own connection."""

from typing import Any

from services.api.identity.replay import REPEAT_SECONDS, Replays
from services.api.identity.signing import Claimed
from tests.unit.api.fakes import FakeBucket

HERE, THERE = ("10.0.0.1", 5000), ("10.0.0.1", 5001)
ONE, OTHER = Claimed("olk_1", "aa"), Claimed("olk_1", "bb")


class Clock:
    """A clock that is set."""

    at = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at


async def test_a_command_is_taken_once_and_a_read_every_time() -> None:
    """Without a connection there is no second time."""
    bucket: Any = FakeBucket()
    replays = Replays(bucket)
    assert await replays.first("POST", ONE)
    assert not await replays.first("POST", ONE)
    assert await replays.first("POST", OTHER)
    assert await replays.first("GET", ONE)


async def test_a_repeat_needs_the_same_connection_and_little_time() -> None:
    """Another port is another connection; the time counts from the first use, not from the last."""
    clock, bucket = Clock(), FakeBucket()
    shared: Any = bucket
    replays = Replays(shared, clock)
    assert await replays.first("POST", ONE, HERE)
    assert await replays.first("POST", ONE, HERE)
    assert not await replays.first("POST", ONE, THERE)
    assert not await replays.first("POST", ONE)
    assert not await Replays(shared, clock).first("POST", ONE, HERE), "another process has not seen the first use"
    clock.at = REPEAT_SECONDS
    assert await replays.first("POST", ONE, HERE)
    clock.at = REPEAT_SECONDS + 0.001
    assert not await replays.first("POST", ONE, HERE)
