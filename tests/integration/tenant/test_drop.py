"""`tenant.drop` on a real server: the dump comes first, and a rollback brings back role, database and each row."""

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from services.executor.operations.contract import Connection, PermanentFault, TransientFault
from services.executor.postgres.hba import block
from tests.integration.tenant.conftest import Task
from tests.integration.tenant.digest import connect, digest
from tests.support.postgres import PostgresServer

PASSWORD = "a tenant's own: pass\\word"
QUOTED = PASSWORD.replace("'", "''")


@pytest.fixture
def tenant(clean: PostgresServer) -> PostgresServer:
    """A server with a tenant that was made by hand, with everything a role and a database can have."""
    with connect(clean) as admin:
        for statement in (
            "CREATE ROLE team",
            "CREATE ROLE auditor",
            "CREATE ROLE acme LOGIN CREATEDB CONNECTION LIMIT 7 VALID UNTIL '2099-01-01'",
            f"ALTER ROLE acme PASSWORD '{QUOTED}'",
            "COMMENT ON ROLE acme IS 'the acme people''s'",
            "GRANT team TO acme WITH ADMIN OPTION",
            "GRANT acme TO auditor",
            "ALTER ROLE acme SET work_mem = '7MB'",
            'ALTER ROLE acme SET search_path = "$user", public, "Odd Name"',
            "CREATE DATABASE acme OWNER acme TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
            "COMMENT ON DATABASE acme IS 'do not lose'",
            "REVOKE ALL ON DATABASE acme FROM PUBLIC",
            "GRANT CONNECT ON DATABASE acme TO auditor WITH GRANT OPTION",
            "ALTER DATABASE acme SET timezone = 'Europe/Paris'",
            "ALTER DATABASE acme SET my.own = 'x=y'",
            "ALTER ROLE acme IN DATABASE acme SET search_path = app, public",
            "ALTER ROLE acme IN DATABASE postgres SET work_mem = '9MB'",
            "ALTER DATABASE acme CONNECTION LIMIT 12",
        ):
            admin.execute(statement)
    with connect(clean, "acme", user="acme", password=PASSWORD) as owner:
        owner.execute("CREATE SCHEMA app")
        owner.execute("CREATE TABLE app.t (id bigserial PRIMARY KEY, v text, at timestamptz DEFAULT now())")
        owner.execute("INSERT INTO app.t (v) SELECT md5(n::text) FROM generate_series(1, 2000) n")
        owner.execute("CREATE VIEW app.w AS SELECT count(*) FROM app.t")
        owner.execute("GRANT SELECT ON app.t TO auditor")
        owner.execute("SELECT lo_from_bytea(4242, '\\xdeadbeef')")
        owner.execute("CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 42'")
        owner.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO auditor")
    return clean


async def test_a_tenant_goes_and_its_dump_stays(task: Task, tenant: PostgresServer, tmp_path: Path) -> None:
    """Role, database and secret are gone, open sessions are ended, and the dump is an archive that was read back."""
    session = connect(tenant, "acme", user="acme", password=PASSWORD)
    gone = task("drop")
    await gone.keeper.keep("kv:tenant-acme", PASSWORD)

    await gone.run()

    with connect(tenant) as admin:
        left = admin.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'acme'").fetchone()
        assert left == (0,)
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname ~ 'acme|opsledger'").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    file = gone.outputs["dump"]["file"]
    assert (tmp_path / "results" / file["object"]).read_bytes()[:5] == b"PGDMP"
    assert gone.outputs["dump"]["entries"] > 10
    assert gone.outputs["close"]["ended"] == 1
    assert list(gone.keeper.secrets) == ["kv:tenant-acme.former"]
    said = repr(gone.outputs) + repr(gone.keeper.lines)
    assert PASSWORD not in said
    assert "SCRAM-SHA-256" not in said
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


async def test_a_failed_last_step_is_rolled_back_to_the_byte(task: Task, tenant: PostgresServer) -> None:
    """Somebody gives the role a right elsewhere in the meantime, so it cannot go; the rollback restores all of it."""
    before = digest(tenant)
    gone = task("drop")
    await gone.keeper.keep("kv:tenant-acme", PASSWORD)
    await gone.run(until="drop_role")
    with connect(tenant) as admin:
        admin.execute("CREATE TABLE elsewhere (n int)")
        admin.execute("GRANT SELECT ON elsewhere TO acme")

    with pytest.raises(PermanentFault, match=r"role \"acme\" cannot be dropped.*depend"):
        await gone.run()
    await gone.undo()

    with connect(tenant) as admin:
        admin.execute("DROP TABLE elsewhere")
    assert digest(tenant) == before
    assert gone.keeper.secrets == {"kv:tenant-acme": PASSWORD}
    with connect(tenant, "acme", user="acme", password=PASSWORD) as owner:
        assert owner.execute("SELECT count(*), max(v) FROM t").fetchone() == (2000, "ffeed84c7cb1ae7bf4ec4bd78275bb98")


