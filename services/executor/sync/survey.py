"""Surveys: size and time of many objects of one store, with as few questions as it takes.

A local store is asked object by object, in a thread: it answers in microseconds. A remote one is listed where the keys
lie close together, and asked object by object for what a short listing did not tell. Refuses to know what is decided.
"""

import asyncio
import os.path
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from services.executor.sync.store import Store
from services.executor.sync.trouble import Trouble, explained

WORTH_LISTING: Final = 16
"""From so many keys on a listing is tried first."""
SLACK: Final = 1_000
"""How many more objects than four times the keys a listing may tell before it is given up."""
OBJECT_SECONDS: Final = 90.0


class Seen(NamedTuple):
    """An object that is there. `at`: when it was last changed, seconds of the epoch."""

    size: int
    at: float


Found = dict[str, Seen | Trouble | None]
"""What is there by name: None where nothing is, a trouble where it cannot be told."""


async def survey(store: Store, names: Sequence[str]) -> Found:
    """Look for objects. A trouble of one object stands in the answer; nothing is raised for it."""
    if store.local:
        return await asyncio.to_thread(_looked_at, store, names)
    found: Found = {}
    if len(names) >= WORTH_LISTING:
        found = await _listed(store, sorted(names))
    await _asked(store, [name for name in names if name not in found], found)
    return found


def seen(meta: Any) -> Seen:
    """Return what an answer of the client library tells."""
    at = cast("datetime", meta["last_modified"])
    return Seen(int(meta["size"]), at.timestamp())


def _looked_at(store: Store, names: Iterable[str]) -> Found:
    import obstore  # noqa: PLC0415 - an optional extra

    found: Found = {}
    for name in names:
        try:
            found[name] = seen(obstore.head(store.objects, name))
        except FileNotFoundError:
            found[name] = None
        except Exception as error:  # noqa: BLE001 - whatever a store raises is told of its object
            found[name] = explained(error, store.where)
    return found


async def _listed(store: Store, names: list[str]) -> Found:
    """List from the first to the last name; empty when that took too many objects or could not be done."""
    import obstore  # noqa: PLC0415 - an optional extra

    wanted = set(names)
    folder = os.path.commonpath([name.rpartition("/")[0] for name in (names[0], names[-1])])
    before = names[0][:-1]
    offset = before if before.rstrip("/") == before and len(before) > len(folder) + 1 else None
    here: Found = {}
    budget = 4 * len(names) + SLACK
    try:
        async with asyncio.timeout(OBJECT_SECONDS):
            async for chunk in obstore.list(store.objects, folder or None, offset=offset, chunk_size=1000):
                for meta in chunk:
                    if meta["path"] in wanted:
                        here[meta["path"]] = seen(meta)
                budget -= len(chunk)
                if chunk and chunk[-1]["path"] > names[-1]:
                    break
                if budget < 0:
                    return here
    except Exception:  # noqa: BLE001 - asking one by one tells better what is wrong
        return here
    return {name: here.get(name) for name in names}


async def _asked(store: Store, names: list[str], found: Found) -> None:
    import obstore  # noqa: PLC0415 - an optional extra

    left = iter(names)
    broken: Trouble | None = None

    async def some() -> None:
        nonlocal broken
        for name in left:
            if broken is not None:
                found[name] = broken
                continue
            try:
                async with asyncio.timeout(OBJECT_SECONDS):
                    found[name] = seen(await obstore.head_async(store.objects, name))
            except FileNotFoundError:
                found[name] = None
            except Exception as error:  # noqa: BLE001 - whatever a store raises is told of its object
                found[name] = trouble = explained(error, store.where)
                broken = trouble if trouble.whole else None

    async with asyncio.TaskGroup() as group:
        for _ in range(min(store.concurrency, len(names))):
            group.create_task(some())


async def probe(store: Store) -> Trouble | None:
    """Ask the least of a remote store: whether it is there and lets these keys in. None when all is well."""
    import obstore  # noqa: PLC0415 - an optional extra

    if store.local:
        return None
    try:
        async with asyncio.timeout(OBJECT_SECONDS):
            await obstore.list_with_delimiter_async(store.objects, "oms/sync_task")
    except Exception as error:  # noqa: BLE001 - whatever a store raises is told
        trouble = explained(error, store.where)
        return Trouble(trouble.code, trouble.cause, transient=trouble.transient, whole=True)
    return None
