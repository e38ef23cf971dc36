"""Leftovers: unfinished files that an attempt which was killed left in a folder, beside the names they were meant for.

The client library writes `name#1` and renames it. No reader of the store is shown such a file, other programs are. What
is removed was made after the batch was decided and is the beginning of the object; anything else is somebody's own.
"""

import os
from collections.abc import Iterable
from typing import Final

from services.executor.sync.store import Store

MOST: Final = 9
"""As many attempts may have died at one object."""
COMPARED: Final = 64 * 1024


def staged(path: str) -> Iterable[str]:
    """Give the unfinished files beside a name."""
    for number in range(1, MOST + 1):
        name = f"{path}#{number}"
        if not os.path.lexists(name):
            return
        yield name


def remove(source: Store, destination: Store, names: Iterable[tuple[str, str]], since: float) -> int:
    """Remove those of these (name, name at the destination); `since`: when it was decided. Returns how many."""
    import obstore  # noqa: PLC0415 - an optional extra

    if destination.root is None:
        return 0
    removed = 0
    for name, to in names:
        for file in staged(os.path.join(destination.root, to)):  # noqa: PTH118 - strings, many of them
            try:
                if os.path.islink(file) or os.stat(file).st_mtime < since:  # noqa: PTH114, PTH116
                    continue
                with open(file, "rb") as opened:  # noqa: PTH123
                    there = opened.read(COMPARED)
                if there and bytes(obstore.get_range(source.objects, name, start=0, end=len(there))) != there:
                    continue
                os.unlink(file)  # noqa: PTH108
                removed += 1
            except (OSError, ValueError):  # not ours to mend: it harms nobody who reads the store
                continue
    return removed


def remove_list(store: Store, path: str) -> None:
    """Remove what an attempt that died left beside a list: nobody else writes there."""
    if store.root is not None:
        for file in staged(os.path.join(store.root, path)):  # noqa: PTH118
            try:
                os.unlink(file)  # noqa: PTH108
            except OSError:
                return
