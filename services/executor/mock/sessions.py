"""Which session a connection gets."""

from services.executor.mock.mysql import MySQL
from services.executor.mock.postgresql import PostgreSQL
from services.executor.mock.session import Session
from services.executor.mock.sqlite import SQLite
from services.executor.sql.connect import connect
from services.executor.sql.target import Target

_SESSIONS: dict[str, type[Session]] = {"postgresql": PostgreSQL, "sqlite": SQLite, "mysql": MySQL}


def session_on(target: Target, label: str) -> Session:
    """Open a session; blocks. Raises faults."""
    return _SESSIONS[target.dialect](connect(target, label=label), target)
