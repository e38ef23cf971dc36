"""What can be wrong with a server, a name or a host: each says what, where and what to do, and harms nobody."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.executor.operations.contract import Connection, ExecutorPolicy, Fault, PermanentFault, TransientFault
from services.executor.task_types.tenant import tenant_create, tenant_drop
from tests.integration.tenant.conftest import Task
from tests.integration.tenant.digest import connect, digest
from tests.support.postgres import PostgresServer
from tests.support.process import free_port


async def test_a_role_of_somebody_else_is_left_alone(task: Task, clean: PostgresServer) -> None:
    """Neither its password nor anything else is touched, also by the undo; no secret is left."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE acme LOGIN PASSWORD 'theirs'")
    before = digest(clean)
    made = task()

    with pytest.raises(PermanentFault, match=r"role 'acme' .* did not make.*Choose another name") as caught:
        await made.run()
    await made.undo()

    assert caught.value.detail["kind"] == "NAME_TAKEN"
    assert digest(clean) == before
    assert made.keeper.secrets == {}


async def test_a_role_with_another_installations_mark_is_left_alone(task: Task, clean: PostgresServer) -> None:
    """The same task number elsewhere made it; without its secret it is not ours."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE acme")
        admin.execute("COMMENT ON ROLE acme IS 'opsledger 7/1/1 0123456789ab'")
    made = task()

    with pytest.raises(PermanentFault, match="did not make"):
        await made.run()
    await made.undo()

    with connect(clean) as admin:
        assert admin.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'acme'").fetchone() == (1,)


async def test_a_database_of_somebody_else_is_left_alone(task: Task, clean: PostgresServer) -> None:
    """The role that was made before goes; their database, and what was built for ours, do not stay mixed up."""
    with connect(clean) as admin:
        admin.execute("CREATE DATABASE acme")
    before = digest(clean)
    made = task()

    with pytest.raises(PermanentFault, match="database 'acme'"):
        await made.run()
    await made.undo()

    assert digest(clean) == before


async def test_a_secret_of_somebody_else_is_left_alone(task: Task, clean: PostgresServer) -> None:
    """A value that is kept under the name is neither used nor removed."""
    made = task()
    await made.keeper.keep("kv:tenant-acme", "theirs")

    with pytest.raises(PermanentFault, match="secret kv:tenant-acme already"):
        await made.run()
    await made.undo()

    assert made.keeper.secrets == {"kv:tenant-acme": "theirs"}


async def test_an_undo_leaves_what_lost_its_mark(task: Task, clean: PostgresServer) -> None:
    """Somebody took the database over by changing its comment: the rollback says so and stops."""
    made = task()
    await made.run()
    with connect(clean) as admin:
        admin.execute("COMMENT ON DATABASE acme IS 'ours now'")

    with pytest.raises(PermanentFault, match="does not carry this task's mark"):
        await made.undo_step("database")

    with connect(clean) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'acme'").fetchone() == (1,)


async def test_a_wrong_password_says_so(task: Task, connection: Connection) -> None:
    """Permanent, and names the connection, the user and the server."""
    made = task(to=replace(connection, secrets={"password": "wrong"}))

    with pytest.raises(PermanentFault, match=r"connection 'main' \(tests@127.0.0.1:\d+/postgres\).*password auth"):
        await made.run()


async def test_an_unreachable_host_may_come_back(task: Task, connection: Connection) -> None:
    """Transient, and says what to check."""
    made = task(to=replace(connection, url=f"postgresql://tests@127.0.0.1:{free_port()}/postgres"))

    with pytest.raises(TransientFault, match=r"Connection refused.*check the address"):
        await made.run()


async def test_a_user_without_rights_is_told_which(task: Task, clean: PostgresServer, connection: Connection) -> None:
    """Permanent, nothing is made, and the password that was generated is removed by the undo."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE nobody_much LOGIN PASSWORD 'secret99'")
    before = digest(clean)
    url = connection.url.replace("tests@", "nobody_much@")
    made = task(to=replace(connection, url=url, secrets={"password": "secret99"}))

    with pytest.raises(PermanentFault, match=r"permission denied.*CREATEROLE and CREATEDB"):
        await made.run()
    await made.undo()

    assert digest(clean) == before
    assert made.keeper.secrets == {}


async def test_a_user_with_createrole_and_createdb_suffices(
    task: Task, clean: PostgresServer, connection: Connection
) -> None:
    """No superuser is needed to make a tenant and to take it back."""
    with connect(clean) as admin:
        admin.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'secret99'")
    before = digest(clean)
    url = connection.url.replace("tests@", "manager@")
    made = task(to=replace(connection, url=url, secrets={"password": "secret99"}))

    await made.run()
    await made.undo()

    assert digest(clean) == before


