"""Kill a process with SIGKILL at the Nth thing it does to the world, for every N, and go on in another one."""

import asyncio
import inspect
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.executor.postgres.session import Session
from tests.integration.tenant.steps import Keeper, _File

Where = str
"""`before` or `after` the Nth effect."""

ON_THE_SERVER = ((Session, "do"), (Keeper, "keep"), (_File, "write"))


def dies(
    work: Callable[[], Awaitable[None]],
    number: int,
    where: Where = "before",
    effects: Sequence[tuple[Any, str]] = ON_THE_SERVER,
) -> bool:
    """Run `work` in a fork that is killed at its Nth effect; whether it was, rather than coming to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.set_event_loop(None)
            _arm(number, where, effects)
            asyncio.run(_run(work))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work itself failed"
    return os.WIFSIGNALED(status)


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def _arm(number: int, where: Where, effects: Sequence[tuple[Any, str]]) -> None:
    left = [number]

    def begins() -> bool:
        left[0] -= 1
        if left[0] == 0 and where == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        return left[0] == 0

    def ends(mine: bool) -> None:  # effects may lie in one another
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)

    def lethal(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        async def waits(*args: Any, **kwargs: Any) -> Any:
            mine = begins()
            result = await original(*args, **kwargs)
            ends(mine)
            return result

        def does(*args: Any, **kwargs: Any) -> Any:
            mine = begins()
            result = original(*args, **kwargs)
            ends(mine)
            return result

        setattr(owner, name, waits if inspect.iscoroutinefunction(original) else does)

    for owner, name in effects:
        lethal(owner, name)
