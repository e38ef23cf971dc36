"""`docs/access.md` says what the program does: its roles, its routes, its settings."""

import re

from services.api.access import COMMANDS, GRANTS, Role
from services.api.settings import Settings
from tests.house import matrix
from tests.house.tables import table

TEXT = matrix.PAGE.read_text(encoding="utf-8")
SETTINGS = re.compile(r"^(rate_|login_|secrets_|oidc_|sse_)")


def test_every_role_has_its_row() -> None:
    """With exactly what it grants."""
    found = {row[0]: set(row[1].split(", ")) for row in table("access.md", "role", "permissions", "for")}
    assert found == {role.value: {permission.value for permission in GRANTS[role]} for role in Role}


def test_every_command_has_its_row() -> None:
    """With the permission it asks for."""
    found = {word: row[1] for row in table("access.md", "commands", "permission") for word in row[0].split(", ")}
    assert found == {word: permission.value for word, permission in COMMANDS.items()}


def test_the_table_of_routes_is_the_programs() -> None:
    """When it is not, `python -m tests.house.matrix` writes it anew."""
    assert matrix.table() in TEXT, "write the table anew: .venv/bin/python -m tests.house.matrix"


def test_every_setting_of_access_is_named() -> None:
    """As the environment has it."""
    named = {name for name in Settings.model_fields if SETTINGS.match(name)}
    assert [name for name in sorted(named) if f"OPSLEDGER_{name.upper()}" not in TEXT] == []
