"""Names of roles, databases and schemas that tasks may give, and the marks by which a task knows its own work.

A mark is the comment of a role or database: `opsledger <token> <fingerprint>`, where the fingerprint comes from a
secret that only this task could make, so that two installations with the same task number do not take each other's work
for their own. Refuses to know SQL.
"""

from hashlib import sha256
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from services.executor.operations.contract import Secret
from shared.store.connections import NAME as CONNECTION_NAME

_RESERVED: Final = frozenset(
    {
        *("all", "current_role", "current_user", "none", "postgres", "public", "replication", "samegroup", "samerole"),
        *("sameuser", "session_user", "template0", "template1", "user"),
    }
)
_MARK: Final = "opsledger"
_SHAPE: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$"


def _free(name: str) -> str:
    if name.lower() in _RESERVED or name.lower().startswith(("pg_", "opsledger_")):
        raise ValueError(f"'{name}' is a name that PostgreSQL, pg_hba.conf or this program keeps for itself")
    return name


def _not_the_systems(name: str) -> str:
    if name.startswith("pg_") or name == "information_schema":
        raise ValueError(f"'{name}' is a schema of PostgreSQL's own")
    return name


PgName = Annotated[str, StringConstraints(pattern=_SHAPE), AfterValidator(_free)]
"""A role or database: a letter or `_`, then letters, digits, `_`, `-`; at most 63; case counts, it is always quoted."""

Database = Annotated[PgName, Field(description="The database.", examples=["acme"])]
Role = Annotated[PgName, Field(description="The role: the tenant.", examples=["acme"])]

SchemaName = Annotated[str, StringConstraints(pattern=_SHAPE), AfterValidator(_not_the_systems)]


def _kept(reference: str) -> str:
    if not reference.startswith("kv:"):
        raise ValueError("a generated password is kept under kv:NAME")
    return reference


KeptSecret = Annotated[Secret, AfterValidator(_kept)]
"""A secret that a task makes: `kv:NAME`."""

ConnectionName = Annotated[
    str,
    StringConstraints(pattern=CONNECTION_NAME, max_length=100),
    Field(description="The server, as a user who may create roles and databases.", examples=["main"]),
]


def fingerprint(value: str) -> str:
    """Return what of a generated password may be seen: enough to tell it from others, nothing to guess it by."""
    return sha256(value.encode()).hexdigest()[:12]


def mark(token: str, print_: str) -> str:
    """Return the comment that says whose work a role or database is."""
    return f"{_MARK} {token} {print_}".rstrip()


def print_of(comment: str | None) -> str:
    """Return the fingerprint of a mark, or nothing."""
    parts = (comment or "").split(" ")
    return parts[2] if len(parts) == 3 and parts[0] == _MARK else ""


def made_by_task(comment: str | None, task_id: int) -> bool:
    """Whether a comment is a mark of any step of this task."""
    return (comment or "").startswith(f"{_MARK} {task_id}/")


def staging(token: str) -> str:
    """Return the name under which a database of this token is made before it is shown under its own."""
    return f"opsledger_{token.replace('/', '_')}"
