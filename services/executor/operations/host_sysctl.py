"""`host.sysctl`: kernel settings, for the next start by a file of /etc/sysctl.d and for now by /proc/sys.

The undo puts back the file and the values that were there. Refuses to know what a setting means.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from services.executor.host import conf
from services.executor.host.ground import HostParams, Record, need_root, nothing_known, told
from services.executor.operations.contract import Context, Operation, PermanentFault
from services.executor.operations.host_limits import FileName


def _key(name: str) -> str:
    if any(part in {"", ".", ".."} for part in name.split("/")) or ".." in name:
        raise ValueError("a key such as vm.swappiness or net/ipv4/conf/eth0.1/forwarding")
    return name


Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$"), AfterValidator(_key)]
Value = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:%|/ +-]{1,200}$")]


class HostSysctlParams(HostParams):
    """Settings by key, and the file's name without `.conf`; `live: false` leaves the running kernel alone."""

    file: FileName = "60-opsledger"
    settings: Annotated[dict[Key, Value], Field(min_length=1, max_length=500)]
    live: bool = True


class HostSysctl(Operation[HostSysctlParams]):
    """Sets kernel settings on a Linux host, now and for later starts. Its undo restores file and values."""

    name: ClassVar[str] = "host.sysctl"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: HostSysctlParams) -> dict[str, Any]:
        """Write the file and the values that differ; every key is looked up before anything is changed."""
        path, content = _file(params)
        now = await asyncio.to_thread(_values, params)
        before = await asyncio.to_thread(conf.read, ctx, path)
        changes = [] if before is not None and before.content == content else [f"write {path}"]
        differ = {
            key: value for key, value in params.settings.items() if key in now and _plain(now[key]) != _plain(value)
        }
        changes += [f"set {key} from {_plain(now[key])} to {value}" for key, value in differ.items()]
        if changes and not params.check:
            need_root(params, self.name)
            former = {"file": conf.packed(before), "live": {key: now[key] for key in differ}}
            await asyncio.to_thread(_set, ctx, params, former, differ)
        return await told(ctx, params, changes, {"live": now, "existed": before is not None}, path=path)

    async def undo(self, ctx: Context, params: HostSysctlParams, output: Any) -> None:
        """Restore the file and the values that are still ours."""
        record = Record(ctx)
        seen = await asyncio.to_thread(record.load)
        if seen is None:
            nothing_known(record, output)
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        said = await asyncio.to_thread(conf.put_back, ctx, _file(params)[0], seen["file"], seen["written"])
        await ctx.log.write("INFO", f"Undone: {said}")
        for key, value in reversed(seen["live"].items()):
            await asyncio.to_thread(_write_value, params, key, value)
            await ctx.log.write("INFO", f"Undone: {key} is {value} again")
        await asyncio.to_thread(record.forget)


def _file(params: HostSysctlParams) -> tuple[str, bytes]:
    lines = [f"{key} = {value}" for key, value in params.settings.items()]
    text = "\n".join(["# written by opsledger (host.sysctl)", *lines, ""])
    return params.under(f"/etc/sysctl.d/{params.file}.conf"), text.encode()


def _set(ctx: Context, params: HostSysctlParams, former: dict[str, Any], differ: dict[str, str]) -> None:
    path, content = _file(params)
    record = Record(ctx)
    seen = record.load() or {"file": former["file"], "live": {}, "written": []}
    live = {**former["live"], **seen["live"]}  # what was found first counts
    record.keep({"file": seen["file"], "live": live, "written": [*seen["written"], conf.digest(content)]})
    conf.write(ctx, path, content, 0o644)
    for key, value in differ.items():
        _write_value(params, key, value)


def _values(params: HostSysctlParams) -> dict[str, str]:
    """Return the running kernel's values as it writes them. Raises `PermanentFault` for a key it does not have."""
    if not params.live:
        return {}
    found = {}
    for key in params.settings:
        try:
            found[key] = _where(params, key).read_text(encoding="ascii", errors="replace").rstrip("\n")
        except OSError as error:
            raise PermanentFault(
                f"The setting {key} cannot be read ({_where(params, key)}: {error.strerror}): correct the key, load "
                f"the kernel module that has it, or say live: false. Nothing was changed.",
                {"kind": "NO_SETTING", "key": key},
            ) from None
    return found


def _write_value(params: HostSysctlParams, key: str, value: str) -> None:
    try:
        _where(params, key).write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        raise PermanentFault(
            f"{key} cannot be set to '{value}': {error.strerror}. See whether the kernel takes that value, and whether "
            f"/proc/sys may be written here (not in most containers).",
            {"kind": "SETTING_REFUSED", "key": key},
        ) from None


def _where(params: HostSysctlParams, key: str) -> Path:
    return Path(params.under("/proc/sys")) / (key if "/" in key else key.replace(".", "/"))


def _plain(value: str) -> str:
    return " ".join(value.split())
