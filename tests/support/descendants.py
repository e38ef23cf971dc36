"""Finding processes by a mark in their command line, to see that nobody of a tree is left. Starts and ends nothing."""

from pathlib import Path
from uuid import uuid4


def mark() -> str:
    """Return a word that no other process carries."""
    return f"mark-{uuid4().hex}"


def alive(mark: str) -> list[int]:
    """Return the processes whose command line contains `mark`, without those that are dead but not collected."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark.encode() in (entry / "cmdline").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in {"Z", "X"}:
                    found.append(int(entry.name))
        except OSError:
            continue
    return found
