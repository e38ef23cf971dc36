"""`tenant.create` on a real server: what it makes, who gets in, and that its undo undoes all of it."""

import psycopg
import pytest

from services.executor.operations.contract import PermanentFault, TransientFault
from tests.integration.tenant.conftest import Task
from tests.integration.tenant.digest import connect, digest
from tests.support.postgres import PostgresServer

ALL = {"allow": ["127.0.0.0/8"], "connections": 5, "database_connections": 9}


async def test_a_tenant_is_made_and_its_password_is_in_no_output(task: Task, clean: PostgresServer) -> None:
    """It logs in with the kept secret, others do not get in, limits and owner are as asked."""
    made = task(**ALL, locale="C")
    await made.run()

    password = made.keeper.secrets["kv:tenant-acme"]
    assert len(password) > 32
    assert password not in repr(made.outputs) + repr(made.keeper.lines)
    with connect(clean, "acme", user="acme", password=password) as tenant:
        tenant.execute("CREATE TABLE t (n int)")
    with connect(clean) as admin:
        row = admin.execute(
            "SELECT datdba::regrole::text, datconnlimit, datcollate FROM pg_database WHERE datname='acme'"
        )
        assert row.fetchone() == ("acme", 9, "C")
        assert admin.execute("SELECT rolconnlimit, rolsuper FROM pg_roles WHERE rolname='acme'").fetchone() == (
            5,
            False,
        )
        admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(clean, "acme", user="stranger", password="stranger")
    assert made.outputs["verify"]["open_to_public"] is False


async def test_a_failed_last_step_is_rolled_back_to_the_byte(task: Task, clean: PostgresServer) -> None:
    """No session may be opened, so the login fails; after the rollback the server is exactly as it was."""
    before = digest(clean)
    made = task(allow=["127.0.0.0/8"], connections=0, schema="app")

    with pytest.raises(TransientFault, match="too many connections for role"):
        await made.run()
    assert digest(clean) != before
    await made.undo()

    assert digest(clean) == before
    assert made.keeper.secrets == {}


async def test_a_finished_tenant_is_undone_with_its_sessions(task: Task, clean: PostgresServer) -> None:
    """A tenant that is logged in and has data goes all the same; undo is safe to repeat."""
    before = digest(clean)
    made = task(**ALL)
    await made.run()
    tenant = connect(clean, "acme", user="acme", password=made.keeper.secrets["kv:tenant-acme"])
    tenant.execute("CREATE TABLE t AS SELECT 1 AS n")

    for key in reversed(made.keys):
        await made.undo_step(key)
        if key != "role":  # what is undone twice is undone once
            made.outputs.pop(key)
            await made.undo_step(key)

    assert digest(clean) == before
    assert "Dropped database acme and ended 1 sessions on it" in made.keeper.lines
    with pytest.raises(psycopg.OperationalError):
        tenant.execute("SELECT 1")


async def test_steps_run_twice_change_nothing_the_second_time(task: Task, clean: PostgresServer) -> None:
    """An attempt that was lost after its work is repeated: same password, same server."""
    made = task(**ALL, schema="app", readers=[])
    await made.run()
    before, password = digest(clean), made.keeper.secrets["kv:tenant-acme"]

    made.outputs.clear()
    await made.run()

    assert digest(clean) == before
    assert made.keeper.secrets["kv:tenant-acme"] == password


async def test_readers_read_what_the_tenant_makes(task: Task, clean: PostgresServer) -> None:
    """A reader sees a table made later, and cannot write it; taking the grants back leaves none of them."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE analyst LOGIN PASSWORD 'analyst'")
    before = digest(clean)
    made = task(readers=["analyst"], schema="app")
    await made.run()
    with connect(clean, "acme", user="acme", password=made.keeper.secrets["kv:tenant-acme"]) as tenant:
        tenant.execute("CREATE TABLE app.t AS SELECT 42 AS n")

    with connect(clean, "acme", user="analyst", password="analyst") as reader:
        assert reader.execute("SELECT n FROM app.t").fetchone() == (42,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("INSERT INTO app.t VALUES (1)")

    await made.undo()
    assert digest(clean) == before


async def test_rights_taken_back_alone_leave_a_new_database(task: Task, clean: PostgresServer) -> None:
    """The undo of the grants gives the public its CONNECT back and empties the default privileges."""
    made = task(readers=[])
    await made.run()

    await made.undo_step("limit")
    await made.undo_step("grants")

    with connect(clean, "acme") as admin:
        open_ = admin.execute("SELECT has_database_privilege('public', 'acme', 'CONNECT')").fetchone()
        assert open_ == (True,)
        assert admin.execute("SELECT count(*) FROM pg_default_acl").fetchone() == (0,)
        assert admin.execute("SELECT datconnlimit FROM pg_database WHERE datname='acme'").fetchone() == (-1,)


async def test_without_networks_the_allow_list_is_not_in_the_plan(task: Task) -> None:
    """The step is left out, not run for nothing."""
    assert task().keys == ["role", "database", "grants", "limit", "verify"]
    assert task(allow=["10.0.0.0/8"]).keys == ["role", "database", "grants", "limit", "access", "verify"]


async def test_only_the_named_networks_get_in(task: Task, clean: PostgresServer) -> None:
    """The list leaves this host out, so the tenant is rejected, and the entry is the server's own rule."""
    made = task(allow=["10.9.8.0/24", "2001:db8::/32"])

    with pytest.raises(PermanentFault, match=r"pg_hba\.conf rejects connection"):
        await made.run()

    with connect(clean) as admin:
        rules = admin.execute(
            "SELECT address, auth_method FROM pg_hba_file_rules WHERE user_name = '{acme}' ORDER BY line_number"
        ).fetchall()
    assert rules == [("10.9.8.0", "scram-sha-256"), ("2001:db8::", "scram-sha-256"), ("all", "reject")]
