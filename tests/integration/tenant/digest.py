"""What a PostgreSQL server is, to compare it before and after: roles, databases, rights, settings, files, every row."""

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres import PostgresServer, binaries

_QUERIES = {
    "roles": "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,"
    " rolbypassrls, rolconnlimit, rolvaliduntil::text, rolpassword, shobj_description(oid, 'pg_authid') FROM pg_authid",
    "members": "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members",
    "databases": "SELECT datname, datdba::regrole::text, encoding, datcollate, datctype, datlocprovider, datistemplate,"
    " datallowconn, datconnlimit, dattablespace, datacl::text, shobj_description(oid, 'pg_database') FROM pg_database",
    "settings": "SELECT coalesce(datname, ''), setrole::regrole::text, setconfig::text FROM pg_db_role_setting s"
    " LEFT JOIN pg_database d ON d.oid = s.setdatabase",
    "server": "SELECT name, setting FROM pg_file_settings WHERE applied",
    "rules": "SELECT line_number, type, database::text, user_name::text, address, auth_method FROM pg_hba_file_rules",
}


def connect(server: PostgresServer, database: str = "postgres", **more: Any) -> psycopg.Connection[Any]:
    """Log in, as the superuser unless another user is given."""
    given = {"user": "tests", "password": server.password, **more}
    return psycopg.connect(host="127.0.0.1", port=server.port, dbname=database, autocommit=True, **given)


def digest(server: PostgresServer, *, content: bool = True) -> dict[str, Any]:
    """Return all of it, comparable, object ids left out; without `content` what lies in databases as well."""
    found: dict[str, Any] = {}
    with connect(server) as admin:
        for name, query in _QUERIES.items():
            found[name] = sorted(map(repr, admin.execute(query).fetchall()))
        names = [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()]
    for name in names if content else ():
        found[f"content of {name}"] = _content(server, name)
    found["pg_hba.conf"] = (server.data_dir / "pg_hba.conf").read_bytes()
    return found


def _content(server: PostgresServer, database: str) -> list[str]:
    folder = binaries()
    assert folder is not None
    env = {**os.environ, "PGPASSWORD": server.password, "PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
    argv = [str(Path(folder) / "pg_dump"), "--username=tests", f"--dbname={database}"]
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
