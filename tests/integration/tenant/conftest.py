"""A PostgreSQL server of these tests' own, whose roles and pg_hba.conf they may change, and tasks to run on it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.executor.operations.contract import Connection, ExecutorPolicy
from services.executor.operations.pg_access import PgAccess
from services.executor.operations.pg_access_remove import PgAccessRemove
from services.executor.operations.pg_close import PgClose
from services.executor.operations.pg_database import PgDatabase
from services.executor.operations.pg_drop_database import PgDropDatabase
from services.executor.operations.pg_drop_role import PgDropRole
from services.executor.operations.pg_dump import PgDump
from services.executor.operations.pg_grants import PgGrants
from services.executor.operations.pg_limit import PgLimit
from services.executor.operations.pg_look import PgLook
from services.executor.operations.pg_role import PgRole
from services.executor.operations.pg_verify import PgVerify
from services.executor.task_types.tenant import tenant_create, tenant_drop
from tests.conftest import _no_postgres
from tests.integration.tenant.digest import connect
from tests.integration.tenant.steps import Steps, catalog_of
from tests.support.postgres import NoPostgres, PostgresServer

OPERATIONS = catalog_of(
    *(PgRole(), PgDatabase(), PgGrants(), PgLimit(), PgAccess(), PgVerify(), PgLook(), PgClose(), PgDump()),
    *(PgAccessRemove(), PgDropDatabase(), PgDropRole()),
)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """One server for all of these tests, which leave it as they found it."""
    yield from own_server()


def own_server() -> Iterator[PostgresServer]:
    """A server of one's own, started, and removed afterwards."""
    try:
        made = PostgresServer()
    except NoPostgres as error:
        _no_postgres(error)
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def clean(server: PostgresServer) -> Iterator[PostgresServer]:
    """The server; whatever a test leaves there is removed after it."""
    hba = (server.data_dir / "pg_hba.conf").read_bytes()
    yield server
    with connect(server) as admin:
        (server.data_dir / "pg_hba.conf").write_bytes(hba)
        admin.execute("SELECT pg_reload_conf()")
        for (name,) in admin.execute("SELECT datname FROM pg_database WHERE oid > 16383").fetchall():
            with contextlib.suppress(Exception):
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        for (name,) in admin.execute("SELECT rolname FROM pg_roles WHERE oid > 16383").fetchall():
            admin.execute(f'DROP OWNED BY "{name}"')
            admin.execute(f'DROP ROLE "{name}"')


@pytest.fixture
def connection(clean: PostgresServer) -> Connection:
    """The superuser's connection, which knows where pg_hba.conf is."""
    return Connection(
        "main",
        f"postgresql://tests@127.0.0.1:{clean.port}/postgres",
        {"hba_file": str(clean.data_dir / "pg_hba.conf")},
        {"password": clean.password},
    )


Task = Callable[..., Steps]


@pytest.fixture
def task(clean: PostgresServer, connection: Connection, tmp_path: Path) -> Task:
    """Make a `tenant.create` (or `tenant.drop`) for tenant acme with these parameters."""

    def make(kind: str = "create", *, task_id: int = 7, to: Connection | None = None, **params: Any) -> Steps:
        of = {"create": tenant_create, "drop": tenant_drop}[kind]
        plan = of.plan({"connection": "main", "name": "acme", **params})
        steps = Steps(plan, OPERATIONS, to or connection, tmp_path, task_id)
        steps.policy = ExecutorPolicy(file_roots=(clean.data_dir,))
        return steps

    return make
