"""`host.limits`: resource limits of logins, as a file of /etc/security/limits.d.

Limits take effect at a user's next login. The undo puts back the file that was there.
"""

import asyncio
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from services.executor.host import conf
from services.executor.host.ground import HostParams, Record, need_root, nothing_known, told
from services.executor.operations.contract import Context, Operation, Params

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,60}$")]
Domain = Annotated[str, StringConstraints(pattern=r"^([@%]?[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|\*)$")]
Item = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,16}$")]


class Limit(Params):
    """One line: `oracle soft nofile 65536`."""

    domain: Domain
    type: Literal["soft", "hard", "-"] = "-"
    item: Item
    value: Annotated[int, Field(ge=-20, le=2**62)] | Literal["unlimited"]


class HostLimitsParams(HostParams):
    """The lines, and the file's name without `.conf`."""

    file: FileName = "opsledger"
    limits: Annotated[list[Limit], Field(min_length=1, max_length=500)]


class HostLimits(Operation[HostLimitsParams]):
    """Sets resource limits of logins on a Debian host. Its undo restores the former file."""

    name: ClassVar[str] = "host.limits"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: HostLimitsParams) -> dict[str, Any]:
        """Write the file if it differs."""
        path, content = _file(params)
        before = await asyncio.to_thread(conf.read, ctx, path)
        changes = [] if before is not None and before.content == content else [f"write {path}"]
        if changes and not params.check:
            need_root(params, self.name)
            await asyncio.to_thread(_write, ctx, path, content, conf.packed(before))
        return await told(ctx, params, changes, {"existed": before is not None}, path=path)

    async def undo(self, ctx: Context, params: HostLimitsParams, output: Any) -> None:
        """Restore the file that was there, or remove ours."""
        record = Record(ctx)
        seen = await asyncio.to_thread(record.load)
        if seen is None:
            nothing_known(record, output)
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        said = await asyncio.to_thread(conf.put_back, ctx, _file(params)[0], seen["file"], seen["written"])
        await asyncio.to_thread(record.forget)
        await ctx.log.write("INFO", f"Undone: {said}")


def _file(params: HostLimitsParams) -> tuple[str, bytes]:
    lines = [f"{limit.domain} {limit.type} {limit.item} {limit.value}" for limit in params.limits]
    text = "\n".join(["# written by opsledger (host.limits)", *lines, ""])
    return params.under(f"/etc/security/limits.d/{params.file}.conf"), text.encode()


def _write(ctx: Context, path: str, content: bytes, before: dict[str, Any] | None) -> None:
    record = Record(ctx)
    seen = record.load() or {"file": before, "written": []}
    record.keep({**seen, "written": [*seen["written"], conf.digest(content)]})
    conf.write(ctx, path, content, 0o644)
