"""Connections: named targets of the outside world, as they are kept. Knows no driver and no secret's value.

A connection is an address without a password, options, and *references* to its secrets. Kept in KV `connections` under
its name, or in a file with a list of them.
"""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from shared.store.secrets import REFERENCE, Team
from shared.task.text import Note, readable

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
MAX_NAME: Final = 100
FILES: Final = frozenset({"sqlite", "file"})
"""Their address is a path on the executor's host."""
STORES: Final = frozenset({"s3", "gs", "az", "memory"})
"""Their address begins with the name of a bucket, or of a container."""
DATABASES: Final = frozenset({"postgresql", "mysql"})
SCHEMES: Final = FILES | STORES | DATABASES
_CONFIDENTIAL: Final = re.compile(r"passw|passphrase|secret|token|private_?key|account_?key|access_?key", re.IGNORECASE)

ConnectionName = Annotated[str, StringConstraints(pattern=NAME, max_length=MAX_NAME)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What an option is called, or what a secret is for."""
Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
Text = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(readable)]


def _option(name: str) -> str:
    if _CONFIDENTIAL.search(name):
        raise ValueError(f"'{name}' is a secret: put a reference to it into 'secrets' (env:NAME, file:NAME, kv:NAME)")
    return name


def _url(url: str) -> str:
    """Check an address; what is wrong is said without repeating it, since it may hold a password."""
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL has no spaces, backslashes or control characters; write them as %XX")
    parts = _split(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"the scheme is one of {', '.join(sorted(SCHEMES))}, such as postgresql://user@host/database")
    if parts.password is not None:
        raise ValueError('no password in the URL: put a reference to it into \'secrets\', as "password": "kv:NAME"')
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("nothing behind ? or # in the URL: settings go into 'options', secrets into 'secrets'")
    if parts.scheme in FILES:
        _path(parts)
    elif not parts.hostname:
        raise ValueError(f"{parts.scheme}:// needs a {'bucket' if parts.scheme in STORES else 'host'} behind it")
    elif parts.scheme in STORES and (parts.username is not None or parts.port is not None):
        raise ValueError(f"{parts.scheme}:// takes neither a user nor a port; 'options' may name an endpoint")
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  checks it
    except ValueError:
        raise ValueError("this is no URL: look at its host and port") from None
    return parts


def _path(parts: SplitResult) -> None:
    if parts.netloc or not parts.path.startswith("/") or ".." in parts.path.split("/"):
        raise ValueError(f"{parts.scheme}: takes an absolute path without '..', as {parts.scheme}:///srv/data")


class Target(BaseModel):
    """A connection but for its name. `teams`: only tasks with one of them as label `team` may use it; None: all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(_url)]
    options: Annotated[dict[Annotated[Word, AfterValidator(_option)], Text], Field(max_length=50)] = Field(
        default_factory=dict
    )
    secrets: Annotated[dict[Word, Reference], Field(max_length=20)] = Field(default_factory=dict)
    description: Note = ""
    teams: Annotated[list[Team], Field(min_length=1, max_length=100)] | None = None


class ConnectionSpec(Target):
    """A connection as it is kept."""

    name: ConnectionName

    def open_to(self, team: str | None) -> bool:
        """Whether a task with this label `team` may use it."""
        return self.teams is None or team in self.teams

    def encode(self) -> bytes:
        """Return the JSON form."""
        return self.model_dump_json(exclude_defaults=True).encode()


_LIST: Final = TypeAdapter(list[ConnectionSpec])


def decode(value: bytes) -> ConnectionSpec:
    """Return what `encode` made. Raises pydantic's `ValidationError`."""
    return ConnectionSpec.model_validate_json(value)


def decode_list(value: bytes) -> list[ConnectionSpec]:
    """Return the connections of a file. Raises pydantic's `ValidationError`, `ValueError` for a name used twice."""
    found = _LIST.validate_json(value)
    names = [spec.name for spec in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"named twice: {', '.join(twice)}")
    return found
