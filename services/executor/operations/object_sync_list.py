"""`object.sync.list`: page through the source and write down, in files of 500 keys, what there is to synchronise.

Memory stays bounded whatever the source holds. Each attempt writes files of its own, so what a lane reads is what one
attempt saw. Refuses to know what becomes of the keys.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import StringConstraints

from services.executor.operations.contract import Context, Operation, Params
from services.executor.sync.journal import pack
from services.executor.sync.params import Rules, below
from services.executor.sync.store import open_store
from services.executor.sync.survey import seen
from services.executor.sync.trouble import Troubled, explained
from shared.messages.object_lists import RESERVED

BATCH: Final = 500


class ObjectSyncListParams(Params):
    """`prefix`: only keys that begin so; `of`: the parameters of the standing task."""

    prefix: Annotated[str, StringConstraints(max_length=1_000)] = ""
    of: Rules


class ObjectSyncList(Operation[ObjectSyncListParams]):
    """Lists what a sweep is to synchronise."""

    name: ClassVar[str] = "object.sync.list"
    timeout: ClassVar[timedelta] = timedelta(days=1)
    prohibit_rollback: ClassVar[bool] = True

    async def execute(self, ctx: Context, params: ObjectSyncListParams) -> dict[str, Any]:
        """Return how many keys there are, and the reference of the index of the files they are in."""
        try:
            store = open_store(await ctx.connection(params.of.source), "source")
        except Troubled as error:
            raise error.trouble.fault() from None
        folder = f"{ctx.task_id}-{ctx.subtask}-{ctx.generation}-{ctx.attempt}"
        index: list[dict[str, Any]] = []
        count = size = 0
        try:
            async for rows in _pages(ctx, store, params):
                index.append(await ctx.results.put(f"{folder}/keys-{len(index) + 1:05}", pack(rows)))
                count += len(rows)
                size += sum(row[1] for row in rows)
                ctx.progress(0.0, f"{count} objects listed")
        except Troubled as error:
            raise error.trouble.fault() from None
        said = f"{count} objects, {size} bytes, in {len(index)} batches"
        ctx.log.info(said)
        kept = await ctx.results.put(f"{folder}/index", pack(index))
        return {"keys": count, "bytes": size, "batches": len(index), "index": kept}


async def _pages(ctx: Context, store: Any, params: ObjectSyncListParams) -> Any:
    """Give rows of key, size and time, `BATCH` at a time. Raises `Troubled`."""
    import obstore  # noqa: PLC0415 - an optional extra

    start = below(params.of.source_prefix, params.prefix)
    folder = start.rpartition("/")[0]
    cut = len(below(params.of.source_prefix, ""))
    rows: list[list[Any]] = []
    try:
        pages = obstore.list(store.objects, folder or None, chunk_size=1_000).__aiter__()
        while True:
            page = await ctx.unless_cancelled(_next(pages))
            if page is None:
                break
            for meta in page:
                path = meta["path"]
                if path.startswith(start) and not path.startswith(RESERVED):
                    rows.append([path[cut:], *seen(meta)])
            while len(rows) >= BATCH:
                yield rows[:BATCH]
                del rows[:BATCH]
    except (ValueError, OSError, RuntimeError) as error:
        raise Troubled(explained(error, store.where)) from error
    except Exception as error:
        if type(error).__module__.startswith("obstore"):
            raise Troubled(_listing(error, store.where)) from error
        raise
    if rows:
        yield rows


async def _next(pages: Any) -> Any:
    try:
        return await pages.__anext__()
    except StopAsyncIteration:
        return None


def _listing(error: Exception, where: str) -> Any:
    trouble = explained(error, where)
    if trouble.code != "InvalidKey":
        return trouble
    cause = f"{where}: an object there has a name that cannot be addressed (an empty part, '..', a control character), "
    cause += "so its folder cannot be listed: rename it, or sweep the folders beside it"
    return type(trouble)(trouble.code, cause, final=True)
