"""The trigrams of names and texts, kept by triggers: FTS5 on SQLite, pg_trgm on PostgreSQL.

One row for each listed task, by its id; a deleted task has none. Triggers, so that whoever writes tasks (projector,
rebuild, a hand) keeps them. `task_names` holds the folded name and the names of object, cluster, tenant and host,
`task_texts` the text. The projector's own UPDATE names `deleted` and no other column of these, so the triggers are two:
what it costs counts for every commit.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

TABLES: Final = {
    "task_names": {
        "name": "name_folded",
        "object": "object_folded",
        "cluster": "cluster_folded",
        "tenant": "tenant_folded",
        "host": "host_folded",
    },
    "task_texts": {"text": "searched"},
}
"""The columns of each, and those of `tasks` they are kept from."""
OFF: Final = "opsledger.trigrams"
"""PostgreSQL's setting that, when `off`, says to go without pg_trgm: searches then read every row."""
_NEEDED: Final = (
    "Search needs PostgreSQL's extension pg_trgm, which cannot be made here ({why}). Let somebody who may run "
    "'CREATE EXTENSION pg_trgm' in this database, then migrate again. Where it is not to be had: "
    f"'ALTER DATABASE … SET {OFF} = off'; searches are then slow, but answer the same."
)
_KEPT: Final = ", ".join(["id", *(theirs for columns in TABLES.values() for theirs in columns.values())])
_TRIGGERS: Final = {
    "made": "AFTER INSERT ON tasks",
    "gone": "AFTER DELETE ON tasks",
    "listed": "AFTER UPDATE OF deleted ON tasks",
    "changed": f"AFTER UPDATE OF {_KEPT} ON tasks",
}
_LISTED: Final = {"listed": "OLD.deleted <> NEW.deleted", "changed": "OLD.deleted = NEW.deleted"}


class TrigramsMissing(Exception):  # noqa: N818  a fact about the database
    """The database cannot search by trigrams; says what to do."""


def make_trigrams() -> None:
    """Make tables, indexes and triggers, and fill them from the tasks."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _sqlite() -> None:
    forget, learn = "", ""
    for table, columns in TABLES.items():
        mine, view = ", ".join(columns), ", ".join(f"{theirs} AS {own}" for own, theirs in columns.items())
        op.execute(f"CREATE VIEW {table}_listed AS SELECT id, {view} FROM tasks WHERE NOT deleted")  # noqa: S608
        try:
            op.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5({mine}, content='{table}_listed', content_rowid='id', "
                "columnsize=0, tokenize='trigram case_sensitive 1')"
            )
        except sa.exc.OperationalError as error:
            raise TrigramsMissing(f"Search needs SQLite 3.34 or newer with FTS5: {error.orig}.") from error
        op.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")  # noqa: S608
        old, new = (", ".join(f"{row}.{theirs}" for theirs in columns.values()) for row in ("OLD", "NEW"))
        forget += f"INSERT INTO {table}({table}, rowid, {mine}) SELECT 'delete', OLD.id, {old} WHERE NOT OLD.deleted; "
        learn += f"INSERT INTO {table}(rowid, {mine}) SELECT NEW.id, {new} WHERE NOT NEW.deleted; "
    does = {"made": learn, "gone": forget, "listed": forget + learn, "changed": forget + learn}
    for name, when in _TRIGGERS.items():
        only = f" WHEN {_LISTED[name]}" if name in _LISTED else ""
        op.execute(f"CREATE TRIGGER trigrams_{name} {when}{only} BEGIN {does[name]}END")


def _postgres() -> None:
    trigrams = _extension()
    made, gone, forget, learn = "", "", "", ""
    for table, columns in TABLES.items():
        theirs, new = ", ".join(columns.values()), ", ".join(f"NEW.{name}" for name in columns.values())
        texts = ", ".join(f"{column} TEXT" for column in columns)
        op.execute(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, {texts})")
        op.execute(f"INSERT INTO {table} SELECT id, {theirs} FROM tasks WHERE NOT deleted")  # noqa: S608
        if trigrams:
            indexed = ", ".join(f"{column} gin_trgm_ops" for column in columns)
            op.execute(f"CREATE INDEX {table}_trigrams ON {table} USING gin ({indexed})")
        made += f"INSERT INTO {table} SELECT id, {theirs} FROM made WHERE NOT deleted; "  # noqa: S608
        gone += f"DELETE FROM {table} WHERE id IN (SELECT id FROM gone WHERE NOT deleted); "  # noqa: S608
        forget += f"DELETE FROM {table} WHERE id = OLD.id; "  # noqa: S608
        learn += f"INSERT INTO {table} VALUES (NEW.id, {new}); "  # noqa: S608
    again = f"{forget}IF NOT NEW.deleted THEN {learn}END IF; "
    does = {"made": made, "gone": gone, "listed": again, "changed": again}
    statement = {"made": " REFERENCING NEW TABLE AS made", "gone": " REFERENCING OLD TABLE AS gone"}
    for name, when in _TRIGGERS.items():
        op.execute(
            f"CREATE FUNCTION trigrams_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {does[name]}RETURN NULL; END $$"
        )
        how = f"{statement[name]} FOR EACH STATEMENT" if name in statement else f" FOR EACH ROW WHEN ({_LISTED[name]})"
        op.execute(f"CREATE TRIGGER trigrams_{name} {when}{how} EXECUTE FUNCTION trigrams_{name}()")


def _extension() -> bool:
    """Make pg_trgm unless it is there or not wanted; return whether it is there. Raises `TrigramsMissing`."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")).first():
        return True
    if connection.execute(sa.text("SELECT current_setting(:name, true)"), {"name": OFF}).scalar() == "off":
        return False
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION pg_trgm"))
    except sa.exc.DBAPIError as error:
        raise TrigramsMissing(_NEEDED.format(why=str(error.orig).partition("\n")[0])) from error
    return True
