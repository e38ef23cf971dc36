"""A configuration file that a step owns: written whole, put back as it was.

Refuses to know what the lines mean, and to follow symbolic links (`place.py`).
"""

from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from services.executor.operations.contract import Context, PermanentFault
from services.executor.place import File, Place


def read(ctx: Context, path: str) -> File | None:
    """Return a file, None where there is none. Raises a fault when this executor may not write there."""
    if allowed(ctx, path) and not Path(path).parent.is_dir():
        return None
    with Place.open(path, ctx.files, ctx.policy.file_roots, make_folders=False) as place:
        return place.read()


def write(ctx: Context, path: str, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a file, whole or not at all; folders on the way are made."""
    with Place.open(path, ctx.files, ctx.policy.file_roots, make_folders=True) as place:
        place.replace(content, mode, owner)


def packed(file: File | None) -> dict[str, Any] | None:
    """Return a file as a record keeps it."""
    if file is None:
        return None
    return {"content": b64encode(file.content).decode(), "mode": file.mode, "owner": list(file.owner)}


def digest(content: bytes) -> str:
    """Return what of a content a record keeps to know it again."""
    return sha256(content).hexdigest()


def put_back(ctx: Context, path: str, former: dict[str, Any] | None, written: list[str]) -> str:
    """Restore a file, or remove it where there was none; say what was done. Refused when somebody changed it since."""
    now = read(ctx, path)
    before = None if former is None else b64decode(former["content"])
    if (now.content if now else None) == before:
        return f"{path} is as it was"
    if now is not None and digest(now.content) not in written:
        raise PermanentFault(
            f"{path} was changed by somebody else since; it is left as it is. Put it right by hand and skip this step.",
            {"kind": "CHANGED_SINCE", "path": path},
        )
    with Place.open(path, ctx.files, ctx.policy.file_roots, make_folders=True) as place:
        if former is None or before is None:
            place.remove()
            return f"removed {path}"
        place.replace(before, former["mode"], (former["owner"][0], former["owner"][1]))
        return f"restored {path}"


def allowed(ctx: Context, path: str) -> bool:
    """Return True, or raise `PermanentFault` for a place this executor may not write to."""
    if any(Path(path).is_relative_to(root) for root in (ctx.files, *ctx.policy.file_roots)):
        return True
    roots = ", ".join(map(str, ctx.policy.file_roots)) or "none"
    raise PermanentFault(
        f"{path} lies outside of the folders this executor may write to ({roots}): add its folder to "
        f"OPSLEDGER_FILE_ROOTS of the executors that prepare hosts.",
        {"kind": "NOT_ALLOWED", "path": path},
    )
