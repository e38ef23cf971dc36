"""`host.user`: an account of a Debian host with its groups, by `useradd`, `usermod` and `userdel`.

An account that is there already is kept: its shell and groups are brought in line, its number and home are not. The
undo removes an account that this step made, or gives one that was there its shell and groups back. Homes are folders:
`host.directory`.
"""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from services.executor.host import account
from services.executor.host.command import command
from services.executor.host.ground import AbsolutePath, HostParams, Record, need_root, nothing_known, told
from services.executor.operations.contract import Context, Operation, PermanentFault, TransientFault

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
_LOCKED = frozenset({1, 10})
"""useradd(8), userdel(8): the password or group file cannot be changed now."""
_IN_USE = 8
_GONE = 6


class HostUserParams(HostParams):
    """Who. Without `group` a group of the same name is made; `groups` must exist."""

    name: AccountName
    uid: Annotated[int, Field(ge=1, le=4_000_000_000)] | None = None
    group: AccountName | None = None
    groups: Annotated[list[AccountName], Field(max_length=100)] = Field(default_factory=list)
    home: AbsolutePath | None = Field(default=None, description="Where its home is said to be; no folder is made.")
    shell: AbsolutePath = "/usr/sbin/nologin"
    comment: Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f]{0,200}$")] = ""
    system: bool = Field(default=False, description="A number from the range of system accounts.")


class HostUser(Operation[HostUserParams]):
    """Makes an account on a Debian host. Its undo removes it, or restores the one that was there."""

    name: ClassVar[str] = "host.user"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: HostUserParams) -> dict[str, Any]:
        """Make the account, or bring its shell and groups in line."""
        now = await asyncio.to_thread(account.user, params, params.name)
        missing = [
            name for name in [*params.groups, *([params.group] if params.group else [])] if not _has(params, name)
        ]
        if missing and not params.check:
            raise PermanentFault(
                f"There is no group {', '.join(missing)} on this host: make it first, or leave it out.",
                {"kind": "UNKNOWN_ACCOUNT", "groups": missing},
            )
        if now is None:
            changes = [f"make account {params.name}"]
        else:
            _same(params, now)
            changes = _differences(params, now)
        if changes and not params.check:
            need_root(params, self.name)
            record = Record(ctx)
            if record.load() is None:
                await asyncio.to_thread(record.keep, {"former": asdict(now) if now else None})
            if now is None:
                await _run(ctx, params, "useradd", _options(params))
            else:
                await _run(ctx, params, "usermod", ["--shell", params.shell])
                await _run(ctx, params, "usermod", ["--append", "--groups", ",".join(params.groups)])
        after = await asyncio.to_thread(account.user, params, params.name)
        made = {"uid": after.uid, "gid": after.gid} if after else {}
        return await told(ctx, params, changes, asdict(now) if now else None, name=params.name, **made)

    async def undo(self, ctx: Context, params: HostUserParams, output: Any) -> None:
        """Remove the account, or restore its shell and groups. Its files are left where they are."""
        record = Record(ctx)
        seen = await asyncio.to_thread(record.load)
        if seen is None:
            nothing_known(record, output)
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        former = seen["former"]
        now = await asyncio.to_thread(account.user, params, params.name)
        if former is None and now is not None:
            await _run(ctx, params, "userdel", [])
            await ctx.log.write("INFO", f"Undone: removed account {params.name}")
        elif former is not None and now is not None:
            await _run(ctx, params, "usermod", ["--shell", former["shell"]])
            await _run(ctx, params, "usermod", ["--groups", ",".join(former["groups"])])
            await ctx.log.write("INFO", f"Undone: account {params.name} has its former shell and groups")
        await asyncio.to_thread(record.forget)


def _has(params: HostUserParams, name: str) -> bool:
    return account.group(params, name) is not None


def _same(params: HostUserParams, now: account.User) -> None:
    """Raise `PermanentFault` when the account that is there is another one."""
    gid = account.group(params, params.group) if params.group else None
    for what, wanted, has in (
        ("number", params.uid, now.uid),
        ("home", params.home, now.home),
        ("group", gid, now.gid),
    ):
        if wanted not in {None, has}:
            raise PermanentFault(
                f"There is an account {params.name} already, and its {what} is {has}, not {wanted}: that is not "
                f"changed. Choose another name, or ask for what is there.",
                {"kind": "OTHER_ACCOUNT", "name": params.name, "what": what},
            )


def _differences(params: HostUserParams, now: account.User) -> list[str]:
    changes = (
        [f"change the shell of {params.name} from {now.shell} to {params.shell}"] if now.shell != params.shell else []
    )
    return changes + [f"put {params.name} into group {name}" for name in params.groups if name not in now.groups]


def _options(params: HostUserParams) -> list[str]:
    options = ["--no-create-home", "--shell", params.shell]
    options += ["--system"] if params.system else []
    options += ["--uid", str(params.uid)] if params.uid is not None else []
    options += ["--gid", params.group] if params.group is not None else ["--user-group"]
    options += ["--groups", ",".join(params.groups)] if params.groups else []
    options += ["--home-dir", params.home] if params.home is not None else []
    return [*options, "--comment", params.comment]


async def _run(ctx: Context, params: HostUserParams, program: str, options: list[str]) -> None:
    if options[:2] == ["--append", "--groups"] and not options[2]:
        return
    prefix = [] if params.root == "/" else ["--prefix", params.root]
    ended = await command(ctx, [program, *prefix, *options, params.name])
    if ended.code == 0 or (program == "userdel" and ended.code == _GONE):
        return
    kind = TransientFault if ended.code in _LOCKED or ended.code == _IN_USE else PermanentFault
    advice = "; end its processes, then retry" if ended.code == _IN_USE else ""
    raise kind(f"{program} {params.name} ended with {ended.code}: {ended.last}{advice}", {"exit_code": ended.code})
