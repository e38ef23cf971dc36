"""The journal: what was decided about a batch, and what came of it, kept under a name that every attempt finds.

Its name has no attempt and no generation: a batch is decided once, and what an attempt that ended too early copied is
not taken for somebody else's work by the next. Compressed: keys may look like anything. Refuses to know what it holds.
"""

import zlib
from typing import Any

from pydantic_core import from_json, to_json

from services.executor.fault import PermanentFault
from services.executor.operations.contract import Context


def pack(value: Any) -> bytes:
    """Return what `unpack` reads."""
    return zlib.compress(to_json(value), level=1)


async def fetch(ctx: Context, reference: dict[str, Any]) -> Any:
    """Return what was stored under a reference. Raises a fault."""
    data = b"".join([piece async for piece in ctx.results.read(reference)])
    try:
        return from_json(zlib.decompress(data))
    except (zlib.error, ValueError):
        message = f"The file {reference['object']} in the results store is damaged; ask for these objects anew."
        raise PermanentFault(message, {"kind": "JOURNAL_DAMAGED"}) from None


async def load(ctx: Context, name: str) -> Any:
    """Return what was last saved under this name, None when nothing was. Raises a fault."""
    reference = await ctx.results.find(name)
    return None if reference is None else await fetch(ctx, reference)


async def save(ctx: Context, name: str, value: Any) -> dict[str, Any]:
    """Keep a value under a name, in place of what was there; return its reference. Raises a fault."""
    return await ctx.results.put(name, pack(value))
