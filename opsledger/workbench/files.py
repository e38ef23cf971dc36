"""What is in a folder: to compare before and after."""

from pathlib import Path


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Return content by relative path: None for folders, `-> target` for links; `.undo` is nobody's effect."""
    found = ((path.relative_to(folder), path) for path in sorted(folder.rglob("*")))
    return {str(name): _content(path) for name, path in found if name.parts[0] != ".undo"}


def _content(path: Path) -> bytes | None:
    if path.is_symlink():
        return f"-> {path.readlink()}".encode()
    return path.read_bytes() if path.is_file() else None
