"""MySQL and MariaDB: many rows an INSERT, DELETE instead of TRUNCATE (which would commit), KILL QUERY to stop."""

from collections.abc import Sequence
from typing import Any, ClassVar

from services.executor.fault import Fault
from services.executor.mock.conflict import conflict, refused, unsteady
from services.executor.mock.inserting import Inserting
from services.executor.mock.params import Strategy
from services.executor.mock.schema import Table
from services.executor.mock.schema_mysql import inspect
from services.executor.mock.session import MARKS
from services.executor.sql.connect import connect, driver
from services.executor.sql.target import Target

LOCK_SECONDS = 30
_TRANSIENT = frozenset({0, 1021, 1040, 1053, 1114, 1180, 1205, 1213, 1317, 1927, 2006, 2013, 2014, 3024})


class MySQL(Inserting):
    """One PyMySQL connection."""

    quote: ClassVar[str] = "`"
    engine: ClassVar[str] = "ENGINE = InnoDB"
    old: ClassVar[str] = "made_at < now() - INTERVAL 30 DAY"

    def __init__(self, raw: Any, target: Target) -> None:
        super().__init__(raw, target)
        self._thread = raw.thread_id()
        self.run(f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, SESSION time_zone = '+00:00'")
        self.run("SET SESSION sql_mode = concat(@@sql_mode, ',STRICT_ALL_TABLES')")

    def inspect(self, schema: str | None, name: str) -> Table:
        """Read the information schema."""
        return inspect(self, schema, name)

    def prepare(self, table: Table) -> None:
        """Make the table of marks, unless it is there: creating needs a right that reading does not."""
        sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
        if not self.run(sql, (table.schema, MARKS)):
            super().prepare(table)

    def begin(self) -> None:
        """Begin."""
        self.run("START TRANSACTION")

    def on_conflict(
        self, strategy: Strategy, key: tuple[str, ...] | None, columns: Sequence[str], others: Sequence[str]
    ) -> str:
        """ON DUPLICATE KEY: unlike INSERT IGNORE it forgives nothing but duplicates."""
        if strategy == "IGNORE" or key is None or not others:
            same = self.name(columns[0])
            return f"ON DUPLICATE KEY UPDATE {same} = {same}"
        change = ", ".join(f"{self.name(column)} = VALUES({self.name(column)})" for column in others)
        return f"ON DUPLICATE KEY UPDATE {change}"

    def interrupt(self) -> None:
        """Ask the server, over a connection of its own, to end the statement."""
        other = connect(self.target, label="opsledger mock cancel")
        try:
            with other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {self._thread}")
        finally:
            other.close()

    def fault(self, error: Exception, table: str) -> Fault | None:
        """Sort by the server's numbers."""
        if not isinstance(error, driver("pymysql").MySQLError):
            return None
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = " ".join(str(part) for part in error.args[1:]) or str(error)
        if code == 1062:  # ER_DUP_ENTRY
            return conflict(table, said)
        if code in _TRANSIENT:
            return unsteady(self.target, table, said, str(code))
        return refused(self.target, table, said, str(code))
