"""Users and groups of a system, read from its own files, so that an image's are an image's.

Refuses to know how they are changed.
"""

from dataclasses import dataclass
from pathlib import Path

from services.executor.host.ground import HostParams
from services.executor.operations.contract import PermanentFault


@dataclass(frozen=True, slots=True)
class User:
    """One line of /etc/passwd, and the groups that name the user beside the primary one."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    groups: tuple[str, ...]


def user(params: HostParams, name: str) -> User | None:
    """Return a user of the system, or None."""
    for fields in _lines(params, "/etc/passwd", 7):
        if fields[0] == name:
            member_of = tuple(group for group, _, members in _groups(params) if name in members)
            return User(name, int(fields[2]), int(fields[3]), fields[4], fields[5], fields[6], member_of)
    return None


def group(params: HostParams, name: str) -> int | None:
    """Return a group's number, or None."""
    return next((gid for found, gid, _ in _groups(params) if found == name), None)


def numbers(params: HostParams, owner: str | None, of_group: str | None) -> tuple[int | None, int | None]:
    """Return user and group id; None for what is not named. Raises `PermanentFault` for what does not exist."""
    uid: int | None = None
    gid: int | None = None
    if owner is not None:
        found = None if owner.isdigit() else user(params, owner)
        if found is None and not owner.isdigit():
            raise _unknown("user", owner)
        uid, gid = (int(owner), None) if found is None else (found.uid, found.gid)
    if of_group is not None:
        gid = int(of_group) if of_group.isdigit() else group(params, of_group)
        if gid is None:
            raise _unknown("group", of_group)
    return uid, gid


def _unknown(what: str, name: str) -> PermanentFault:
    return PermanentFault(
        f"There is no {what} '{name}' on this host: make it first (host.user), or correct the name.",
        {"kind": "UNKNOWN_ACCOUNT", what: name},
    )


def _groups(params: HostParams) -> list[tuple[str, int, list[str]]]:
    lines = _lines(params, "/etc/group", 4)
    return [(fields[0], int(fields[2]), [name for name in fields[3].split(",") if name]) for fields in lines]


def _lines(params: HostParams, path: str, size: int) -> list[list[str]]:
    try:
        text = Path(params.under(path)).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PermanentFault(f"{params.under(path)} cannot be read: {error.strerror}.") from None
    found = [line.split(":") for line in text.splitlines() if not line.startswith("#")]
    return [fields for fields in found if len(fields) == size and fields[2].isdigit()]
