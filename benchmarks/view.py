"""What the SQL view shows: plain reads of view.db beside the API, polled until something has ended. Writes nothing.

A figure ends when this sees the end, so the whole way is in it: commit, projection, SQL transaction.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 90.0


class NotInTime(Exception):  # noqa: N818  what the system did
    """The view does not show in time what it should; says what it shows."""


class View:
    """One read-only connection to the SQLite view; use it as a context."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state: the counts that lists show, kept in the transaction of the rows."""
        return dict(self._connection.execute("SELECT state, n FROM counts").fetchall())

    def state(self, task_id: int) -> str | None:
        """The state of one task, or None while the view does not know it."""
        row = self._connection.execute("SELECT state FROM tasks WHERE id = ?", (task_id,)).fetchone()
        return row[0] if row else None

    def successful(self, ids: range) -> tuple[int, int]:
        """How many tasks and how many subtasks of these ids are SUCCESSFUL, counted row by row."""
        bounds = (ids.start, ids.stop)
        found = []
        for column, table, state in (("id", "tasks", "state"), ("task_id", "subtasks", "status")):
            query = f"SELECT count(*) FROM {table} WHERE {column} >= ? AND {column} < ? AND {state} = 'SUCCESSFUL'"
            found.append(int(self._connection.execute(query, bounds).fetchone()[0]))
        return found[0], found[1]

    def wait(self, check: Callable[[], bool], what: str, *, every: float = 0.002) -> None:
        """Poll until `check` holds; `every` is in seconds.

        Blocks the caller's thread: nothing else may run in this process while it waits, and nothing does.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not check():
            if time.monotonic() > deadline:
                raise NotInTime(f"not within {PATIENCE_SECONDS:.0f} s: {what}; the view counts {self.counts()}")
            time.sleep(every)

    def wait_until(self, state: str, count: int, *, every: float = 0.002) -> None:
        """Poll until `count` tasks are in `state`."""
        self.wait(lambda: self.counts().get(state, 0) >= count, f"{count} tasks {state}", every=every)
