"""The first user's password: given, kept, or made.

Responsible for: choosing it. Refuses to know: how the API stores it; `init` makes the chosen one the one in force.
"""

import os
import secrets
from dataclasses import dataclass

from opsledger.cli.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Admin:
    """The password for this start, and whether it was made just now."""

    password: str
    generated: bool


def choose(home: DataDir) -> Admin:
    """OPSLEDGER_ADMIN_PASSWORD, else the kept one, else a new one, which is kept before it is used."""
    given, kept = os.environ.get("OPSLEDGER_ADMIN_PASSWORD"), home.password()
    if password := given or kept:
        return Admin(password, generated=False)
    made = Admin(secrets.token_urlsafe(15), generated=True)
    home.keep_password(made.password)
    return made
