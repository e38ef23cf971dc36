"""Waiting itself: when a check holds, what is tried again, and what a failure says."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually, eventually_sync


async def test_returns_what_the_check_returned_when_it_held() -> None:
    """The wait ends at the first truthy answer and hands it on."""
    answers: Iterator[str | None] = iter([None, "", "there"])
    assert await eventually(lambda: next(answers), interval=0) == "there"


async def test_a_coroutine_check_is_awaited() -> None:
    """A check may itself wait for something."""

    async def check() -> int:
        await asyncio.sleep(0)
        return 7

    assert await eventually(check) == 7


async def test_a_failed_assertion_is_tried_again_and_named_at_the_end() -> None:
    """The failure says what was waited for, how often it was tried, and what was last seen."""

    def check() -> bool:
        assert len([1]) == 2, "one row"
        return True

    with pytest.raises(AssertionError, match=r"not within 0\.05 s: two rows \(\d+ tries\); last, .*one row"):
        await eventually(check, timeout=0.05, interval=0.01, what="two rows")


async def test_none_does_not_hold() -> None:
    """A look-up that finds nothing is tried until the deadline."""
    with pytest.raises(AssertionError, match="the check returned None"):
        await eventually(lambda: None, timeout=0.02, interval=0.01)


async def test_a_check_that_hangs_is_cut_off() -> None:
    """A coroutine that never ends costs no more than the deadline."""
    with pytest.raises(AssertionError, match="the check hung"):
        await eventually(asyncio.Event().wait, timeout=0.02)


async def test_another_error_ends_the_wait_unless_it_is_ignored() -> None:
    """What the caller did not expect is not waited away."""
    answers = iter([False, True])

    def check() -> str:
        if next(answers):
            return "up"
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await eventually(check)
    answers = iter([False, True])
    assert await eventually(check, ignoring=(ConnectionRefusedError,), interval=0) == "up"


def test_outside_a_loop_it_waits_likewise() -> None:
    """The plain version returns, retries and reports as the other does."""
    answers = iter([0, 3])
    assert eventually_sync(lambda: next(answers), interval=0) == 3
    with pytest.raises(AssertionError, match="the check returned 0"):
        eventually_sync(lambda: 0, timeout=0.02, interval=0.01)
