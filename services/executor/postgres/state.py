"""What a role and a database are on the server, read so that they can be made again exactly.

Responsible for reading (`role_state`, `database_state`) what `restore.py` puts back. Refuses to know passwords, which
never stand in a state, and what lies inside a database.
"""

from typing import Any

from services.executor.postgres.session import Session

State = dict[str, Any]
"""JSON-able, as the output of `pg.look` keeps it."""

_ROLE = """
SELECT oid::bigint AS oid, rolname AS name, rolsuper AS superuser, rolinherit AS inherit, rolcreaterole AS createrole,
       rolcreatedb AS createdb, rolcanlogin AS login, rolreplication AS replication, rolbypassrls AS bypassrls,
       rolconnlimit AS connection_limit, rolvaliduntil::text AS valid_until,
       shobj_description(oid, 'pg_authid') AS comment
FROM pg_roles WHERE rolname = %(name)s"""

_MEMBERS = """
SELECT g.rolname AS role, m.rolname AS member, (to_jsonb(a) ->> 'admin_option')::boolean AS admin,
       (to_jsonb(a) ->> 'inherit_option')::boolean AS inherit, (to_jsonb(a) ->> 'set_option')::boolean AS set
FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
WHERE %(oid)s IN (a.roleid, a.member) ORDER BY 1, 2"""

_SETTINGS = """
SELECT coalesce(d.datname, '') AS database, coalesce(r.rolname, '') AS role,
       split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS u (setting, place)
LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE (%(role)s <> 0 AND %(role)s = s.setrole::bigint AND %(database)s <> s.setdatabase::bigint)
   OR (%(role)s = 0 AND %(database)s = s.setdatabase::bigint) ORDER BY 1, 2, u.place"""

_DATABASE = """
SELECT d.oid::bigint AS oid, datname AS name, pg_get_userbyid(datdba) AS owner,
       pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale') AS locale,
       datistemplate AS template, datallowconn AS allow_connections, datconnlimit AS connection_limit,
       t.spcname AS tablespace, shobj_description(d.oid, 'pg_database') AS comment, datacl IS NULL AS default_acl,
       pg_database_size(d.oid) AS bytes
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = %(name)s"""

_ACL = """
SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END AS grantee, a.privilege_type AS privilege,
       a.is_grantable AS grantable
FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = %(name)s ORDER BY 1, 2"""

_HELD_ELSEWHERE = """
SELECT coalesce(d.datname, 'the server') AS place, s.classid::regclass::text AS what, count(*) AS n
FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid::bigint = %(role)s
  AND NOT (s.dbid::bigint = %(database)s OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass
           AND s.objid::bigint = %(database)s) OR s.classid = 'pg_auth_members'::regclass)
GROUP BY 1, 2 ORDER BY 1, 2"""

_HELD = """
SELECT 'prepared transaction ' || gid AS what FROM pg_prepared_xacts WHERE database = %(name)s
UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE database = %(name)s"""


async def role_state(pg: Session, name: str, *, database_oid: int = 0) -> State | None:
    """Return a role with memberships and settings, those in the database `database_oid` left out; or None."""
    role = await pg.row(_ROLE, name=name)
    if role is None:
        return None
    members = await pg.rows(_MEMBERS, oid=role["oid"])
    settings = await pg.rows(_SETTINGS, role=role["oid"], database=database_oid or -1)
    return {**role, "memberships": members, "settings": settings}


async def database_state(pg: Session, name: str) -> State | None:
    """Return a database with owner, encoding, rights, limits and settings; or None."""
    database = await pg.row(_DATABASE, name=name)
    if database is None:
        return None
    acl = await pg.rows(_ACL, name=name)
    settings = await pg.rows(_SETTINGS, role=0, database=database["oid"])
    return {**database, "acl": acl, "settings": settings}


async def role_hash(pg: Session, name: str) -> str:
    """Return the hash of a role's password, or nothing where it has none or this user may not read it."""
    may = await pg.row("SELECT rolsuper AS yes FROM pg_roles WHERE rolname = current_user")
    if may is None or not may["yes"]:
        return ""
    found = await pg.row("SELECT rolpassword AS hash FROM pg_authid WHERE rolname = %(name)s", name=name)
    return str(found["hash"] or "") if found else ""


async def in_the_way(pg: Session, role_oid: int, database_oid: int, database: str) -> list[str]:
    """Return what would keep a role or its database from being dropped, in words."""
    elsewhere = await pg.rows(_HELD_ELSEWHERE, role=role_oid, database=database_oid)
    held = await pg.rows(_HELD, name=database)
    return [f"{row['n']} in {row['what']} of {row['place']}" for row in elsewhere] + [row["what"] for row in held]
