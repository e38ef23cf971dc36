"""Secrets: from a reference to its value, at run time. `env:`, `file:` and `kv:` are ours; packages may bring more.

Responsible for what each scheme may reach: variables `OPSLEDGER_SECRET_*`, files below the folders that whoever runs
the executor names, value secrets that are open to the task's team. Refuses to know what becomes of a value.
"""

import os
import re
import stat
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from services.executor.fault import Fault, PermanentFault, TransientFault
from shared.runtime.logging import get
from shared.store.kv import BucketUnavailable
from shared.store.secrets import MAX_NAME, MAX_VALUE, NAME, REFERENCE, NoKey, Sealed, ValueSecrets

RESOLVERS: Final = "opsledger.secret_resolvers"
"""The entry-point group: a scheme, and an async function from a name to the value."""
VARIABLE: Final = "OPSLEDGER_SECRET_"
_OUTSIDE: Final = "it is not a file below a folder of OPSLEDGER_SECRET_DIRS."
OURS: Final = frozenset({"env", "file", "kv"})
Resolver = Callable[[str], Awaitable[str]]

log = get(__name__)


class Secrets:
    """Every way to a value that this executor has. One per process."""

    def __init__(
        self, kept: ValueSecrets | None = None, folders: Sequence[Path] = (), more: Mapping[str, Resolver] | None = None
    ) -> None:
        self._kept = kept
        self._folders = tuple(folders)
        self._more = dict(more or {})

    async def resolve(self, reference: str, team: str | None) -> str:
        """Return the value behind a reference, for a task with this label `team`. Raises a fault that names it."""
        scheme, _, name = reference.partition(":")
        if not re.fullmatch(REFERENCE, reference):
            raise _cannot("The reference", "a secret is named as env:NAME, file:NAME or kv:NAME.")
        match scheme:
            case "env":
                value = _variable(reference, name)
            case "file":
                value = _file(reference, name, self._folders)
            case "kv":
                value = await self._value(reference, name, team)
            case _:
                value = await self._elsewhere(reference, scheme, name)
        if not value:
            raise _cannot(reference, "it is empty.")
        return value

    async def keep(self, reference: str, value: str, team: str | None, by: str) -> None:
        """Keep a value under `kv:NAME`, for tasks of this team; an empty one removes it. Raises a fault."""
        scheme, _, name = reference.partition(":")
        if scheme != "kv" or not _is_name(name) or len(value) > MAX_VALUE:
            raise _cannot(reference, f"values are kept under kv:NAME, at most {MAX_VALUE} characters of them.")
        if self._kept is None:
            raise _cannot(reference, "this executor keeps no secrets.")
        try:
            info = await self._kept.info(name)
            if info is not None and not info.open_to(team):
                raise _cannot(reference, "there is one of this name that is not this task's.")
            if not value:
                await self._kept.remove(name)
                return
            teams = info.teams if info is not None else [team] if team is not None else None
            await self._kept.put(name, value, by=by, teams=teams)
        except BucketUnavailable as error:
            raise TransientFault(f"The secret {reference} cannot be kept now: {error}") from None
        except NoKey as error:
            raise _cannot(reference, str(error)) from None

    async def _value(self, reference: str, name: str, team: str | None) -> str:
        if self._kept is None or not _is_name(name):
            raise _cannot(reference, "there is no such secret.")
        try:
            found = await self._kept.get(name)
        except BucketUnavailable as error:
            raise TransientFault(f"The secret {reference} cannot be read now: {error}") from None
        except Sealed as error:
            raise _cannot(reference, str(error)) from None
        if found is None or not found[1].open_to(team):
            whose = f"tasks of team {team}" if team is not None else "tasks without a team"
            raise _cannot(reference, f"there is none of this name for {whose}; see `opsledger secret list`.")
        return found[0]

    async def _elsewhere(self, reference: str, scheme: str, name: str) -> str:
        resolver = self._more.get(scheme)
        if resolver is None:
            known = ", ".join(sorted(OURS | self._more.keys()))
            raise _cannot(reference, f"this executor knows the schemes {known}.")
        try:
            value = await resolver(name)
        except Fault:
            raise
        except Exception as error:  # noqa: BLE001 - a third party's code may raise anything, its text may be the value
            raise TransientFault(
                f"The secret {reference} cannot be read: its resolver raised {type(error).__name__}."
            ) from None
        if not isinstance(value, str):
            raise _cannot(reference, f"its resolver gave {type(value).__name__} instead of text.")
        return value


def discover(found: Iterable[EntryPoint] | None = None) -> dict[str, Resolver]:
    """Load the resolvers that packages bring; one that cannot be loaded is reported and left out."""
    resolvers: dict[str, Resolver] = {}
    for point in entry_points(group=RESOLVERS) if found is None else found:
        try:
            resolver = point.load()
        except Exception as error:  # noqa: BLE001 - a third party's module may raise anything while it is imported
            broken = f"{type(error).__name__}: {error}"
            log.error("secret resolver not loaded", scheme=point.name, value=point.value, why=broken)  # noqa: TRY400
            continue
        if point.name in OURS or point.name in resolvers or not callable(resolver):
            log.error("secret resolver left out", scheme=point.name, value=point.value, why="taken, or not a function")
            continue
        resolvers[point.name] = resolver
    return resolvers


def _variable(reference: str, name: str) -> str:
    if not name.startswith(VARIABLE):
        raise _cannot(reference, f"only variables that begin with {VARIABLE} are read.")
    if name not in os.environ:
        raise _cannot(reference, "this executor's environment has no such variable.")
    return os.environ[name]


def _file(reference: str, name: str, folders: Sequence[Path]) -> str:
    """Read a file below one of the folders, wherever its links lead within them; one newline at its end is not part."""
    outside = False
    for folder in folders:
        root = Path(os.path.realpath(folder))
        file = Path(os.path.realpath(root / name))
        if not file.is_relative_to(root):
            outside = True
            continue
        try:
            content = _content(file, root)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _cannot(reference, f"the file cannot be read: {error.strerror}.") from None
        if content is None:
            raise _cannot(reference, _OUTSIDE)
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise _cannot(reference, "the file is not UTF-8 text.") from None
        if len(text) > MAX_VALUE:
            raise _cannot(reference, f"the file has more than {MAX_VALUE} characters.")
        return text.removesuffix("\n").removesuffix("\r")
    if not folders:
        raise _cannot(reference, "OPSLEDGER_SECRET_DIRS of this executor names no folder.")
    raise _cannot(reference, _OUTSIDE if outside else "there is no such file.")


def _content(file: Path, root: Path) -> bytes | None:
    """Return what is in a file; None for what is none, or was moved out while we looked: what was opened counts."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        where = Path(os.path.realpath(f"/proc/self/fd/{descriptor}"))
        if not where.is_relative_to(root) or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, 4 * MAX_VALUE + 1)
    finally:
        os.close(descriptor)


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME and re.fullmatch(NAME, name) is not None


def _cannot(reference: str, why: str) -> PermanentFault:
    return PermanentFault(f"The secret {reference} cannot be had: {why}", {"kind": "SECRET_UNAVAILABLE"})
