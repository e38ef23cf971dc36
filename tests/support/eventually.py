"""Waiting in tests: try until it holds or the deadline passes, then say what was last seen.

Knows nothing of what is waited for. A check holds when it returns something truthy; `None` does not count, so that a
look-up that found nothing yet is tried again. A check that raises AssertionError is tried again, as is one that raises
what `ignoring` names; any other error ends the wait at once.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")


class _Wait:
    """One wait: its deadline, how often it tried, and what the last try gave."""

    def __init__(self, what: str, timeout: float, ignoring: tuple[type[Exception], ...]) -> None:
        self.what, self.timeout = what, timeout
        self.retried: tuple[type[Exception], ...] = (AssertionError, *ignoring)
        self.tries = 0
        self.last = "the check has not ended"
        self.cause: Exception | None = None
        self._deadline = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self._deadline - time.monotonic())

    def saw(self, value: object) -> None:
        self.last, self.cause = f"the check returned {value!r}", None

    def met(self, error: Exception) -> None:
        self.last, self.cause = f"the check raised {type(error).__name__}: {error}", error

    def over(self) -> AssertionError:
        """The error that ends the wait."""
        tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
        return AssertionError(f"not within {self.timeout:g} s: {self.what} ({tries}); last, {self.last}")


def _name(check: Callable[[], object]) -> str:
    code = getattr(check, "__code__", None)
    where = f" (line {code.co_firstlineno})" if code is not None else ""
    return f"{getattr(check, '__qualname__', repr(check))}{where}"


@overload
async def eventually(
    check: Callable[[], Awaitable[T]],
    *,
    timeout: float = ...,
    interval: float = ...,
    what: str | None = ...,
    ignoring: tuple[type[Exception], ...] = ...,
) -> T: ...


@overload
async def eventually(
    check: Callable[[], T],
    *,
    timeout: float = ...,
    interval: float = ...,
    what: str | None = ...,
    ignoring: tuple[type[Exception], ...] = ...,
) -> T: ...


async def eventually(
    check: Callable[[], T | Awaitable[T]],
    *,
    timeout: float = 5.0,
    interval: float = 0.02,
    what: str | None = None,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Try every `interval` seconds, at most `timeout` seconds long; return what the check returned when it held.

    The check may be a plain function or a coroutine function; a coroutine is cut off at the deadline.
    Raises AssertionError that names `what` (default: the check), the tries and what was last seen.
    """
    wait = _Wait(what or _name(check), timeout, ignoring)
    while True:
        wait.tries += 1
        cut = asyncio.timeout(wait.left() or interval)
        try:
            async with cut:
                answer = check()
                value = await answer if inspect.isawaitable(answer) else answer
        except wait.retried as error:
            wait.met(error)
        except TimeoutError as error:
            if not cut.expired():
                raise
            wait.last = f"the check hung; before that, {wait.last}"
            raise wait.over() from error
        else:
            if value:
                return cast("T", value)
            wait.saw(value)
        if not wait.left():
            raise wait.over() from wait.cause
        await asyncio.sleep(min(interval, wait.left()))


def eventually_sync(
    check: Callable[[], T],
    *,
    timeout: float = 5.0,
    interval: float = 0.02,
    what: str | None = None,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """As `eventually`, for code outside an event loop; a check that hangs is not cut off."""
    wait = _Wait(what or _name(check), timeout, ignoring)
    while True:
        wait.tries += 1
        try:
            value = check()
        except wait.retried as error:
            wait.met(error)
        else:
            if value:
                return value
            wait.saw(value)
        if not wait.left():
            raise wait.over() from wait.cause
        time.sleep(min(interval, wait.left()))
