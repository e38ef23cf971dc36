"""Who may do what: roles, users, tokens, and how their secrets are kept. Knows neither HTTP nor where records lie.

A role says what may be done, the teams whose tasks it may be done to: a task belongs to the team in its label `team`.

Passwords are stored as scrypt hashes with a salt each, tokens (256 random bits, shown once) as SHA-256: a random token
needs no slow hash. Records are JSON under `user/<name>` and `token/<id>` in KV `access`.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.task.words import TEAM

TOKEN_PREFIX: Final = "ol_"  # noqa: S105  not a secret
"""Begins every token, so that leaked ones can be searched for."""
USER, TOKEN = "user/", "token/"
_N, _R, _P = 2**14, 8, 1

LOGIN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
"""Letters, digits and ._- only, a letter or digit first, no dot without something behind it: it is part of a key."""
MAX_LOGIN: Final = 64
Login = Annotated[str, StringConstraints(pattern=LOGIN, max_length=MAX_LOGIN)]


class Permission(StrEnum):
    """What a route asks for."""

    READ = "read"
    OPERATE = "operate"
    MANAGE = "manage"
    AUDIT = "audit"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a user or a token is given, after OCP's roles."""

    TASK_VIEWER = "TASK_VIEWER"
    TASK_OPERATOR = "TASK_OPERATOR"
    TASK_MANAGER = "TASK_MANAGER"
    AUDIT_VIEWER = "AUDIT_VIEWER"
    ADMIN = "ADMIN"


GRANTS: Final = {
    Role.TASK_VIEWER: frozenset({Permission.READ}),
    Role.TASK_OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.TASK_MANAGER: frozenset({Permission.READ, Permission.OPERATE, Permission.MANAGE}),
    Role.AUDIT_VIEWER: frozenset({Permission.READ, Permission.AUDIT}),
    Role.ADMIN: frozenset(Permission),
}
COMMANDS: Final[Mapping[str, Permission]] = {
    "create": Permission.MANAGE,
    "retry": Permission.OPERATE,
    "skip": Permission.OPERATE,
    "cancel": Permission.OPERATE,
    "rollback": Permission.MANAGE,
    "delete": Permission.MANAGE,
}
"""What each command asks for, on a task or a subtask, whichever door it comes in by."""

Teams = frozenset[str] | None
"""The teams whose tasks somebody sees; None: everybody's. An ADMIN has none: whoever grants everything sees it."""
MAX_TEAMS: Final = 100


def within(teams: Teams, labels: Mapping[str, str]) -> bool:
    """Whether somebody of these teams sees a task with these labels."""
    return teams is None or labels.get(TEAM) in teams


class Principal(BaseModel):
    """Somebody whose credential was verified."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    teams: Teams = None

    def may(self, permission: Permission) -> bool:
        """Whether the role grants it; what is not granted is denied."""
        if permission is Permission.ADMINISTER and self.teams is not None:
            return False  # users and tokens belong to no team
        return permission in GRANTS[self.role]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Login
    role: Role
    created_at: datetime
    teams: Teams = None

    def principal(self) -> Principal:
        """Return whom the record stands for."""
        return Principal(name=self.name, role=self.role, teams=self.teams)


class UserRecord(_Record):
    """A user with the hash of the password."""

    salt: str
    hash: str
    n: int = _N
    r: int = _R
    p: int = _P

    @classmethod
    def of(cls, name: str, password: str, role: Role, at: datetime, teams: Teams = None) -> "UserRecord":
        """Return a record with a salt of its own. Takes about 50 ms of processor time."""
        salt = secrets.token_bytes(16)
        digest = _scrypt(password, salt, _N, _R, _P).hex()
        return cls(name=name, role=role, created_at=at, teams=teams, salt=salt.hex(), hash=digest)

    def accepts(self, password: str) -> bool:
        """Whether this is the password, in constant time. Takes about 50 ms of processor time."""
        found = _scrypt(password, bytes.fromhex(self.salt), self.n, self.r, self.p)
        return hmac.compare_digest(found, bytes.fromhex(self.hash))


class TokenRecord(_Record):
    """A token by its id, with the hash of the whole."""

    id: str
    sha256: str
    expires_at: datetime | None = None
    created_by: str | None = None
    signs: bool = False
    """Whether it came with a key pair."""

    def alive(self, at: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or at < self.expires_at

    def accepts(self, token: str, at: datetime) -> bool:
        """Whether this is the token and it has not expired."""
        same = hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self.sha256)
        return same and self.alive(at)


def new_token(
    name: str, role: Role, at: datetime, expires_at: datetime | None = None, *, teams: Teams = None, **about: Any
) -> tuple[str, TokenRecord]:
    """Return a new token, which nobody will see again, and the record that recognises it."""
    token_id = secrets.token_hex(6)
    token = f"{TOKEN_PREFIX}{token_id}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    record = TokenRecord(
        name=name, role=role, created_at=at, teams=teams, id=token_id, sha256=digest, expires_at=expires_at, **about
    )
    return token, record


def id_of_token(token: str) -> str | None:
    """Return the id inside a token, or None when it cannot be one of ours."""
    prefix, _, rest = token.partition("_")
    token_id, separator, secret = rest.partition("_")
    ours = f"{prefix}_" == TOKEN_PREFIX and separator and secret and token_id.isascii() and token_id.isalnum()
    return token_id if ours else None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)
