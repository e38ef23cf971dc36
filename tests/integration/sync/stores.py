"""Folders as stores, and the object lists as a reader of them parses them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.executor.operations.contract import Connection

LISTS = "oms/sync_task"
OF: dict[str, Any] = {"source": "from", "destination": "to", "task": 7}


@dataclass(frozen=True)
class Folder:
    """A folder of objects."""

    path: Path

    @classmethod
    def new(cls, path: Path) -> "Folder":
        """Make it."""
        path.mkdir()
        return cls(path)

    def put(self, key: str, body: bytes, *, age: float = 3600.0) -> None:
        """Store an object that was last changed so many seconds ago."""
        file = self.path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        at = file.stat().st_mtime - age
        os.utime(file, (at, at))

    def connection(self, name: str, **options: str) -> Connection:
        """A connection to it."""
        return Connection(name, f"file://{self.path}", options)

    def all(self) -> dict[str, bytes]:
        """Every object in it, lists included."""
        files = (file for file in self.path.rglob("*") if file.is_file())
        return {str(file.relative_to(self.path)): file.read_bytes() for file in files}


def objects(found: dict[str, bytes]) -> dict[str, bytes]:
    """Leave the lists out."""
    return {key: body for key, body in found.items() if not key.startswith(LISTS)}


def rows(found: dict[str, bytes], which: str, task: int = 7) -> list[list[str]]:
    """Return the rows of all lists of one directory, in the order of their names."""
    folder = f"{LISTS}/{task}/{which}/"
    names = sorted(key for key in found if key.startswith(folder) and "/" not in key[len(folder) :])
    return [line.split("\t") for name in names for line in found[name].decode().split("\n") if line]
