"""`tenant.create` and `tenant.drop`: a database tenant on a PostgreSQL server, and its end, step by step and undone so.

A tenant is a login role with a database of its own. Refuses to know SQL: every step is an operation (`pg.*`).
"""

from typing import Annotated, Any

from pydantic import Field

from services.executor.operations.contract import Params, Secret
from services.executor.operations.pg_access import Network
from services.executor.operations.pg_database import Encoding, Locale, Tablespace
from services.executor.operations.pg_grants import Readers, Schema
from services.executor.operations.pg_limit import Limit
from services.executor.postgres.names import ConnectionName, KeptSecret, PgName
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan
from shared.task.text import PoolName

_AGAIN = RetryPolicy(times=2, delay_seconds=3)
"""For what may go away by itself; what a person has to change is never tried again."""

PoolField = Annotated[
    PoolName | None, Field(description="The executors that reach the server; for an allow-list, those on its host.")
]

TenantName = Annotated[PgName, Field(description="The tenant's role.", examples=["acme"])]
DatabaseName = Annotated[PgName | None, Field(description="Its database; as the role if not given.")]


class TenantCreateParams(Params):
    """Who the tenant is and what it may. Role and database are called `name` unless said otherwise."""

    connection: ConnectionName
    name: TenantName
    database: DatabaseName = None
    secret: KeptSecret | None = Field(
        default=None, description="Where its password is kept; kv:tenant-NAME if not given."
    )
    encoding: Encoding = "UTF8"
    locale: Locale = None
    tablespace: Tablespace = None
    schema_name: Schema = "public"
    readers: Readers = Field(default_factory=list)
    connections: Limit = Field(default=50, description="Sessions of the role at once; -1 is no limit.")
    database_connections: Limit = Field(default=-1, description="Sessions on the database at once; -1 is no limit.")
    allow: Annotated[list[Network], Field(max_length=100)] = Field(
        default_factory=list, description="Networks the tenant may come from; empty leaves pg_hba.conf alone."
    )
    pool: PoolField = None


class TenantDropParams(Params):
    """Which tenant. Its database is dumped to a result file first."""

    connection: ConnectionName
    name: TenantName
    database: DatabaseName = None
    secret: Secret | None = Field(default=None, description="Where its password is kept; kv:tenant-NAME if not given.")
    access: bool = Field(default=False, description="Also take its entry out of the allow-list (pg_hba.conf).")
    dump_seconds: Annotated[
        int, Field(ge=1, le=30 * 86_400, description="How long dump and restore may each take.")
    ] = 4 * 3600
    pool: PoolField = None


@task_type("tenant.create")
def tenant_create(params: TenantCreateParams) -> Plan:
    """Creates a tenant on a PostgreSQL server (role, database, grants, limits, allow-list) and logs in to prove it."""
    database, secret = params.database or params.name, params.secret or f"kv:tenant-{params.name}"
    at = {"connection": params.connection}
    both = {**at, "database": database, "role": params.name}
    steps = [
        _step("role", "Create role", "pg.role", {**at, "role": params.name, "secret": secret}),
        _step(
            "database",
            "Create database",
            "pg.database",
            {
                **at,
                "database": database,
                "owner": params.name,
                "encoding": params.encoding,
                "locale": params.locale,
                "tablespace": params.tablespace,
            },
        ),
        _step(
            "grants", "Set privileges", "pg.grants", {**both, "schema": params.schema_name, "readers": params.readers}
        ),
        _step(
            "limit",
            "Set connection limits",
            "pg.limit",
            {**both, "role_limit": params.connections, "database_limit": params.database_connections},
        ),
    ]
    if params.allow:
        steps.append(
            _step("access", "Set whitelist", "pg.access", {**both, "allow": [str(net) for net in params.allow]})
        )
    steps.append(_step("verify", "Verify by logging in", "pg.verify", {**both, "secret": secret}))
    return _chain(steps, params.pool)


@task_type("tenant.drop")
def tenant_drop(params: TenantDropParams) -> Plan:
    """Drops a tenant of a PostgreSQL server after a dump of its database; a rollback restores it."""
    database, secret = params.database or params.name, params.secret or f"kv:tenant-{params.name}"
    at = {"connection": params.connection}
    both = {**at, "database": database, "role": params.name}
    kept = f"kv:tenant-{params.name}.former"
    steps = [
        _step("look", "Record what there is", "pg.look", {**both, "secret": secret, "kept": kept}),
        _step("close", "Stop connections", "pg.close", both),
        _step("dump", "Dump database", "pg.dump", both, timeout=float(params.dump_seconds)),
    ]
    if params.access:
        steps.append(_step("access", "Remove whitelist entry", "pg.access_remove", both))
    steps += [
        _step("drop_database", "Drop database", "pg.drop_database", both, timeout=float(params.dump_seconds)),
        _step("drop_role", "Drop role", "pg.drop_role", {**at, "role": params.name, "secret": secret, "kept": kept}),
    ]
    return _chain(steps, params.pool, {"close": ["look"], "drop_database": ["look", "dump"], "drop_role": ["look"]})


def _step(key: str, name: str, operation: str, params: dict[str, Any], *, timeout: float | None = None) -> SubtaskPlan:
    given = {key: value for key, value in params.items() if value is not None}
    return SubtaskPlan(key=key, name=name, operation=operation, params=given, timeout=timeout, retry=_AGAIN)


def _chain(steps: list[SubtaskPlan], pool: str | None, also: dict[str, list[str]] | None = None) -> Plan:
    """Put the steps one after another; `also` names further upstreams whose output a step reads."""
    chained = []
    for place, step in enumerate(steps):
        before = [steps[place - 1].key] if place else []
        more = [key for key in (also or {}).get(step.key, []) if key not in before]
        chained.append(step.model_copy(update={"upstreams": [*before, *more], "pool": pool}))
    return Plan(subtasks=chained)
