"""`pg.verify`: log in as the tenant, with the secret that is kept for it, and do a round trip.

Leaves nothing behind: what it writes is rolled back. Refuses to know who made the tenant.
"""

import time
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault, Secret
from services.executor.postgres.names import ConnectionName, Database, Role
from services.executor.postgres.session import session


class PgVerifyParams(Params):
    """The connection says where the server is; who logs in is `role` with the password behind `secret`."""

    connection: ConnectionName
    database: Database
    role: Role
    secret: Secret


class PgVerify(Operation[PgVerifyParams]):
    """Logs in to a database as its tenant and writes, reads and rolls back a table."""

    name: ClassVar[str] = "pg.verify"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: PgVerifyParams) -> dict[str, Any]:
        """Log in, see who and where one is, and make a table that is never committed."""
        return await ctx.unless_cancelled(_verify(ctx, params))


async def _verify(ctx: Context, params: PgVerifyParams) -> dict[str, Any]:
    password = await ctx.secret(params.secret)
    begun = time.monotonic()
    async with session(ctx, params.connection, database=params.database, user=params.role, password=password) as pg:
        await pg.do("A round trip", "BEGIN")
        await pg.do("A round trip", "CREATE TABLE opsledger_round_trip (said text)")
        await pg.do("A round trip", "INSERT INTO opsledger_round_trip VALUES ({said})", said=ctx.token)
        found = await pg.row(
            "SELECT said, current_user AS who, current_database() AS db, current_schema() AS schema,"
            " has_database_privilege('public', current_database(), 'CONNECT') AS open FROM opsledger_round_trip"
        )
        await pg.do("A round trip", "ROLLBACK")
    seconds = time.monotonic() - begun
    wanted = {"said": ctx.token, "who": params.role, "db": params.database}
    if found is None or {key: found[key] for key in wanted} != wanted:
        raise PermanentFault(
            f"The round trip at {pg.where} gave back something else than it wrote.", {"kind": "VERIFY"}
        )
    await ctx.log.write(
        "INFO", f"{params.role} logged in to {params.database} and wrote and read in schema {found['schema']}"
    )
    return {
        "role": found["who"],
        "database": found["db"],
        "schema": found["schema"],
        "open_to_public": found["open"],
        "milliseconds": round(seconds * 1000, 1),
    }
