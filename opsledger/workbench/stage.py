"""A real operation on stage: what a test wants to go wrong is played around it, and at what it says.

Refuses to know what the core makes of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from opsledger.workbench.cue import SAYS, Attempt, Cue, Cues
from services.executor.fault import PermanentFault
from services.executor.operations.contract import Context, Level, LineFeed, Log, Operation


class Staged(Operation[Any]):
    """A real operation with what a test wants to happen around it. `crash` lets go of the claim, as death does."""

    Params = BaseModel

    def __init__(
        self,
        real: Operation[Any],
        cues: Cues,
        *,
        crash: Callable[[], None],
        cancel: Callable[[], Awaitable[None]],
    ) -> None:
        self.__dict__["name"] = real.name
        self._real = real
        self._cues = cues
        self._crash = crash
        self._cancel = cancel

    def parse(self, params: Mapping[str, Any]) -> Any:
        """Check parameters as the real one does."""
        return self._real.parse(params)

    async def execute(self, ctx: Context, params: Any) -> Any:
        """Do the work, unless a cue comes before it."""
        ctx = self._enter(ctx)
        await self._play(ctx, "before")
        done = await self._real.execute(ctx, params)
        await self._play(ctx, "after")
        return done

    async def undo(self, ctx: Context, params: Any, output: Any) -> None:
        """Take the work back, likewise."""
        ctx = self._enter(ctx)
        await self._play(ctx, "before")
        await self._real.undo(ctx, params, output)
        await self._play(ctx, "after")

    def _enter(self, ctx: Context) -> Context:
        self._cues.attempts.append(Attempt(ctx.key, ctx.phase, ctx.token, ctx.generation, ctx.attempt))
        if not any(cue.key == ctx.key and cue.place.startswith(SAYS) for cue in self._cues.waiting):
            return ctx
        jobs: set[asyncio.Task[None]] = set()

        def said(text: str) -> None:
            while (cue := self._cues.take(ctx.key, ctx.phase, SAYS + text)) is not None:
                if cue.kind == "cancel":
                    jobs.add(asyncio.ensure_future(self._cancel()))
                elif cue.kind == "crash":
                    self._crash()
                    raise asyncio.CancelledError
                else:
                    raise _fault(cue)

        return replace(ctx, log=_Heard(ctx.log, said))

    async def _play(self, ctx: Context, place: str) -> None:
        while (cue := self._cues.take(ctx.key, ctx.phase, place)) is not None:
            if cue.kind == "cancel":
                await self._cancel()
            elif cue.kind == "crash":
                self._crash()
                raise asyncio.CancelledError
            else:
                raise _fault(cue)


def _fault(cue: Cue) -> Exception:
    where = "in the middle" if cue.place.startswith(SAYS) else f"{cue.place} its effect"
    return cue.fault or PermanentFault(f"Made to fail {where}, by a test.", {"kind": "FAIL_AT"})


class _Heard:
    """A log that tells what is said, after it was said."""

    def __init__(self, log: Log, said: Callable[[str], None]) -> None:
        self._log = log
        self._said = said

    def debug(self, text: str) -> None:
        self._log.debug(text)
        self._said(text)

    def info(self, text: str) -> None:
        self._log.info(text)
        self._said(text)

    def warning(self, text: str) -> None:
        self._log.warning(text)
        self._said(text)

    def error(self, text: str) -> None:
        self._log.error(text)
        self._said(text)

    async def write(self, level: Level, text: str) -> None:
        await self._log.write(level, text)
        self._said(text)

    def lines(self, level: Level) -> LineFeed:
        return self._log.lines(level)
