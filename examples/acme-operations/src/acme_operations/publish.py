"""`acme.publish`: point a site at one of its releases, and back."""

import asyncio
from pathlib import Path

from pydantic import Field

from opsledger.kit import Context, Params, PermanentFault, operation

WORD = r"^[a-z0-9][a-z0-9.-]*$"


class PublishParams(Params):
    """Which release of which site."""

    site: str = Field(pattern=WORD, description="Folder of the site, below the executor's own.", examples=["shop"])
    release: str = Field(pattern=WORD, description="Folder of the release, below the site's.", examples=["2.0"])


@operation("acme.publish", timeout=60)
async def publish(ctx: Context, params: PublishParams) -> dict[str, str]:
    """Points a site at one of its releases."""
    before = await asyncio.to_thread(switch, ctx.files / params.site, params.release, note_of(ctx))
    ctx.log.info(f"{params.site}: {before or 'nothing'} -> {params.release}")
    return {"site": params.site, "release": params.release, "before": before}


@publish.undo
async def withdraw(ctx: Context, params: PublishParams, output: dict[str, str] | None) -> None:
    """Point it back; the note of what was there outlives an attempt that never told its output."""
    before = await asyncio.to_thread(switch_back, ctx.files / params.site, note_of(ctx))
    told = "was not switched" if before is None else f"{params.release} -> {before or 'nothing'}"
    ctx.log.info(f"{params.site}: {told}{'' if output else ' (of an attempt that did not finish)'}")


def note_of(ctx: Context) -> Path:
    """Where this subtask notes what was there before: the token is the same on every repetition, and in the undo."""
    return ctx.files / ".undo" / f"publish-{ctx.token.replace('/', '-')}"


def switch(site: Path, release: str, note: Path) -> str:
    """Note what `current` points at, once, then point it at the release; return what was noted."""
    if not (site / release).is_dir():
        raise PermanentFault(f"{site.name} has no release '{release}'. Upload it first.", {"kind": "NO_RELEASE"})
    if not note.exists():  # a repetition must not take its own work for what was there
        note.parent.mkdir(exist_ok=True)
        note.write_text(str(link.readlink()) if (link := site / "current").is_symlink() else "")
    point(site / "current", release)
    return note.read_text()


def switch_back(site: Path, note: Path) -> str | None:
    """Point `current` at what was noted; return that, or None when nothing was begun or all is undone already."""
    if not note.exists():
        return None
    before = note.read_text()
    point(site / "current", before)
    note.unlink()
    return before


def point(link: Path, target: str) -> None:
    """Let the link point at the target in one step; with no target there is no link."""
    if not target:
        link.unlink(missing_ok=True)
        return
    draft = link.with_name(".current.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
