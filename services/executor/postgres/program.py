"""PostgreSQL's own programs, `pg_dump` and `pg_restore`: find them, see that they fit the server, run them contained.

The password goes by a password file that only this user may read, named after the token, so that a repetition on the
same host replaces what a killed attempt left; it is never an argument or a variable. Refuses to know what is dumped.
"""

import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from services.executor.line import harmless
from services.executor.operations.contract import (
    Cancelled,
    Connection,
    Context,
    Exit,
    PermanentFault,
    Stream,
    TransientFault,
)
from services.executor.postgres.session import target

_DEBIAN: Final = Path("/usr/lib/postgresql")
_TRANSIENT: Final = (
    "connection refused",
    "could not connect",
    "timeout",
    "closed the connection",
    "too many",
    "starting up",
)
_FULL: Final = ("no space left", "disk full", "quota exceeded")
KEPT: Final = 4096


class Words:
    """The end of what a program says on stderr."""

    def __init__(self) -> None:
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        """Take more of it."""
        self._tail += data
        del self._tail[: max(0, len(self._tail) - KEPT)]

    def __str__(self) -> str:
        lines = [harmless(line.strip()) for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        wrong = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
        return " ".join((wrong or lines)[-3:])[:800]


def find(connection: Connection, program: str) -> str:
    """Return the path of a program: the connection's option `bin_dir`, else Debian's newest, else PATH."""
    named = connection.options.get("bin_dir")
    if named is not None:
        path = Path(named) / program
        if path.is_absolute() and os.access(path, os.X_OK):
            return str(path)
        raise _missing(program, f"{path}, which the connection's option bin_dir names")
    versions = [folder for folder in _DEBIAN.glob("*/bin") if folder.parts[-2].isdigit()]
    for folder in sorted(versions, key=lambda folder: int(folder.parts[-2]), reverse=True):
        if os.access(folder / program, os.X_OK):
            return str(folder / program)
    found = shutil.which(program)
    if found is None:
        raise _missing(program, f"{_DEBIAN}/*/bin and PATH")
    return found


async def fitting(ctx: Context, connection: Connection, program: str, server: int) -> tuple[str, str]:
    """Return a program's path and version. Raises `PermanentFault` when it is older than the server."""
    path = find(connection, program)
    heard = bytearray()

    async def take(stream: Stream, data: bytes) -> None:
        if stream == "stdout" and len(heard) < KEPT:
            heard.extend(data)

    ended = await ctx.run([path, "--version"], timeout=20, on_data=take)
    version = re.search(r"\) (\d+)(\.\d+)?", heard.decode(errors="replace"))
    if ended.code != 0 or version is None:
        raise PermanentFault(f"{path} does not say its version; see whether it runs.", {"kind": "NO_PROGRAM"})
    major = server // 10_000
    if int(version[1]) < major:
        raise PermanentFault(
            f"{path} is version {version[1]}, the server is {major}: it refuses newer servers. Install "
            f"postgresql-client-{major} on this executor's host, or name its folder in the option bin_dir.",
            {"kind": "VERSION_MISMATCH", "program": int(version[1]), "server": major},
        )
    return path, version[0][2:]


@asynccontextmanager
async def login(ctx: Context, connection: Connection, database: str) -> AsyncIterator[Mapping[str, str]]:
    """Give the environment by which a program of PostgreSQL finds the server and its password."""
    goal = target(connection)
    folder = ctx.files / ".pgpass"
    file = folder / f"{ctx.token.replace('/', '-')}-{ctx.phase}"
    escaped = goal.password.replace("\\", "\\\\").replace(":", "\\:")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"*:*:*:*:{escaped}\n")
    except OSError as error:
        file.unlink(missing_ok=True)
        raise TransientFault(
            f"{file} cannot be written: {error.strerror}; make room on this executor's disk, then retry.",
            {"kind": "NO_SPACE"},
        ) from None
    try:
        yield {
            "PGHOST": goal.host,
            "PGPORT": str(goal.port),
            "PGUSER": goal.user,
            "PGDATABASE": database,
            "PGPASSFILE": str(file),
            "PGSSLMODE": goal.ssl_mode,
            "PGCONNECT_TIMEOUT": str(goal.connect_seconds),
            "PGAPPNAME": f"opsledger {ctx.token}",
            **({"PGSSLROOTCERT": goal.ssl_root} if goal.ssl_root else {}),
        }
    finally:
        file.unlink(missing_ok=True)


def judge(argv: Sequence[str], ended: Exit, words: Words, where: str) -> None:
    """Raise what a program's end means, unless it ended well."""
    program = Path(argv[0]).name
    if ended.reason in {"cancelled", "killed"}:
        raise Cancelled(f"{program} was stopped.")
    if ended.reason == "beats":
        raise TransientFault(f"{program} was killed: this executor's lease had run out.")
    if ended.code == 0:
        return
    text = str(words) or f"it ended with {ended.code if ended.code is not None else f'signal {ended.signal}'}"
    low = text.lower()
    advice = "; make room on that disk, then retry" if any(word in low for word in _FULL) else ""
    kind = TransientFault if any(word in low for word in (*_TRANSIENT, *_FULL)) else PermanentFault
    raise kind(f"{program} failed at {where}: {text}{advice}", {"kind": "PROGRAM", "exit_code": ended.code})


def _missing(program: str, where: str) -> PermanentFault:
    return PermanentFault(
        f"There is no {program} on this executor's host (looked in {where}): install postgresql-client of the server's "
        f"version, or name its folder in the connection's option bin_dir.",
        {"kind": "NO_PROGRAM", "program": program},
    )
