"""The port of one database session, as its own thread sees it, and how a statement fails.

Everything blocks and belongs to one thread, but `interrupt` and `sever`, which are there for the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from services.executor.sql.target import Dialect

Cell = None | bool | int | float | str | bytes
Row = tuple[Cell, ...]
Cause = Literal["STATEMENT", "TIMEOUT", "SESSION_LOST"]


class StatementFailed(Exception):  # noqa: N818 - what the server said
    """The server, or its silence, refused a statement. `code` is the server's own (SQLSTATE, error number)."""

    def __init__(self, message: str, code: str = "", cause: Cause = "STATEMENT") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.cause: Cause = cause


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result set; `type` is the server's word for it, empty where it has none."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session stands between two statements."""

    in_transaction: bool
    aborted: bool = False
    """Whether the server refuses everything until the transaction ends."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a server said beside its answer: a note, or a warning."""

    text: str
    warning: bool


MAX_NOTICES: Final = 100
"""How many notices of one statement are kept."""


class Driver(Protocol):
    """One session. `execute`, then `rows` to their end or `discard`; the next statement comes after that."""

    @property
    def dialect(self) -> Dialect:
        """Which kind of server it is."""

    @property
    def server_cuts(self) -> bool:
        """Whether the server ends a statement by itself when its time is over."""

    def execute(self, sql: str) -> list[Column] | None:
        """Begin one statement; the columns of its result set, or None if it has none. Raises `StatementFailed`."""

    def rows(self) -> Iterator[Row]:
        """Give the rows, a bounded number of them in memory. Raises `StatementFailed`."""

    def discard(self) -> None:
        """Let the statement run to its end without keeping what rows are left. Raises `StatementFailed`."""

    @property
    def affected(self) -> int | None:
        """How many rows the last statement changed, if the server says so."""

    @property
    def extra_sets(self) -> int:
        """How many further result sets the last statement gave that were not kept."""

    def notices(self) -> list[Notice]:
        """What the server said beside its answer to the last statement; once. Raises `StatementFailed`."""

    def place(self) -> Place:
        """Where the session stands."""

    def settle(self) -> None:
        """After a failure: learn where the session stands, and that a late interrupt hits no further statement."""

    def interrupt(self) -> None:
        """End the running statement on the server; from any thread. Raises what the driver raises."""

    def sever(self) -> None:
        """Cut the connection so that its thread wakes up; from any thread."""

    def close(self) -> None:
        """End the session; never raises."""
