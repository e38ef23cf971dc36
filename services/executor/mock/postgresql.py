"""PostgreSQL: COPY straight into the table, or through a temporary one where conflicts are to be met."""

from collections.abc import Sequence
from typing import Any, ClassVar

from services.executor.fault import Fault
from services.executor.mock.conflict import conflict, refused, unsteady
from services.executor.mock.copytext import encoded, lines
from services.executor.mock.params import Strategy
from services.executor.mock.part import Recipe
from services.executor.mock.schema import Table
from services.executor.mock.schema_postgresql import inspect
from services.executor.mock.session import MARKS, Counts, Session
from services.executor.mock.stream import Nothing
from services.executor.sql.connect import driver

_STAGED = "opsledger_mock_rows"
LOCK_SECONDS = 30
_TRANSIENT = ("08", "40", "53", "57", "58", "55P03")
"""SQLSTATE classes that may pass: connection, rollback, resources, operator intervention, system, lock."""


class PostgreSQL(Session):
    """One psycopg connection."""

    old: ClassVar[str] = "made_at < now() - interval '30 days'"

    def inspect(self, schema: str | None, name: str) -> Table:
        """Read the catalogue."""
        return inspect(self, schema, name)

    def begin(self) -> None:
        """Begin; a lock is waited for half a minute."""
        self.run("BEGIN")
        self.run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")

    def prepare(self, table: Table) -> None:
        """Make the table of marks, unless it is there: creating needs a right that reading does not."""
        sql = (
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = %s AND relname = %s"
        )
        if self.run(sql, (table.schema, MARKS)):
            return
        try:
            super().prepare(table)
        except driver("psycopg").Error:
            if not self.run(sql, (table.schema, MARKS)):  # else somebody made it at the same moment
                raise

    def open(self, table: Table, recipe: Recipe, strategy: Strategy) -> None:
        """Begin the COPY."""
        super().open(table, encoded(recipe), strategy)
        fields = [field for stream in self.streams.streams for field in stream.fields]
        self._nulls = [field.nulls is not None or isinstance(field.space, Nothing) for field in fields]
        columns = self.names(recipe.columns)
        into = self.name(table.schema, table.name)
        self._staged = strategy != "TERMINATE" and bool(table.keys)
        if self._staged:
            sql = f"CREATE TEMP TABLE {_STAGED} ON COMMIT DROP AS SELECT {columns} FROM {into} WITH NO DATA"  # noqa: S608
            self.run(sql)
            into = _STAGED
        self._cursor = self.raw.cursor()
        self._copying = self._cursor.copy(f"COPY {into} ({columns}) FROM STDIN")
        self._copy = self._copying.__enter__()

    def send(self, columns: Sequence[Sequence[Any]], count: int) -> None:  # noqa: ARG002 - the port's signature
        """Write the rows into the COPY."""
        self._copy.write(lines(columns, nulls=self._nulls))

    def finish(self, total: int) -> Counts:
        """End the COPY; from the temporary table, insert what conflicts are to leave."""
        self._copying.__exit__(None, None, None)
        self._cursor.close()
        if not self._staged:
            return Counts(total)
        assert self._table is not None  # noqa: S101 - `open` came before
        columns = self.names(self.streams.columns)
        into = self.name(self._table.schema, self._table.name)
        # OVERRIDING: a rule may name an identity column, as COPY would let it
        sql = f"INSERT INTO {into} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {_STAGED} ON CONFLICT"  # noqa: S608
        key = self.arbiter(self._table, self.streams.columns)
        if self._strategy == "IGNORE" or key is None:
            written = self.change(f"{sql} DO NOTHING")
            return Counts(written, total - written, total - written)
        same = " AND ".join(f"t.{self.name(column)} = s.{self.name(column)}" for column in key)
        conflicting = self.run(f"SELECT count(*) FROM {_STAGED} s WHERE EXISTS (SELECT 1 FROM {into} t WHERE {same})")  # noqa: S608
        others = [column for column in self.streams.columns if column not in key] or [key[0]]
        change = ", ".join(f"{self.name(column)} = excluded.{self.name(column)}" for column in others)
        written = self.change(f"{sql} ({self.names(key)}) DO UPDATE SET {change}")
        return Counts(written, int(conflicting[0][0]))

    def interrupt(self) -> None:
        """Ask the server to cancel."""
        self.raw.cancel_safe(timeout=5)

    def fault(self, error: Exception, table: str) -> Fault | None:
        """Sort by SQLSTATE."""
        psycopg = driver("psycopg")
        if not isinstance(error, psycopg.Error):
            return None
        state, diag = error.sqlstate or "", error.diag
        said = ": ".join(part for part in (diag.message_primary, diag.message_detail) if part) or str(error).strip()
        if state == "23505":
            return conflict(table, said, diag.constraint_name or "")
        if not state or state.startswith(_TRANSIENT):
            return unsteady(self.target, table, said, state)
        return refused(self.target, table, said, state, diag.column_name or "")
