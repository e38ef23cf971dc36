"""Waiting for the log: try again with growing pauses until the deadline, then say what the caller may conclude."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NoReturn, TypeVar

from shared.log.port import Ambiguous, LogUnavailable, NotStored

T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]], deadline: float, *, maybe: bool = False) -> T:
    """Return what `call` returns; it is repeated until `deadline` (monotonic). Raises `LogUnavailable` then."""
    pause = 0.01
    while True:
        try:
            return await call()
        except (NotStored, Ambiguous):
            if monotonic() > deadline:
                give_up(maybe=maybe)
        pause = await rest(pause)


async def rest(pause: float) -> float:
    """Wait about `pause` seconds; return how long to wait next time."""
    await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  jitter
    return min(pause * 2, 1.0)


def give_up(*, maybe: bool) -> NoReturn:
    """Raise `LogUnavailable`; `maybe` says whether the command may have been stored, or may still be."""
    raise LogUnavailable(
        "The log does not answer; the command may still take effect. Repeat it with its key."
        if maybe
        else "The log cannot be reached; nothing was stored.",
        maybe=maybe,
    )