async def test_a_whole_drop_is_undone(task: Task, tenant: PostgresServer) -> None:
    """Every step had its effect, the allow-list's too; undone, the server and its files are as before."""
    hba = tenant.data_dir / "pg_hba.conf"
    hba.write_text(block("3/5/1", "acme", "acme", ["127.0.0.0/8"]).text + hba.read_text())
    before = digest(tenant)
    gone = task("drop", access=True)

    await gone.run()
    assert "BEGIN opsledger" not in hba.read_text()
    await gone.undo()

    assert digest(tenant) == before
    assert gone.keeper.secrets == {}


async def test_a_tenant_that_was_created_here_can_be_dropped(task: Task, clean: PostgresServer) -> None:
    """Create, drop: nothing of it is left but the dump and the former password."""
    before = digest(clean)
    made = task(allow=["127.0.0.0/8"])
    await made.run()

    gone = task("drop", task_id=8, access=True)
    await gone.run()

    assert digest(clean) == before
    assert list(gone.keeper.secrets) == ["kv:tenant-acme.former"]


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        ("DROP DATABASE acme", "no database 'acme'"),
        ("ALTER ROLE acme SUPERUSER", "is a superuser"),
        ("ALTER DATABASE acme OWNER TO team", "belongs to team"),
        ("CREATE TABLE held (n int); GRANT SELECT ON held TO acme", r"1 in pg_class of postgres.*Nothing was changed"),
        ("ALTER DATABASE acme IS_TEMPLATE true", "is a template"),
    ],
)
async def test_what_must_not_go_is_refused_before_anything_changes(
    task: Task, tenant: PostgresServer, sabotage: str, says: str
) -> None:
    """Each is found by the first step, which changes nothing."""
    with connect(tenant) as admin:
        admin.execute(sabotage)
    before = digest(tenant, content=False)

    with pytest.raises(PermanentFault, match=says):
        await task("drop").run()

    assert digest(tenant, content=False) == before
    with connect(tenant) as admin:
        admin.execute("ALTER DATABASE acme IS_TEMPLATE false") if "template" in sabotage.lower() else None
        admin.execute("DROP TABLE IF EXISTS held")


async def test_without_a_dump_nothing_is_dropped(task: Task, tenant: PostgresServer) -> None:
    """The dump was skipped by somebody: the database stays."""
    gone = task("drop")
    await gone.run(until="dump")
    gone.outputs["dump"] = None

    with pytest.raises(PermanentFault, match="no dump of this database"):
        await gone.run()

    with connect(tenant) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'acme'").fetchone() == (1,)
    await gone.undo()


async def test_a_replaced_database_is_not_dropped(task: Task, tenant: PostgresServer) -> None:
    """Somebody made a new one of the name after the dump: it is not what was dumped."""
    gone = task("drop")
    await gone.run(until="drop_database")
    with connect(tenant) as admin:
        admin.execute("DROP DATABASE acme")
        admin.execute("CREATE DATABASE acme OWNER acme")

    with pytest.raises(PermanentFault, match="not what was looked at"):
        await gone.run()


