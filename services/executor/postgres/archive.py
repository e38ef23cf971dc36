"""Archives of databases: from `pg_dump` to a result file, from a result file to `pg_restore`, never whole in memory.

An archive counts only when it was read back from the store: same bytes, and a table of contents that `pg_restore`
reads. Refuses to know why.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from services.executor.operations.contract import Connection, Context, PermanentFault, Stream, TransientFault
from services.executor.postgres.program import Words, fitting, judge, login


async def dump(ctx: Context, connection: Connection, database: str, server: int) -> dict[str, Any]:
    """Dump a database into a result file and return its reference with what it holds. Raises a fault."""
    path, version = await fitting(ctx, connection, "pg_dump", server)
    words, digest, size = Words(), sha256(), 0
    name = f"{ctx.task_id}-{ctx.subtask}-{ctx.generation}-{ctx.attempt}/{database}.dump"
    argv = [path, "--format=custom", "--no-password", "--verbose"]
    async with login(ctx, connection, database) as env, ctx.results.writer(name) as file:

        async def take(stream: Stream, data: bytes) -> None:
            nonlocal size
            if stream == "stderr":
                words.add(data)
                return
            digest.update(data)
            size += len(data)
            await file.write(data)
            ctx.progress(0.0, f"{size} bytes of {database} dumped")

        ended = await ctx.run(argv, env=env, on_data=take)
        judge(argv, ended, words, f"database {database}")
    reference = dict(file.reference)
    if reference["sha256"] != digest.hexdigest():
        raise PermanentFault(
            f"The dump of {database} was altered on its way into the store (a secret's value stands in it, masked): it "
            f"is of no use for a restore, so nothing is dropped. Dump it by hand.",
            {"kind": "DUMP_ALTERED"},
        )
    return {"file": reference, "pg_dump": version, "entries": await _entries(ctx, connection, reference, server)}


async def restore(
    ctx: Context, connection: Connection, database: str, reference: Mapping[str, Any], server: int
) -> None:
    """Fill an empty database from a result file. Raises a fault; what is half done is the caller's to drop."""
    path, _ = await fitting(ctx, connection, "pg_restore", server)
    words = Words()

    async def take(stream: Stream, data: bytes) -> None:
        if stream == "stderr":
            words.add(data)

    async with on_disk(ctx, reference) as file, login(ctx, connection, database) as env:
        argv = [path, "--exit-on-error", "--no-password", "--dbname", database, str(file)]
        judge(argv, await ctx.run(argv, env=env, on_data=take), words, f"database {database}")


async def _entries(ctx: Context, connection: Connection, reference: Mapping[str, Any], server: int) -> int:
    """Read an archive back and return how many entries its table of contents has."""
    path, _ = await fitting(ctx, connection, "pg_restore", server)
    words, lines = Words(), 0

    async def take(stream: Stream, data: bytes) -> None:
        nonlocal lines
        if stream == "stderr":
            words.add(data)
        else:
            lines += data.count(b"\n") - data.count(b"\n;")

    async with on_disk(ctx, reference) as file:
        argv = [path, "--list", str(file)]
        judge(argv, await ctx.run(argv, on_data=take), words, "the dump just made")
    return max(0, lines - 1)


@asynccontextmanager
async def on_disk(ctx: Context, reference: Mapping[str, Any]) -> AsyncIterator[Path]:
    """Lay a result file down for a program that must seek in it, for as long as the context lasts."""
    folder = ctx.files / ".archive"
    path = folder / f"{ctx.token.replace('/', '-')}-{ctx.phase}.dump"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for piece in ctx.results.read(reference):
                await asyncio.to_thread(file.write, piece)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise TransientFault(
            f"The archive cannot be laid down at {path}: {error.strerror}; make room on its disk, then retry.",
            {"kind": "NO_SPACE"},
        ) from None
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
