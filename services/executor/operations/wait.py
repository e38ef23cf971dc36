"""`wait`: lets time pass. A cancel ends it at once; a wait whose executor was lost starts from the beginning."""

import asyncio
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from services.executor.operations.contract import Cancelled, Context, Operation, Params


class WaitParams(Params):
    """`seconds` to wait, up to a day."""

    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Wait(Operation[WaitParams]):
    """Waits for a number of seconds."""

    name: ClassVar[str] = "wait"
    timeout: ClassVar[timedelta] = timedelta(days=1, minutes=5)

    async def execute(self, ctx: Context, params: WaitParams) -> None:
        """Wait, or stop at once when asked to."""
        try:
            async with asyncio.timeout(params.seconds):
                await ctx.cancelled.wait()
        except TimeoutError:
            return
        raise Cancelled
