"""Jobs that run as long as the process does. One that ends ends the process: half an API is worse than none."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from shared.runtime.logging import get

INSIST_SECONDS = 1.0

log = get(__name__)


async def ended(*jobs: asyncio.Task[None]) -> None:
    """Cancel jobs until they have ended: a library may swallow one cancellation (`wait_for` of Python 3.11)."""
    pending = {job for job in jobs if not job.done()}
    while pending:
        for job in pending:
            job.cancel()
        _, pending = await asyncio.wait(pending, timeout=INSIST_SECONDS)
    await asyncio.gather(*jobs, return_exceptions=True)


class Background:
    """Keeps jobs; `on_death` is called once with what killed the first of them."""

    def __init__(self, on_death: Callable[[str, BaseException], None]) -> None:
        self._on_death = on_death
        self._jobs: list[asyncio.Task[None]] = []
        self._stopping = False

    def keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` until the process stops."""
        job = asyncio.create_task(work, name=name)
        job.add_done_callback(self._over)
        self._jobs.append(job)

    def alive(self, name: str) -> bool:
        """Whether the job of this name runs."""
        return any(job.get_name() == name and not job.done() for job in self._jobs)

    async def stop(self) -> None:
        """Cancel every job and wait for it."""
        self._stopping = True
        await ended(*self._jobs)

    def _over(self, job: asyncio.Task[None]) -> None:
        if self._stopping:
            return
        error = RuntimeError("it ended by itself") if job.cancelled() else job.exception()
        error = error or RuntimeError("it ended by itself")
        log.error("a background job ended", job=job.get_name(), why=repr(error), exc_info=error)
        self._stopping = True
        self._on_death(job.get_name(), error)
