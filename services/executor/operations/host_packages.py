"""`host.packages`: packages of a Debian host, by `apt-get`, so that an undo removes what came and nothing else.

What an installation would bring is asked first and put aside; what it would remove or upgrade is refused unless
allowed, because an undo could not bring it back.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from services.executor.host.command import Said, command
from services.executor.host.ground import HostParams, Record, need_root, nothing_known, told
from services.executor.operations.contract import Context, Operation, PermanentFault, TransientFault

Package = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,100}$")]
_TRANSIENT = ("could not get lock", "unable to acquire", "failed to fetch", "temporary failure", "could not resolve")
_LINE = re.compile(r"^(?P<word>Inst|Remv|Purg) (?P<name>\S+)(?: \[(?P<old>[^\]]+)\])?", re.MULTILINE)


class HostPackagesParams(HostParams):
    """Which packages. `update` reads the package lists first."""

    packages: Annotated[list[Package], Field(min_length=1, max_length=500)]
    update: bool = False
    upgrades: bool = Field(default=False, description="Allow that installed packages are upgraded; no undo of that.")
    seconds: Annotated[int, Field(ge=10, le=86_400)] = 1800


@dataclass(frozen=True, slots=True)
class Would:
    """What apt-get would do."""

    come: list[str]
    go: list[str]
    change: list[str]


class HostPackages(Operation[HostPackagesParams]):
    """Installs packages on a Debian host. Its undo removes those that came, with what came along."""

    name: ClassVar[str] = "host.packages"
    timeout: ClassVar[timedelta] = timedelta(hours=2)

    async def execute(self, ctx: Context, params: HostPackagesParams) -> dict[str, Any]:
        """Ask what would come, put that aside, install."""
        there = await _installed(ctx, params)
        missing = [name for name in params.packages if name not in there]
        if not missing:
            return await told(ctx, params, [], {"installed": sorted(set(params.packages) & there)}, come=[])
        if not params.check:
            need_root(params, self.name)
            await _mend(ctx, params)
            if params.update:
                _judge(await _apt(ctx, params, "update", log=True), "apt-get update")
        would = await _would(ctx, params, ["install", "--no-install-recommends", "--", *missing])
        _refuse(params, would)
        changes = [f"install {name}" for name in would.come] + [f"upgrade {name}" for name in would.change]
        if not params.check:
            record = Record(ctx)
            seen = await asyncio.to_thread(record.load) or {"come": []}
            come = sorted({*seen["come"], *would.come})
            await asyncio.to_thread(record.keep, {"come": come})
            ended = await _apt(ctx, params, "install", "--no-install-recommends", "--", *missing, log=True)
            _judge(ended, f"apt-get install {' '.join(missing)}")
        return await told(ctx, params, changes, {"missing": missing}, come=would.come)

    async def undo(self, ctx: Context, params: HostPackagesParams, output: Any) -> None:
        """Purge what came, unless something else needs it by now."""
        record = Record(ctx)
        seen = await asyncio.to_thread(record.load)
        if seen is None:
            nothing_known(record, output)
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        await _mend(ctx, params)
        ours = sorted(set(seen["come"]) & await _installed(ctx, params))
        if ours:
            would = await _would(ctx, params, ["purge", "--", *ours])
            others = sorted({*would.go} - {*seen["come"]})
            if others:
                raise PermanentFault(
                    f"Removing {', '.join(ours)} would also remove {', '.join(others)}, which this task did not "
                    f"install: nothing is removed. Remove by hand what is to go, and skip this step.",
                    {"kind": "NEEDED", "by": others},
                )
            _judge(await _apt(ctx, params, "purge", "--", *ours, log=True), "apt-get purge")
        await asyncio.to_thread(record.forget)
        await ctx.log.write("INFO", f"Undone: removed {', '.join(ours)}" if ours else "Nothing to undo.")


async def _installed(ctx: Context, params: HostPackagesParams) -> set[str]:
    form = "${binary:Package}\t${db:Status-Status}\n"
    folder = params.under("/var/lib/dpkg")
    said = await command(ctx, ["dpkg-query", f"--admindir={folder}", "--show", f"--showformat={form}"])
    if said.code not in {0, 1}:  # 1: no package at all
        raise PermanentFault(f"dpkg-query failed: {said.last}; is {params.root} a Debian system?", {"kind": "NO_DPKG"})
    pairs = [line.split("\t") for line in said.stdout.splitlines()]
    return {name.partition(":")[0] for name, status in pairs if status == "installed"}


async def _mend(ctx: Context, params: HostPackagesParams) -> None:
    """Let dpkg finish what an interrupted run left half configured."""
    where = [] if params.root == "/" else [f"--root={params.root}"]
    audit = await command(ctx, ["dpkg", *where, "--audit"])
    if audit.stdout.strip():
        ctx.log.warning("An earlier run of dpkg was interrupted; it is finished first")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        argv = ["dpkg", *where, "--force-confold", "--configure", "--pending"]
        _judge(await command(ctx, argv, env=env, seconds=params.seconds, log=True), "dpkg --configure")


async def _would(ctx: Context, params: HostPackagesParams, words: list[str]) -> Would:
    ended = await _apt(ctx, params, "--simulate", *words)
    _judge(ended, f"apt-get {' '.join(words)}")
    found = [match.groupdict() for match in _LINE.finditer(ended.stdout)]

    def names(of: Iterable[dict[str, Any]]) -> list[str]:
        return [line["name"].partition(":")[0] for line in of]

    return Would(
        come=names(line for line in found if line["word"] == "Inst" and line["old"] is None),
        go=names(line for line in found if line["word"] in {"Remv", "Purg"}),
        change=names(line for line in found if line["word"] == "Inst" and line["old"] is not None),
    )


async def _apt(ctx: Context, params: HostPackagesParams, *words: str, log: bool = False) -> Said:
    options = ["--yes", "--quiet", "--option=DPkg::Lock::Timeout=60", "--option=Dpkg::Options::=--force-confold"]
    if params.root != "/":
        places = {"Dir": "", "Dir::State::status": "/var/lib/dpkg/status"}
        options += [f"--option={name}={params.root}{place}" for name, place in places.items()]
        options += [f"--option=Dpkg::Options::=--root={params.root}", "--option=Dir::dpkg=/usr/share/dpkg"]
    env = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none"}
    return await command(ctx, ["apt-get", *options, *words], env=env, seconds=params.seconds, log=log)


def _refuse(params: HostPackagesParams, would: Would) -> None:
    """Raise `PermanentFault` for an installation that an undo could not take back."""
    if would.go:
        raise PermanentFault(
            f"Installing this would remove {', '.join(would.go)}: that is not done here. Choose other packages.",
            {"kind": "WOULD_REMOVE", "packages": would.go},
        )
    if would.change and not params.upgrades:
        raise PermanentFault(
            f"Installing this would upgrade {', '.join(would.change)}, which no undo takes back: upgrade the host "
            f"first, or allow it with upgrades: true.",
            {"kind": "WOULD_UPGRADE", "packages": would.change},
        )


def _judge(ended: Said, what: str) -> None:
    if ended.code == 0:
        return
    text = f"{ended.stdout}\n{ended.stderr}".lower()
    errors = [line[2:].strip() for line in f"{ended.stderr}\n{ended.stdout}".splitlines() if line.startswith("E:")]
    why = " ".join(errors[:3]) or ended.last
    advice = ""
    if "unable to locate" in text or "no installation candidate" in text:
        advice = "; correct the name, or read the package lists first (update: true)"
    elif "no space left" in text:
        advice = "; make room on that disk, then retry"
    kind = TransientFault if any(word in text for word in (*_TRANSIENT, "no space left")) else PermanentFault
    raise kind(f"{what} failed: {why[:800]}{advice}", {"kind": "APT", "exit_code": ended.code})
