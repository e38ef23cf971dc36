"""Migrations lead from an empty database to exactly the tables the code knows."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from services.api.projection.engine import engine_for
from services.api.projection.migrate import pending, upgrade
from services.api.projection.tables import metadata


async def test_the_migrated_schema_is_the_one_the_code_knows(database_url: str) -> None:
    """From empty to head there is no difference in tables, columns, types, nullability or indexes."""
    await upgrade(database_url)

    def differences(connection: Connection) -> list[object]:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
        return list(found)

    engine = engine_for(database_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
        names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await engine.dispose()
    assert found == []
    assert names == {table.name for table in metadata.sorted_tables} | {"alembic_version"}


async def test_migrating_is_idempotent_and_one_at_a_time(database_url: str) -> None:
    """Several processes that start together leave one migrated database; `pending` tells who has to migrate."""
    engine = engine_for(database_url)
    assert await pending(engine)

    await asyncio.gather(*(upgrade(database_url) for _ in range(4)))

    assert not await pending(engine)
    await engine.dispose()
