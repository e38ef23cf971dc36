"""The server's allow-list: change its file on this host, have the server read it, and see that it did.

The file is the one the connection's option `hba_file` names; it must lie where this executor may write (its file
roots). PostgreSQL's own view of the file says whether it is the server's, and whether all of it is understood, before
the server is told to read it again. What the server would not accept is put back at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from services.executor.operations.contract import Context, PermanentFault, TransientFault
from services.executor.place import File, Place
from services.executor.postgres.hba import Block, blocks
from services.executor.postgres.session import Session, session

_LOCK = "opsledger pg_hba"
_RELOAD_TRIES = 50
_RELOAD_PAUSE = 0.1


class AccessFile:
    """The file, while nobody else of us changes it."""

    def __init__(self, ctx: Context, pg: Session, path: str) -> None:
        self._ctx = ctx
        self._pg = pg
        self._path = path

    async def read(self) -> str:
        """Return its text. Raises a fault when it is not there or may not be read."""
        file = await asyncio.to_thread(self._file)
        return file.content.decode("utf-8", "surrogateescape")

    async def blocks(self) -> list[Block]:
        """Return the blocks in it. Raises `PermanentFault` when one has no end."""
        try:
            return blocks(await self.read())
        except ValueError as error:
            raise PermanentFault(f"{self._path}: {error}; mend it by hand.", {"kind": "HBA_DAMAGED"}) from None

    async def change(self, how: Callable[[str], str]) -> None:
        """Write it anew and have the server take it; put back what was there when the server would not."""
        before = await asyncio.to_thread(self._file)
        text = before.content.decode("utf-8", "surrogateescape")
        await asyncio.to_thread(self._replace, before, how(text).encode("utf-8", "surrogateescape"))
        try:
            await self.check()
        except BaseException:
            await asyncio.to_thread(self._replace, before, before.content)
            raise
        await self._reload()

    async def check(self) -> None:
        """Raise `PermanentFault` when the server does not understand a line of its file."""
        wrong = await self._pg.row(
            "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL ORDER BY line_number LIMIT 1"
        )
        if wrong is not None:
            why = f"line {wrong['line_number']}: {wrong['error']}"
            raise PermanentFault(
                f"The server does not understand its pg_hba.conf ({why}), so it would keep to its old rules; mend that "
                f"line, then retry. Nothing was changed.",
                {"kind": "HBA_REFUSED"},
            )

    async def effective(self, block: Block) -> int:
        """Return how many rules the server has for the block. Raises `PermanentFault` when it sees none."""
        seen = await self._pg.rows(
            "SELECT line_number FROM pg_hba_file_rules WHERE database = ARRAY[%(database)s::text]"
            " AND user_name = ARRAY[%(role)s::text]",
            database=block.database,
            role=block.role,
        )
        if not seen:
            raise PermanentFault(
                f"{self._path} is not the file that the server at {self._pg.where} reads (SHOW hba_file says which): "
                f"run this on the server's host (a pool there) and correct the connection's option hba_file.",
                {"kind": "HBA_ELSEWHERE"},
            )
        return len(seen)

    async def _reload(self) -> None:
        before = await self._pg.row("SELECT pg_conf_load_time() AS at")
        await self._pg.row("SELECT pg_reload_conf()")
        for _ in range(_RELOAD_TRIES):
            now = await self._pg.row("SELECT pg_conf_load_time() AS at")
            if now != before:
                return
            await asyncio.sleep(_RELOAD_PAUSE)
        raise TransientFault(f"The server at {self._pg.where} was told to reload but did not do so within 5 s.")

    def _file(self) -> File:
        with Place.open(self._path, self._ctx.files, self._ctx.policy.file_roots, make_folders=False) as place:
            file = place.read()
        if file is None:
            raise PermanentFault(
                f"There is no {self._path} on this executor's host: run this on the server's host (a pool there) or "
                f"correct the connection's option hba_file.",
                {"kind": "HBA_ELSEWHERE"},
            )
        return file

    def _replace(self, before: File, content: bytes) -> None:
        with Place.open(self._path, self._ctx.files, self._ctx.policy.file_roots, make_folders=False) as place:
            place.replace(content, before.mode, before.owner)


@asynccontextmanager
async def access_file(ctx: Context, name: str) -> AsyncIterator[AccessFile]:
    """Open the allow-list of a connection's server; one at a time, by an advisory lock of the server."""
    connection = await ctx.connection(name)
    path = connection.options.get("hba_file")
    if not path or not Path(path).is_absolute():
        raise PermanentFault(
            f"Connection '{name}' does not say where its server's allow-list is: give it the option hba_file (an "
            f"absolute path on the server's host that this executor may write), or leave `allow` out.",
            {"kind": "NO_HBA_FILE"},
        )
    async with session(ctx, name) as pg:
        await pg.row("SELECT pg_advisory_lock(hashtext(%(lock)s))", lock=_LOCK)
        yield AccessFile(ctx, pg, path)
