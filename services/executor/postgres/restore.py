"""Make a role or the properties of a database again from what `state.py` read.

Refuses to know why. What is here runs inside a transaction of the caller.
"""

from typing import Any, Final, LiteralString

from services.executor.postgres.session import Name, Session, Word
from services.executor.postgres.state import State

_ATTRIBUTES: Final[dict[str, tuple[LiteralString, LiteralString]]] = {
    "superuser": ("SUPERUSER", "NOSUPERUSER"),
    "inherit": ("INHERIT", "NOINHERIT"),
    "createrole": ("CREATEROLE", "NOCREATEROLE"),
    "createdb": ("CREATEDB", "NOCREATEDB"),
    "replication": ("REPLICATION", "NOREPLICATION"),
    "bypassrls": ("BYPASSRLS", "NOBYPASSRLS"),
}
# PostgreSQL keeps these as lists that are quoted already (guc.h, GUC_LIST_QUOTE).
_LISTS: Final = frozenset(
    {
        *("search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"),
        *("shared_preload_libraries", "unix_socket_directories"),
    }
)
_PRIVILEGES: Final[dict[str, LiteralString]] = {"CONNECT": "CONNECT", "CREATE": "CREATE", "TEMPORARY": "TEMPORARY"}
_ROLES_WITH_OPTIONS: Final = 160000
"""From this version on a membership also says whether it is inherited and may be set."""


async def make_role(pg: Session, role: State, verifier: str) -> None:
    """Create a role as it was, but without login, which whoever took it away gives back."""
    name = Name(role["name"])
    await pg.do("Making the role", "CREATE ROLE {role} NOLOGIN", role=name)
    for attribute, (yes, no) in _ATTRIBUTES.items():
        if bool(role[attribute]) != (attribute == "inherit"):  # what a new role is not anyway
            word = Word(yes if role[attribute] else no)
            await pg.do("Making the role", "ALTER ROLE {role} {word}", role=name, word=word)
    limit = int(role["connection_limit"])
    await pg.do("Making the role", "ALTER ROLE {role} CONNECTION LIMIT {limit}", role=name, limit=limit)
    if role["valid_until"] is not None:
        await pg.do("Making the role", "ALTER ROLE {role} VALID UNTIL {at}", role=name, at=role["valid_until"])
    if verifier:
        await pg.do("Making the role", "ALTER ROLE {role} PASSWORD {hash}", role=name, hash=verifier)
    await pg.do("Making the role", "COMMENT ON ROLE {role} IS {text}", role=name, text=role["comment"])
    for member in role["memberships"]:
        await _grant_membership(pg, member)
    for setting in role["settings"]:
        await _set(pg, setting, role["name"], setting["database"])


async def _grant_membership(pg: Session, member: dict[str, Any]) -> None:
    granted, to = Name(member["role"]), Name(member["member"])
    if pg.version < _ROLES_WITH_OPTIONS:
        option = Word(" WITH ADMIN OPTION" if member["admin"] else "")
        await pg.do("Granting a membership", "GRANT {role} TO {to}{option}", role=granted, to=to, option=option)
        return

    def word(name: str) -> Word:
        return Word("TRUE" if member[name] else "FALSE")

    await pg.do(
        "Granting a membership",
        "GRANT {role} TO {to} WITH ADMIN {admin}, INHERIT {inherit}, SET {set}",
        role=granted,
        to=to,
        admin=word("admin"),
        inherit=word("inherit"),
        set=word("set"),
    )


async def give_properties(pg: Session, name: str, database: State) -> None:
    """Give a new database the rights, settings and comment that `database` had."""
    if not database["default_acl"]:
        await pg.do("Restoring rights", "REVOKE ALL ON DATABASE {db} FROM PUBLIC", db=Name(name))
        owner = Name(database["owner"])
        await pg.do("Restoring rights", "REVOKE ALL ON DATABASE {db} FROM {owner}", db=Name(name), owner=owner)
        for right in database["acl"]:
            await pg.do(
                "Restoring rights",
                "GRANT {privilege} ON DATABASE {db} TO {to}{option}",
                privilege=Word(_PRIVILEGES[right["privilege"]]),
                db=Name(name),
                to=Name(right["grantee"]) if right["grantee"] else Word("PUBLIC"),
                option=Word(" WITH GRANT OPTION" if right["grantable"] else ""),
            )
    for setting in database["settings"]:
        await _set(pg, setting, setting["role"], name)
    await pg.do("Restoring it", "COMMENT ON DATABASE {db} IS {text}", db=Name(name), text=database["comment"])
    if database["template"]:
        await pg.do("Restoring it", "ALTER DATABASE {db} IS_TEMPLATE true", db=Name(name))


async def _set(pg: Session, setting: dict[str, Any], role: str, database: str) -> None:
    """Restore one setting of a role, of a database, or of a role in a database."""
    doing = f"Restoring the setting {setting['name']}"
    parts: dict[str, Name | Word | str | int | None] = {"name": Name(setting["name"])}
    if role:
        parts["role"] = Name(role)
    if database:
        parts["db"] = Name(database)
    if setting["name"] in _LISTS:
        # The kept text is a quoted list; as a literal it would become one quoted element.
        await pg.rows("SELECT set_config(%(name)s, %(value)s, true)", name=setting["name"], value=setting["value"])
        to: LiteralString = "FROM CURRENT"
    else:
        to = "TO {value}"
        parts["value"] = setting["value"]
    if role and database:
        await pg.do(doing, "ALTER ROLE {role} IN DATABASE {db} SET {name} " + to, **parts)
    elif role:
        await pg.do(doing, "ALTER ROLE {role} SET {name} " + to, **parts)
    else:
        await pg.do(doing, "ALTER DATABASE {db} SET {name} " + to, **parts)