async def test_missing_and_old_programs_are_named(
    task: Task, tenant: PostgresServer, connection: Connection, tmp_path: Path
) -> None:
    """No pg_dump in the named folder; one of an older version; each says what to install; undone, all is as it was."""
    before = digest(tenant)
    empty = tmp_path / "bin"
    empty.mkdir()
    options = {**connection.options, "bin_dir": str(empty)}
    gone = task("drop", to=replace(connection, options=options))
    with pytest.raises(PermanentFault, match=r"no pg_dump on this executor's host.*install postgresql-client"):
        await gone.run()

    (empty / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    (empty / "pg_dump").chmod(0o755)
    with pytest.raises(PermanentFault, match=r"version 9, the server is \d+.*Install postgresql-client-\d+"):
        await gone.run()

    await gone.undo()
    assert digest(tenant) == before


async def test_a_dump_that_was_altered_on_its_way_is_no_dump(task: Task, tenant: PostgresServer) -> None:
    """A store that keeps other bytes than pg_dump wrote: nothing is dropped."""
    gone = task("drop")
    put = gone.keeper.put

    async def masking(name: str, data: bytes) -> dict[str, object]:
        return await put(name, data.replace(b"acme", b"***"))

    gone.keeper.put = masking  # type: ignore[method-assign]

    with pytest.raises(PermanentFault, match="altered on its way"):
        await gone.run()

    with connect(tenant) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'acme'").fetchone() == (1,)


async def test_a_full_disk_of_the_executor_says_so(task: Task, tenant: PostgresServer, tmp_path: Path) -> None:
    """There is no room to read the dump back: nothing is dropped, and with room a retry goes on."""
    gone = task("drop")
    await gone.run(until="dump")
    disk = tmp_path / "files/.archive"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(argv, check=False).returncode:
        pytest.skip("no small disk can be mounted here: run as root")
    try:
        (disk / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(TransientFault, match=r"No space left on device; make room"):
            await gone.run()
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    with connect(tenant) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'acme'").fetchone() == (1,)
    await gone.run()
    assert gone.outputs["dump"]["entries"] > 10


async def test_a_cancel_in_the_dump_stops_pg_dump(task: Task, tenant: PostgresServer) -> None:
    """The dump waits for a lock, its process knows no password; cancelled, it, its session and its files are gone."""
    gone = task("drop")
    await gone.run(until="dump")
    with connect(tenant, "acme") as admin:
        admin.autocommit = False
        admin.execute("LOCK TABLE app.t IN ACCESS EXCLUSIVE MODE")
        step = gone.plan.subtasks[2]
        running = asyncio.create_task(gone.execute(step))
        with connect(tenant) as other:
            while not other.execute(
                "SELECT 1 FROM pg_stat_activity WHERE query ~ 'LOCK TABLE' AND wait_event_type='Lock'"
            ).fetchone():
                await asyncio.sleep(0.02)
            dump = next(p for p in psutil.process_iter() if p.name() == "pg_dump" and "--format=custom" in p.cmdline())
            assert tenant.password not in repr([dump.cmdline(), dump.environ()])
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            while other.execute("SELECT 1 FROM pg_stat_activity WHERE application_name ~ 'opsledger'").fetchone():
                await asyncio.sleep(0.02)
    assert not dump.is_running()
    assert [path for path in (gone.keeper.folder / "files").rglob("*") if path.is_file()] == []


async def test_a_user_who_is_no_superuser_drops_and_restores_its_tenant(
    task: Task, clean: PostgresServer, connection: Connection
) -> None:
    """It made the tenant, so it may drop it; a rollback gives the role the kept password, as the hash is hidden."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'secret99'")
    manager = replace(connection, url=connection.url.replace("tests@", "manager@"), secrets={"password": "secret99"})
    made = task(to=manager, schema="app")
    await made.run()
    password = made.keeper.secrets["kv:tenant-acme"]
    with connect(clean, "acme", user="acme", password=password) as owner:
        owner.execute("CREATE TABLE t AS SELECT 42 AS n")
        before = digest(clean)

        gone = task("drop", task_id=8, to=manager)
        await gone.run()
    assert "kv:tenant-acme" not in gone.keeper.secrets
    await gone.undo()

    after = digest(clean)
    hidden = {"roles"}  # the hash is another one of the same password
    assert {key: after[key] for key in after if key not in hidden} == {
        key: before[key] for key in before if key not in hidden
    }
    with connect(clean, "acme", user="acme", password=gone.keeper.secrets["kv:tenant-acme"]) as owner:
        assert owner.execute("SELECT n FROM t").fetchone() == (42,)


async def test_an_icu_database_is_restored_with_its_locale(task: Task, tenant: PostgresServer) -> None:
    """Provider and locale are part of what a database is."""
    with connect(tenant) as admin:
        admin.execute("DROP DATABASE acme")
        admin.execute(
            "CREATE DATABASE acme OWNER acme TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"
        )
    wanted = (
        "SELECT datlocprovider, daticulocale, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'acme'"
    )
    before = digest(tenant)

    gone = task("drop")
    await gone.run()
    await gone.undo()

    assert digest(tenant) == before
    with connect(tenant) as admin:
        assert admin.execute(wanted).fetchone() == ("i", "de-DE", "UTF8")