async def test_another_database_server_is_refused(task: Task, connection: Connection) -> None:
    """A connection to something else is named as such."""
    with pytest.raises(PermanentFault, match="no PostgreSQL server"):
        await task(to=replace(connection, url="mysql://root@127.0.0.1:3306/mysql")).run()


async def test_an_allow_list_needs_its_file(task: Task, clean: PostgresServer, connection: Connection) -> None:
    """Without the option, outside of the roots, or on another host: each says what to do."""
    no_option = task(allow=["127.0.0.0/8"], to=replace(connection, options={}))
    with pytest.raises(PermanentFault, match="option hba_file"):
        await no_option.run()
    await no_option.undo_step("limit")

    outside = task(allow=["127.0.0.0/8"])
    outside.outputs, outside.policy = no_option.outputs, ExecutorPolicy()
    with pytest.raises(PermanentFault, match="outside of the folders"):
        await outside.run()


async def test_a_file_that_is_not_the_servers_is_put_back(
    task: Task, clean: PostgresServer, connection: Connection, tmp_path: Path
) -> None:
    """The server does not see the entry, so the file is left as it was."""
    file = tmp_path / "pg_hba.conf"
    file.write_text("# another server's\n")
    made = task(allow=["127.0.0.0/8"], to=replace(connection, options={"hba_file": str(file)}))
    made.policy = ExecutorPolicy(file_roots=(tmp_path,))

    with pytest.raises(PermanentFault, match="is not the file that the server"):
        await made.run()

    assert file.read_text() == "# another server's\n"


async def test_a_damaged_allow_list_is_not_touched(task: Task, clean: PostgresServer) -> None:
    """While any line is wrong the server keeps its old rules, so the line is named and nothing is written."""
    file = clean.data_dir / "pg_hba.conf"
    text = file.read_text() + "nonsense here\n"
    file.write_text(text)
    made = task(allow=["127.0.0.0/8"])

    with pytest.raises(PermanentFault, match=r"line \d+: .*mend that line"):
        await made.run()

    assert file.read_text() == text


@pytest.mark.parametrize(
    "name", ["", "a b", 'a"; DROP DATABASE x; --', "1st", "postgres", "public", "pg_x", "x" * 64, "opsledger_1", "a\nb"]
)
def test_names_that_could_harm_are_refused_before_anything_runs(name: str) -> None:
    """No plan is made, for create and for drop."""
    for kind in (tenant_create, tenant_drop):
        with pytest.raises(Fault, match="name"):
            kind.plan({"connection": "main", "name": name})


@pytest.mark.parametrize("network", ["everywhere", "10.0.0.1/8", "10.0.0.0/8 trust\nhost all all all trust"])
def test_networks_are_networks(network: str) -> None:
    """What is no network gets into no file."""
    with pytest.raises(PermanentFault, match="allow"):
        tenant_create.plan({"connection": "main", "name": "acme", "allow": [network]})


async def test_odd_but_legal_names_work(task: Task, clean: PostgresServer) -> None:
    """Capitals, hyphens and keywords are names, because names are always quoted."""
    before = digest(clean)
    made = task(name="Select-Table", database="order", schema="Group", allow=["127.0.0.0/8"])
    await made.run()
    assert made.outputs["verify"]["schema"] == "Group"
    await made.undo()
    assert digest(clean) == before


async def test_a_secret_that_is_not_the_password_fails_the_login(task: Task, clean: PostgresServer) -> None:
    """Somebody changed what is kept: the last step finds out, as the tenant would."""
    made = task()
    await made.run(until="verify")
    await made.keeper.keep("kv:tenant-acme", "something else")

    with pytest.raises(PermanentFault, match=r"acme@127.0.0.1:\d+/acme\): the server refused: password authentication"):
        await made.run()


async def test_a_cancel_ends_the_query_on_the_server(task: Task, clean: PostgresServer) -> None:
    """A step waits for a lock of the server; cancelled, it ends at once and leaves no session there."""
    made = task(allow=["127.0.0.0/8"])
    await made.run(until="access")
    step = next(step for step in made.plan.subtasks if step.key == "access")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'opsledger 7/5/1'"
    with connect(clean) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext('opsledger pg_hba'))")
        running = asyncio.create_task(made.execute(step))
        while admin.execute(f"{waiting} AND wait_event_type = 'Lock'").fetchone() != (1,):
            await asyncio.sleep(0.01)

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        while admin.execute(waiting).fetchone() != (0,):
            await asyncio.sleep(0.01)
    assert "opsledger" not in (clean.data_dir / "pg_hba.conf").read_text()
