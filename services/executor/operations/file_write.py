"""`file.write`: put a file where this executor may write, whole or not at all, and be able to take it back.

Responsible for never leaving the permitted folders: paths are walked folder by folder without following symbolic
links. Before the first change of a generation the file's former content is put aside under `.undo/`, so that an
undo restores it; a repetition finds it there and does not take its own work for the former content.
"""

import asyncio
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import to_json

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.place import File, Former, Place, Seen

MAX_CONTENT = 16 * 1024 * 1024


def _plain_path(path: str) -> str:
    parts = path.split("/")
    if "\0" in path or ".." in parts or path.endswith("/") or not parts[-1] or parts[-1] == ".":
        raise ValueError("the path must name a file, without '..' and without NUL")
    return path


class FromUpstream(Params):
    """The content is an upstream's output, or the part of it at `field` (`data.report`, `rows.0`)."""

    upstream: str
    field: Annotated[str, StringConstraints(max_length=500)] = ""


class FileWriteParams(Params):
    """Where and what. A relative `path` lies in the executor's own folder, an absolute one in one of its roots."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4_096), AfterValidator(_plain_path)]
    content: Annotated[str, StringConstraints(max_length=MAX_CONTENT)] | None = None
    content_from: FromUpstream | None = None
    mode: Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")] = "0644"
    overwrite: bool = True
    make_folders: bool = Field(default=True, description="Create missing folders on the way.")

    @model_validator(mode="after")
    def _one_source(self) -> "FileWriteParams":
        if (self.content is None) == (self.content_from is None):
            raise ValueError("give exactly one of content and content_from")
        return self


class FileWrite(Operation[FileWriteParams]):
    """Writes a file atomically; its undo restores what was there before."""

    name: ClassVar[str] = "file.write"

    async def execute(self, ctx: Context, params: FileWriteParams) -> dict[str, Any]:
        """Write it: a temporary file, synced, renamed into place, and the folder synced."""
        content = _content(ctx, params)
        output = await asyncio.to_thread(_write, ctx, params, content)
        said = f"{'Wrote' if output['changed'] else 'Unchanged:'} {output['path']}, {len(content)} bytes"
        ctx.log.info(said)
        return output

    async def undo(self, ctx: Context, params: FileWriteParams, output: Any) -> None:
        """Restore the former content, or remove the file if there was none; refused when somebody changed it since."""
        ctx.log.info(await asyncio.to_thread(_restore, ctx, params, finished=output is not None))


def _content(ctx: Context, params: FileWriteParams) -> bytes:
    if params.content_from is None:
        return (params.content or "").encode("utf-8", "surrogateescape")
    key, path = params.content_from.upstream, params.content_from.field
    if key not in ctx.upstreams:
        raise PermanentFault(f"'{key}' is not a direct upstream of this subtask.")
    value = ctx.upstreams[key]
    for part in path.split(".") if path else ():
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise PermanentFault(f"the output of '{key}' has no field '{path}' (at '{part}').") from None
    return value.encode() if isinstance(value, str) else to_json(value, indent=2)


def _former(ctx: Context) -> Former:
    return Former(ctx.files / ".undo", ctx.token.replace("/", "-"))


def _write(ctx: Context, params: FileWriteParams, content: bytes) -> dict[str, Any]:
    with Place.open(params.path, ctx.files, ctx.policy.file_roots, make_folders=params.make_folders) as place:
        before = place.read()
        former = _former(ctx)
        seen = former.load() or Seen(before, ())
        digest = sha256(content).hexdigest()
        if before is not None and not params.overwrite and sha256(before.content).hexdigest() not in seen.written:
            raise PermanentFault(f"{place.shown} exists already, and overwrite is off.")
        if digest not in seen.written:
            former.save(Seen(seen.file, (*seen.written, digest)))
        mode = int(params.mode, 8)
        changed = before is None or before.content != content or before.mode != mode
        if changed:
            place.replace(content, mode)
        return {
            "path": place.shown,
            "bytes": len(content),
            "sha256": digest,
            "existed": seen.file is not None,
            "changed": changed,
        }


def _written(file: File, seen: Seen) -> bool:
    return sha256(file.content).hexdigest() in seen.written


def _restore(ctx: Context, params: FileWriteParams, *, finished: bool) -> str:
    former = _former(ctx)
    seen = former.load()
    if seen is None:
        if finished and not former.undone:
            raise PermanentFault("this executor's host has no record of what was there before; undo it by hand.")
        return "Nothing to undo."
    with Place.open(params.path, ctx.files, ctx.policy.file_roots, make_folders=False) as place:
        now, before = place.read(), seen.file
        untouched = now.content == before.content if now and before else now is before
        if not untouched and not (now and _written(now, seen)):
            raise PermanentFault(f"{place.shown} was changed by somebody else since; it is left as it is.")
        if before is None:
            place.remove()
            said = f"Removed {place.shown}"
        else:
            place.replace(before.content, before.mode, owner=before.owner)
            said = f"Restored {place.shown}, {len(before.content)} bytes"
    former.forget()
    return said
