"""The ground of every `host.*` operation: which root, whether anything may be changed, what was before, what changed.

The former state lies in a record beside the executor's files, on the host it is about, complete before anything
changes; so an undo knows it whatever dies. Refuses to know what is changed.
"""

import json
import os
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from services.executor.operations.contract import Context, Params, PermanentFault, TransientFault
from services.executor.place import File, Former, Seen


def _absolute(path: str) -> str:
    if ".." in path.split("/") or "\0" in path:
        raise ValueError("a path without '..' and without NUL")
    return path.rstrip("/") or "/"


AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/", max_length=1_000), AfterValidator(_absolute)]


class HostParams(Params):
    """What every operation on a host takes."""

    check: bool = Field(default=False, description="Change nothing; report what would change.")
    root: AbsolutePath = Field(default="/", description="The system to prepare: this host's own, or an image's folder.")

    def under(self, path: str) -> str:
        """Return where a path of the system lies on this host."""
        return path if self.root == "/" else self.root + path


class Record:
    """What one token's work found before its first change; forgotten when it was taken back."""

    def __init__(self, ctx: Context) -> None:
        self._former = Former(ctx.files / ".undo", f"host-{ctx.token.replace('/', '-')}")

    @property
    def undone(self) -> bool:
        """Whether this token's work was taken back already."""
        return self._former.undone

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None when nothing was changed."""
        seen = self._former.load()
        return dict(json.loads(seen.file.content)) if seen is not None and seen.file is not None else None

    def keep(self, state: dict[str, Any]) -> None:
        """Put a state aside, safe from a power cut once this returns."""
        try:
            self._former.save(Seen(File(json.dumps(state).encode(), 0o600, (os.geteuid(), os.getegid())), ()))
        except OSError as error:
            raise TransientFault(
                f"What is there now cannot be recorded ({error.strerror}), so nothing is changed: make room on this "
                f"executor's disk, then retry.",
                {"kind": "NO_SPACE"},
            ) from None

    def forget(self) -> None:
        """Say that the work was taken back."""
        self._former.forget()


def need_root(params: HostParams, name: str) -> None:
    """Raise `PermanentFault` unless this executor may change its host."""
    if os.geteuid() != 0:
        where = "this host" if params.root == "/" else params.root
        raise PermanentFault(
            f"{name} changes {where} and needs root, but this executor runs as user {os.geteuid()}: run an executor as "
            f"root in a pool of its own and name that pool, or use check.",
            {"kind": "NOT_ROOT"},
        )


async def told(
    ctx: Context, params: HostParams, changes: Sequence[str], before: Any = None, **more: Any
) -> dict[str, Any]:
    """Say what changed, or would, and return it as an output."""
    verb = "Would" if params.check else "Did"
    for change in changes:
        await ctx.log.write("INFO", f"{verb}: {change}")
    if not changes:
        await ctx.log.write("INFO", "Nothing to change")
    return {"changed": bool(changes), "check": params.check, "changes": list(changes), "before": before, **more}


def nothing_known(record: Record, output: Any) -> bool:
    """Whether there is nothing to undo. Raises `PermanentFault` when there was, but its record is not here."""
    if isinstance(output, dict) and output.get("changed") and not output.get("check") and not record.undone:
        raise PermanentFault(
            "This executor's host has no record of what was there before: the work was done on another one. Undo it by "
            "hand there, and skip this step.",
            {"kind": "NO_RECORD"},
        )
    return True
