"""`host.directory`: a folder with its owner and mode, on the way to which no symbolic link is followed.

The undo removes the folders this step made, if they are empty, and gives an existing one its owner and mode back.
"""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from services.executor.host import account, conf
from services.executor.host.ground import AbsolutePath, HostParams, Record, need_root, nothing_known, told
from services.executor.operations.contract import Context, Operation, PermanentFault

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Owner = Annotated[str, StringConstraints(pattern=r"^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})$")]


class HostDirectoryParams(HostParams):
    """Which folder and whose. Missing folders on the way are made as root's, mode 0755."""

    path: AbsolutePath
    owner: Owner | None = None
    group: Owner | None = None
    mode: Annotated[str, StringConstraints(pattern=r"^[0-7]{3,4}$")] = "0755"


class HostDirectory(Operation[HostDirectoryParams]):
    """Makes a folder with owner and mode. Its undo removes what it made, or restores owner and mode."""

    name: ClassVar[str] = "host.directory"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: HostDirectoryParams) -> dict[str, Any]:
        """Make what is missing, then owner and mode."""
        now = await asyncio.to_thread(_look, ctx, params)
        try:
            wanted = account.numbers(params, params.owner, params.group)
        except PermanentFault:
            if not params.check:
                raise
            wanted = (None, None)  # made by a step before, were this no check
        changes = [f"make {params.under('/' + part)}" for part in now["missing"]]
        changes += _differences(params, now, wanted)
        if changes and not params.check:
            need_root(params, self.name)
            await asyncio.to_thread(_make, ctx, params, now, wanted)
        return await told(ctx, params, changes, now, path=params.under(params.path))

    async def undo(self, ctx: Context, params: HostDirectoryParams, output: Any) -> None:
        """Remove what was made, the deepest first; refused for a folder that holds something."""
        record = Record(ctx)
        seen = await asyncio.to_thread(record.load)
        if seen is None:
            nothing_known(record, output)
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        for said in await asyncio.to_thread(_take_back, ctx, params, seen):
            await ctx.log.write("INFO", f"Undone: {said}")
        await asyncio.to_thread(record.forget)


def _look(ctx: Context, params: HostDirectoryParams) -> dict[str, Any]:
    """Return which parts of the path are missing, or mode and owner of what is there."""
    conf.allowed(ctx, params.under(params.path))
    parts = params.path.strip("/").split("/")
    for place in range(len(parts)):
        try:
            with _folder(params, parts[: place + 1]) as fd:
                about = os.fstat(fd)
        except FileNotFoundError:
            return {"missing": ["/".join(parts[: n + 1]) for n in range(place, len(parts))]}
    return {"missing": [], "mode": stat.S_IMODE(about.st_mode), "owner": [about.st_uid, about.st_gid]}


def _differences(params: HostDirectoryParams, now: dict[str, Any], wanted: tuple[int | None, int | None]) -> list[str]:
    where = params.under(params.path)
    if now["missing"]:
        return []
    found = []
    if now["mode"] != int(params.mode, 8):
        found.append(f"change the mode of {where} from {now['mode']:04o} to {int(params.mode, 8):04o}")
    if any(want not in {None, have} for want, have in zip(wanted, now["owner"], strict=True)):
        old = ":".join(map(str, now["owner"]))
        found.append(f"change the owner of {where} from {old} to {params.owner or ''}:{params.group or ''}")
    return found


def _make(
    ctx: Context, params: HostDirectoryParams, now: dict[str, Any], wanted: tuple[int | None, int | None]
) -> None:
    record = Record(ctx)
    if record.load() is None:
        record.keep(now)
    for part in now["missing"]:
        *parents, name = part.split("/")
        with _folder(params, parents) as fd:
            os.mkdir(name, 0o755, dir_fd=fd)
            os.chmod(name, 0o755, dir_fd=fd)  # noqa: S103 - a folder on the way to others; whatever the umask
    with _folder(params, params.path.strip("/").split("/")) as fd:
        os.fchown(fd, -1 if wanted[0] is None else wanted[0], -1 if wanted[1] is None else wanted[1])
        os.fchmod(fd, int(params.mode, 8))


def _take_back(ctx: Context, params: HostDirectoryParams, seen: dict[str, Any]) -> list[str]:
    conf.allowed(ctx, params.under(params.path))
    if not seen["missing"]:
        with _folder(params, params.path.strip("/").split("/")) as fd:
            os.fchown(fd, *seen["owner"])
            os.fchmod(fd, seen["mode"])
        return [f"owner and mode of {params.under(params.path)} are as before"]
    said = []
    for part in reversed(seen["missing"]):
        *parents, name = part.split("/")
        where = params.under(f"/{part}")
        try:
            with _folder(params, parents) as fd:
                os.rmdir(name, dir_fd=fd)
            said.append(f"removed {where}")
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise PermanentFault(f"{where} cannot be removed: {error.strerror}.") from None
            raise PermanentFault(
                f"{where} holds what this task did not make; it is left as it is. Move that away and roll back again, "
                f"or skip this step.",
                {"kind": "NOT_EMPTY", "path": where},
            ) from None
    return said


@contextmanager
def _folder(params: HostDirectoryParams, parts: list[str]) -> Iterator[int]:
    """Open a folder of the system, part by part. Raises `FileNotFoundError`, and `PermanentFault` at a link."""
    fd = os.open(params.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _OPEN, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    except FileNotFoundError:
        raise
    except OSError as error:
        where = Path(params.under("/" + "/".join(parts)))
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise PermanentFault(f"{where}: a symbolic link or a file is on the way; links are not followed.") from None
        if error.errno == errno.ENOTEMPTY:
            raise
        raise PermanentFault(f"{where}: {error.strerror}.") from None
    finally:
        os.close(fd)
