"""DBAPI connections to databases, with drivers imported when they are needed, and what went wrong as faults.

`TransientFault`: nobody answers, or there is no room at the moment. `PermanentFault`: a wrong password, no such
database, no driver. Each says what, where, and what to do. All of it blocks: call it on a thread.
"""

import sqlite3
import ssl
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.parse import quote

from services.executor.fault import Fault, PermanentFault, TransientFault
from services.executor.sql.target import Target

_EXTRAS: Final = {"psycopg": "sql-postgresql", "pymysql": "sql-mysql"}
# What libpq itself says of the network; what a server says comes in the server's language.
_PG_UNREACHED: Final = (
    "connection refused",
    "timeout expired",
    "could not translate host name",
    "failed to resolve host",
    "no route to host",
    "network is unreachable",
    "closed the connection unexpectedly",
    "connection reset",
    "no such file or directory",
)
_PG_NO_ROOM: Final = ("too many clients", "connection slots", "starting up", "shutting down", "recovery mode")
_MY_UNREACHED: Final = frozenset({2002, 2003, 2005, 2006, 2013})
_MY_NO_ROOM: Final = frozenset({1040, 1053, 1203, 1226})
_MY_DENIED: Final = frozenset({1044, 1045, 1130, 1698})
_MY_NO_DATABASE: Final = 1049


def driver(name: str) -> ModuleType:
    """Import a driver. Raises `PermanentFault` that names the extra when it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        extra = _EXTRAS[name]
        raise PermanentFault(
            f'This executor has no driver {name}: install it beside the executor, pip install "opsledger[{extra}]".',
            {"kind": "NO_DRIVER", "extra": extra},
        ) from None


def connect(target: Target, *, label: str = "opsledger") -> Any:
    """Return an open DBAPI connection in autocommit mode; `label` is how the server sees it. Raises faults."""
    match target.dialect:
        case "sqlite":
            return open_sqlite(target)
        case "postgresql":
            return open_postgresql(target, label)
        case "mysql":
            return open_mysql(target, label)


def open_sqlite(target: Target) -> sqlite3.Connection:
    """Open a file that exists, or with the option `create` a new one; usable from any one thread at a time."""
    path = Path(target.database)
    mode = "rwc" if target.create else "rw"
    try:
        connection = sqlite3.connect(
            f"file:{quote(target.database)}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=target.connect_seconds,
        )
    except (sqlite3.Error, OSError) as error:
        if not path.exists() and not target.create:
            why = f"there is no file {path}: make the database first, or set the connection's option create to true"
        else:
            why = f"{path} cannot be opened ({error}): see that the executor's user may read and write it"
        raise _fault(PermanentFault, target, why, "NO_DATABASE") from None
    connection.text_factory = _text
    connection.set_authorizer(_keep_to_one_file)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        kind: type[Fault] = TransientFault if "locked" in str(error) else PermanentFault
        raise _fault(kind, target, f"{path} cannot be read: {error}", "NO_DATABASE") from None
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _fault(PermanentFault, target, f"{path} is no SQLite database ({error})", "NO_DATABASE") from None
    return connection


def open_postgresql(target: Target, label: str = "opsledger") -> Any:
    """Open a psycopg connection; when its client is gone, the server ends its query within seconds if it can."""
    psycopg = driver("psycopg")
    try:
        return psycopg.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password or None,
            dbname=target.database or target.user,
            connect_timeout=target.connect_seconds,
            sslmode=target.ssl_mode,
            sslrootcert=target.ssl_root or None,
            application_name=label,
            client_encoding="UTF8",
            autocommit=True,
        )
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        low = said.lower()
        if any(word in low for word in _PG_NO_ROOM):
            raise _fault(TransientFault, target, f"the server has no room now: {said}", "NO_ROOM") from None
        if any(word in low for word in _PG_UNREACHED):
            raise _unreached(target, said) from None
        raise _fault(PermanentFault, target, f"the server refused: {said}. {_check(target)}", "REFUSED") from None


def open_mysql(target: Target, label: str = "opsledger") -> Any:
    """Open a PyMySQL connection to MySQL or MariaDB; local files are never sent (`LOAD DATA LOCAL`)."""
    pymysql = driver("pymysql")
    try:
        connection: Any = pymysql.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            database=target.database or None,
            connect_timeout=target.connect_seconds,
            read_timeout=target.connect_seconds,  # connect_timeout is over once the network answers
            charset="utf8mb4",
            autocommit=True,
            local_infile=False,
            program_name=label,
            **_mysql_ssl(target),
        )
    except (pymysql.MySQLError, OSError, RuntimeError) as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = " ".join(str(part) for part in error.args[1:]) or str(error)
        if code in _MY_UNREACHED or isinstance(error, OSError):
            raise _unreached(target, said) from None
        if code in _MY_NO_ROOM:
            raise _fault(TransientFault, target, f"the server has no room now: {said}", "NO_ROOM") from None
        known = code in _MY_DENIED or code == _MY_NO_DATABASE
        advice = f" {_check(target)}" if known else ""
        raise _fault(PermanentFault, target, f"the server refused: {said}.{advice}", "REFUSED") from None
    connection._read_timeout = None  # noqa: SLF001 - from here on statements take their time
    return connection


def _mysql_ssl(target: Target) -> dict[str, Any]:
    if target.ssl_mode == "disable":
        return {"ssl_disabled": True}
    if target.ssl_mode in {"allow", "prefer"}:
        return {}
    context = ssl.create_default_context(cafile=target.ssl_root or None)
    context.check_hostname = target.ssl_mode == "verify-full"
    if target.ssl_mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _check(target: Target) -> str:
    return f"Check the user '{target.user}', its password and the database of connection '{target.name}'."


def _unreached(target: Target, said: str) -> Fault:
    why = f"{target.host}:{target.port} cannot be reached ({said}): check the address, the network, and that it runs"
    return _fault(TransientFault, target, why, "UNREACHABLE")


def _fault(kind: type[Fault], target: Target, why: str, code: str) -> Fault:
    message = f"No session on {target.where}: {why}".rstrip(".") + "."
    return kind(message, {"kind": code, "connection": target.name, "dialect": target.dialect})


def _text(raw: bytes) -> str | bytes:
    """Text as SQLite keeps it need not be UTF-8; what is not stays bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _keep_to_one_file(action: int, first: str | None, *_: object) -> int:
    """A script stays in its connection's file: no ATTACH and no VACUUM INTO of other files of this host."""
    if action == sqlite3.SQLITE_ATTACH and first not in {"", ":memory:"}:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
