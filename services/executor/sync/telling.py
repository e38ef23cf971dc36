"""Tells what object lists a synchronisation has written, and what stands in one. Reads, stores and changes nothing.

Whoever asks names the destination and a task; only names of lists below that task's directory are read. Refuses to
know who asks, and whether they may.
"""

import asyncio
import heapq
import re
from collections.abc import Callable
from typing import Final, Protocol

from pydantic import ValidationError

from services.executor.fault import Fault
from services.executor.operations.contract import Connection
from services.executor.sync.keys import Bounds
from services.executor.sync.store import Store, open_store
from services.executor.sync.trouble import Troubled, explained
from shared.messages.object_lists import NAME, PIECE, ListAnswer, ListQuestion, ObjectList

SHOWN: Final = 200
LOOKED_AT: Final = 20_000
"""So many lists are counted at the most."""
SECONDS: Final = 8.0


class Discloses(Protocol):
    """Where connections are had."""

    async def connection(self, name: str) -> Connection:
        """Return a connection with its secrets. Raises a fault."""
        ...


Disclosed = Callable[[str | None], Discloses]
"""Gives where tasks of a team have connections. Raises a fault."""


async def lists_told(body: bytes, disclosed: Disclosed) -> bytes:
    """Return the answer to a question. Raises nothing."""
    try:
        question = ListQuestion.model_validate_json(body)
    except ValidationError:
        return ListAnswer(refused="The question cannot be read.").encode()
    return (await _answer(question, disclosed)).encode()


async def _answer(question: ListQuestion, disclosed: Disclosed) -> ListAnswer:
    where = f"destination '{question.destination}'"
    try:
        async with asyncio.timeout(SECONDS):
            store = await _opened(question, disclosed)
            where = store.where
            return await (_listed(store, question) if question.name is None else _piece(store, question, question.name))
    except FileNotFoundError:
        return ListAnswer(missing=question.name is not None)
    except Fault as fault:
        return ListAnswer(refused=str(fault))
    except Exception as error:  # noqa: BLE001 - whatever a store raises is told
        return ListAnswer(refused=str(explained(error, where).fault()))


async def _opened(question: ListQuestion, disclosed: Disclosed) -> Store:
    """Return the destination. Raises a fault, and `Troubled` also where links lead out of it."""
    store = open_store(await disclosed(question.team).connection(question.destination), "destination")
    if (trouble := Bounds(store).leaves(f"{question.folder}/{question.name or '-'}", follow=True)) is not None:
        raise Troubled(trouble)
    return store


async def _listed(store: Store, question: ListQuestion) -> ListAnswer:
    import obstore  # noqa: PLC0415 - an optional extra

    start = f"{question.folder}/"
    of_child = f"{question.child}-" if question.child is not None else ""
    found: list[ObjectList] = []
    total = looked_at = 0
    async for chunk in obstore.list(store.objects, question.folder, chunk_size=1000):
        looked_at += len(chunk)
        names = ((meta["path"].removeprefix(start), meta) for meta in chunk)
        kept = [
            ObjectList(name=name, size=meta["size"], at=meta["last_modified"])
            for name, meta in names
            if name.startswith(of_child) and re.fullmatch(NAME, name)
        ]
        total += len(kept)
        found = heapq.nlargest(SHOWN, [*found, *kept], key=lambda one: (one.at, one.name))
        if looked_at >= LOOKED_AT:
            return ListAnswer(lists=tuple(found), total=total, counted=False)
    return ListAnswer(lists=tuple(found), total=total)


async def _piece(store: Store, question: ListQuestion, name: str) -> ListAnswer:
    import obstore  # noqa: PLC0415 - an optional extra

    path, start = f"{question.folder}/{name}", question.offset
    size = (await obstore.head_async(store.objects, path))["size"]
    if start >= size:
        return ListAnswer(size=size)
    piece = await obstore.get_range_async(store.objects, path, start=start, end=min(start + PIECE, size))
    return ListAnswer(piece=bytes(piece), size=size)
