"""`pg.grants`: who may do what in a database that this task made: its owner all, readers read, everybody else nothing.

All of it is one transaction. Because the database is this task's own, what was there before is known without a record.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.postgres.making import not_ours
from services.executor.postgres.names import ConnectionName, Database, PgName, Role, SchemaName, made_by_task
from services.executor.postgres.session import Name, Session, session
from services.executor.postgres.state import database_state

PUBLIC_SCHEMA = "public"
_NOT_EMPTY = "2BP01"

Schema = Annotated[
    SchemaName,
    Field(alias="schema", description="The tenant's schema; made, and its search path, unless it is public."),
]
Readers = Annotated[
    list[PgName], Field(max_length=20, description="Existing roles that may read the tables the tenant will make.")
]


class PgGrantsParams(Params):
    """`schema` is made for the role unless it is `public`; `readers` are existing roles that may read its tables."""

    connection: ConnectionName
    database: Database
    role: Role
    schema_name: Schema = PUBLIC_SCHEMA
    readers: Readers = Field(default_factory=list)


class PgGrants(Operation[PgGrantsParams]):
    """Gives a role its schema and default privileges in a database of this task, and takes CONNECT from everybody."""

    name: ClassVar[str] = "pg.grants"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgGrantsParams) -> dict[str, Any]:
        """Grant and revoke, in one transaction."""
        return await ctx.unless_cancelled(_grant(ctx, params))

    async def undo(self, ctx: Context, params: PgGrantsParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Give back what a new database has; nothing to do where the database is gone or not this task's."""
        await ctx.unless_cancelled(_take_back(ctx, params))


async def _grant(ctx: Context, params: PgGrantsParams) -> dict[str, Any]:
    async with session(ctx, params.connection) as admin:
        state = await database_state(admin, params.database)
        if state is None or not made_by_task(state["comment"], ctx.task_id):
            raise not_ours(admin, "database", params.database)
    async with session(ctx, params.connection, database=params.database) as pg, pg.transaction():
        places: dict[str, Any] = {
            "db": Name(params.database),
            "role": Name(params.role),
            "schema": Name(params.schema_name),
        }
        await pg.do("Granting", "REVOKE ALL ON DATABASE {db} FROM PUBLIC", db=places["db"])
        await pg.do("Granting", "GRANT ALL ON DATABASE {db} TO {role}", db=places["db"], role=places["role"])
        if params.schema_name != PUBLIC_SCHEMA:
            await pg.do(
                "Granting", "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role}", **_some(places, "schema")
            )
            path = "ALTER ROLE {role} IN DATABASE {db} SET search_path TO {schema}"
            await pg.do("Granting", path, **places)
        else:
            await pg.do("Granting", "REVOKE ALL ON SCHEMA public FROM PUBLIC")
            await pg.do("Granting", "GRANT ALL ON SCHEMA public TO {role}", role=places["role"])
        await pg.do(
            "Granting",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {role} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
            role=places["role"],
        )
        for reader in params.readers:
            await _let_read(pg, places, reader)
    said = f"; {', '.join(params.readers)} may read" if params.readers else ""
    await ctx.log.write(
        "INFO", f"{params.role} owns schema {params.schema_name} of {params.database}, PUBLIC has nothing{said}"
    )
    return {"database": params.database, "role": params.role, "schema": params.schema_name, "readers": params.readers}


async def _let_read(pg: Session, places: dict[str, Any], reader: str) -> None:
    doing, who = f"Granting {reader} to read", {"reader": Name(reader)}
    await pg.do(doing, "GRANT CONNECT ON DATABASE {db} TO {reader}", db=places["db"], **who)
    await pg.do(doing, "GRANT USAGE ON SCHEMA {schema} TO {reader}", schema=places["schema"], **who)
    for_role = "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader}"
    await pg.do(doing, for_role, **_some(places, "schema"), **who)


def _some(places: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: places[name] for name in ("role", *names)}


async def _take_back(ctx: Context, params: PgGrantsParams) -> None:
    async with session(ctx, params.connection) as admin:
        state = await database_state(admin, params.database)
    if state is None or not made_by_task(state["comment"], ctx.task_id):
        ctx.log.info("Nothing to undo.")
        return
    async with session(ctx, params.connection, database=params.database) as pg, pg.transaction():
        db, role = Name(params.database), Name(params.role)
        schema = Name(params.schema_name)
        for reader in params.readers:
            who = Name(reader)
            default = (
                "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} REVOKE SELECT ON TABLES FROM {reader}"
            )
            there = await pg.row("SELECT 1 AS x FROM pg_namespace WHERE nspname = %(name)s", name=params.schema_name)
            if there is not None:
                await pg.do("Revoking", default, role=role, schema=schema, reader=who)
                await pg.do("Revoking", "REVOKE ALL ON SCHEMA {schema} FROM {reader}", schema=schema, reader=who)
            await pg.do("Revoking", "REVOKE ALL ON DATABASE {db} FROM {reader}", db=db, reader=who)
        functions = "ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT EXECUTE ON FUNCTIONS TO PUBLIC"
        await pg.do("Revoking", functions, role=role)
        if params.schema_name != PUBLIC_SCHEMA:
            await pg.do("Revoking", "ALTER ROLE {role} IN DATABASE {db} RESET search_path", role=role, db=db)
            await _drop_schema(ctx, pg, params.schema_name)
        else:
            await pg.do("Revoking", "REVOKE ALL ON SCHEMA public FROM {role}", role=role)
            await pg.do("Revoking", "GRANT USAGE ON SCHEMA public TO PUBLIC")
        await pg.do("Revoking", "GRANT CONNECT, TEMPORARY ON DATABASE {db} TO PUBLIC", db=db)
    await ctx.log.write("INFO", f"{params.database} has the rights of a new database again")


async def _drop_schema(ctx: Context, pg: Session, schema: str) -> None:
    """Drop it unless the tenant has put something there, which goes with the database or not at all."""
    try:
        async with pg.transaction():
            await pg.do("Revoking", "DROP SCHEMA IF EXISTS {schema}", schema=Name(schema))
    except PermanentFault as error:
        if error.detail.get("sqlstate") != _NOT_EMPTY:
            raise
        await ctx.log.write(
            "WARN", f"Schema {schema} holds what the tenant made and is left to the database's own undo"
        )
