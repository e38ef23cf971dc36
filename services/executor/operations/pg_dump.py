"""`pg.dump`: a database as a result file in pg_dump's custom format, read back before it counts.

Has no undo: a dump that is there harms nobody. Refuses to know what follows.
"""

from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params
from services.executor.postgres.archive import dump
from services.executor.postgres.names import ConnectionName, Database, Role
from services.executor.postgres.session import session


class PgDumpParams(Params):
    """What to dump; `role` is whose it is, for the log alone."""

    connection: ConnectionName
    database: Database
    role: Role | None = None


class PgDump(Operation[PgDumpParams]):
    """Dumps a PostgreSQL database into a result file."""

    name: ClassVar[str] = "pg.dump"
    timeout: ClassVar[timedelta] = timedelta(hours=4)

    async def execute(self, ctx: Context, params: PgDumpParams) -> dict[str, Any]:
        """Run pg_dump into the store of result files; memory stays bounded."""
        connection = await ctx.connection(params.connection)
        async with session(ctx, params.connection) as pg:
            server = pg.version
        made = await dump(ctx, connection, params.database, server)
        await ctx.log.write(
            "INFO", f"Dumped {params.database}: {made['file']['bytes']} bytes, {made['entries']} entries, read back"
        )
        return {"database": params.database, "server": server, **made}
