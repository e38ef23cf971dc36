"""Migrations lead from an empty database to exactly the tables the code knows."""

import asyncio

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Column, Connection, MetaData, Table, inspect, text

from benchmarks import folded, samples
from services.api.projection.engine import engine_for
from services.api.projection.migrate import _config, pending, upgrade
from services.api.projection.migrations.trigrams import OFF, TrigramsMissing
from services.api.projection.project import row_of, subtask_row
from services.api.projection.reads import Filter, Reads, Thing
from services.api.projection.tables import SEARCH_COLUMNS, metadata, subtasks
from services.api.projection.tables import tasks as table
from tests.integration.projection.crowd import Crowd
from tests.support import postgres


def _of_trigrams(name: str | None) -> bool:
    return name is not None and name.startswith(("task_names", "task_texts"))


async def test_the_migrated_schema_is_the_one_the_code_knows(database_url: str) -> None:
    """From empty to head there is no difference in tables, columns, types, nullability or indexes.

    Triggers keep the trigrams' own tables, which differ between the databases and are no part of the metadata.
    """
    await upgrade(database_url)

    def differences(connection: Connection) -> list[object]:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
        return [one for one in found if not _of_trigrams(getattr(one[1], "table", one[1]).name)]

    engine = engine_for(database_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
        names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        names = {name for name in names if not _of_trigrams(name)}
    await engine.dispose()
    assert found == []
    assert names == {table.name for table in metadata.sorted_tables} | {"alembic_version"}


async def test_the_release_before_keeps_its_tasks(database_url: str) -> None:
    """Rows of 0003 get what they are searched by, exactly as the projector would have written it, and are found."""
    told = {sample.id: sample for sample in (samples.sample(number, 200) for number in range(1, 200))}
    templates = folded.Templates()
    tasks = {}
    for number, sample in told.items():
        template = await templates.of(sample)
        tasks[number] = folded.varied(template, sample, *folded.synthetic(number, template.commits)).task
    engine = engine_for(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0003"))
    older = Table("tasks", MetaData(), *(Column(c.name, c.type) for c in table.columns if c.name not in SEARCH_COLUMNS))
    async with engine.begin() as connection:
        for task in tasks.values():
            row = {name: value for name, value in row_of(task).items() if name not in SEARCH_COLUMNS}
            await connection.execute(older.insert().values(row))
            for each in task.subtasks:
                await connection.execute(subtasks.insert().values(subtask_row(task, each)))

    await upgrade(database_url)

    async with engine.connect() as connection:
        rows = [dict(row) for row in (await connection.execute(table.select())).mappings()]
    assert {row["id"]: row for row in rows} == {number: row_of(task) for number, task in tasks.items()}
    page = await Reads(engine).tasks(Filter(text=told[7].params["ticket"]))
    assert 7 in {task.id for task in page.contents}
    await engine.dispose()


async def test_a_database_without_trigrams_says_so_and_can_do_without(postgres_url: URL) -> None:
    """Who may not make pg_trgm is told what to do; told to go without, search gives the same, only slower."""
    with postgres.fresh_database(postgres_url) as url:
        admin, role = engine_for(url), f"poor_{url.database}"
        poor = url.set(username=role, password="poor").render_as_string(hide_password=False)
        async with admin.begin() as connection:
            await connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'poor'"))
            await connection.execute(text(f"GRANT ALL ON SCHEMA public TO {role}"))
        try:
            with pytest.raises(TrigramsMissing, match="CREATE EXTENSION pg_trgm"):
                await upgrade(poor)
            async with admin.begin() as connection:
                await connection.execute(text(f"ALTER DATABASE {url.database} SET {OFF} = off"))
            await upgrade(poor)
            crowd = Crowd(engine_for(poor))
            await crowd.open(60)
            for where in Filter(name="back"), Filter(text="ärger 100%"), Filter(things=(Thing("host", name="db"),)):
                page = await crowd.reads.tasks(where, size=100)
                assert {task.id for task in page.contents} == crowd.fitting(where)
            await crowd.close()
            await crowd.engine.dispose()
        finally:
            async with admin.begin() as connection:
                await connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
                await connection.execute(text(f"DROP ROLE {role}"))
            await admin.dispose()


async def test_migrating_is_idempotent_and_one_at_a_time(database_url: str) -> None:
    """Several processes that start together leave one migrated database; `pending` tells who has to migrate."""
    engine = engine_for(database_url)
    assert await pending(engine)

    await asyncio.gather(*(upgrade(database_url) for _ in range(4)))

    assert not await pending(engine)
    await engine.dispose()
