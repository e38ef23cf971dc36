"""What keeps a script from beginning: each ends with a cause that says what, where, and what to do."""

import socket
from typing import Any

import pytest

from opsledger.testing import RunOperation
from services.executor.fault import Fault, PermanentFault, TransientFault
from services.executor.operations.contract import Connection
from services.executor.operations.sql_script import SqlExecute
from tests.integration.sql.conftest import Database, Mariadb, Postgresql, Sqlite, changed
from tests.support.process import free_port


async def refused(run: RunOperation, connection: Connection | None, sql: str = "SELECT 1") -> Fault:
    """The fault of a script that could not begin."""
    with pytest.raises(Fault) as caught:
        await run(
            SqlExecute(), {"connection": "target", "sql": sql}, connections={"target": connection} if connection else {}
        )
    return caught.value


@pytest.fixture(params=["postgresql", "maria"])
def server(request: pytest.FixtureRequest) -> Database:
    """A fresh database on each of the two that are servers."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Database)
    return made


async def test_missing_connection_is_named(run_operation: RunOperation) -> None:
    """A connection that does not exist is a permanent fault with its name."""
    fault = await refused(run_operation, None)

    assert isinstance(fault, PermanentFault)
    assert "target" in fault.message


async def test_wrong_password_is_for_a_person(run_operation: RunOperation, server: Database) -> None:
    """No automatic retry helps; user and connection are named, the password is not."""
    fault = await refused(run_operation, changed(server.connection, secrets={"password": "wrong-one"}))

    assert isinstance(fault, PermanentFault)
    assert (fault.detail["kind"], fault.detail["connection"]) == ("REFUSED", "target")
    assert "Check the user '" in fault.message
    assert "wrong-one" not in fault.message + str(fault.detail)


async def test_database_that_does_not_exist(run_operation: RunOperation, server: Database) -> None:
    """The server's words for it, and where to look."""
    url = server.connection.url.rpartition("/")[0] + "/nowhere"
    fault = await refused(run_operation, changed(server.connection, url=url))

    assert isinstance(fault, PermanentFault)
    assert "nowhere" in fault.message


async def test_refused_connection_may_pass(run_operation: RunOperation, server: Database) -> None:
    """Nobody listens there: transient, with address and port."""
    port = free_port()
    url = f"{server.connection.url.partition(':')[0]}://tests@127.0.0.1:{port}/db"
    fault = await refused(run_operation, changed(server.connection, url=url))

    assert isinstance(fault, TransientFault)
    assert fault.detail["kind"] == "UNREACHABLE"
    assert f"127.0.0.1:{port} cannot be reached" in fault.message


async def test_host_without_a_name(run_operation: RunOperation, server: Database) -> None:
    """A host that cannot be found is transient: names come and go."""
    url = f"{server.connection.url.partition(':')[0]}://tests@nobody.invalid/db"
    fault = await refused(run_operation, changed(server.connection, url=url))

    assert isinstance(fault, TransientFault)
    assert "nobody.invalid" in fault.message


async def test_host_that_never_answers(run_operation: RunOperation, server: Database) -> None:
    """Something accepts and says nothing: the connect ends at its own time-out."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        url = f"{server.connection.url.partition(':')[0]}://tests@127.0.0.1:{port}/db"
        fault = await refused(run_operation, changed(server.connection, url=url, options={"connect_timeout": "2"}))

    assert isinstance(fault, TransientFault)
    assert fault.detail["kind"] == "UNREACHABLE"


async def test_sqlite_file_that_is_not_there(run_operation: RunOperation, sqlite: Sqlite) -> None:
    """A typing error makes no new database, unless the connection says so."""
    gone = changed(sqlite.connection, url=sqlite.connection.url + ".typo")
    fault = await refused(run_operation, gone)

    assert isinstance(fault, PermanentFault)
    assert "there is no file" in fault.message
    made = changed(gone, options={"create": "true"})
    ran = await run_operation(SqlExecute(), {"connection": "target", "sql": "SELECT 1"}, connections={"target": made})
    assert ran.output["success"] == 1


async def test_file_that_is_no_database(run_operation: RunOperation, sqlite: Sqlite) -> None:
    """Something else at the path is left alone."""
    with open(sqlite.connection.url.removeprefix("sqlite://"), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("not a database at all, but long enough to look like something" * 20)

    fault = await refused(run_operation, sqlite.connection)

    assert isinstance(fault, PermanentFault)
    assert "is no SQLite database" in fault.message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "oracle://u@h/db"}, "'oracle' is no database"),
        ({"url": "postgresql://u:secret@h/db"}, "holds a password"),
        ({"url": "postgresql://h/db"}, "user@host"),
        ({"url": "mysql://u@h:port/db"}, "cannot be read"),
        ({"url": "sqlite://relative.db"}, "absolute"),
        ({"url": "postgresql://u@h/db", "options": {"sslmode": "sometimes"}}, "sslmode"),
        ({"url": "postgresql://u@h/db", "options": {"connect_timeout": "soon"}}, "connect_timeout"),
    ],
)
async def test_unfit_connections_are_explained(run_operation: RunOperation, changes: dict[str, Any], said: str) -> None:
    """What does not fit is said without a try, and never with the password."""
    fault = await refused(run_operation, Connection("target", **changes))

    assert isinstance(fault, PermanentFault)
    assert said in fault.message
    assert "secret@" not in fault.message


async def test_missing_driver_names_the_extra(
    run_operation: RunOperation, monkeypatch: pytest.MonkeyPatch, maria: Mariadb, postgresql: Postgresql
) -> None:
    """Without the extra, what to install is said."""
    for database, module, extra in ((postgresql, "psycopg", "sql-postgresql"), (maria, "pymysql", "sql-mysql")):
        with monkeypatch.context() as patched:
            patched.setitem(__import__("sys").modules, module, None)
            fault = await refused(run_operation, database.connection)
        assert isinstance(fault, PermanentFault)
        assert f'pip install "opsledger[{extra}]"' in fault.message
