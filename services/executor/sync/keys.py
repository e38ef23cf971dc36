"""Keys: which names a store can hold exactly as they are, and what is refused rather than written elsewhere.

The client library addresses no empty part, no `.`, no `..`, no control character, in any store, and would drop outer
slashes silently: such keys are refused here, with their reason, before anything is asked of a store.
"""

import os
import re
from typing import Final

from services.executor.sync.store import Store
from services.executor.sync.trouble import Trouble
from shared.messages.object_lists import RESERVED

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_STAGED: Final = re.compile(r"#\d+$")
_BYTES: Final = {"s3": 1024, "gs": 1024, "az": 1024, "file": 4000, "memory": 8192}


def unfit(name: str, store: Store) -> Trouble | None:
    """Return why this store cannot hold an object of exactly this name, None if it can."""
    why = _shape(name) or _size(name, store)
    if why is None and store.kind == "file" and _STAGED.search(name.rsplit("/", 1)[-1]):
        why = "a file name that ends in # and digits is taken for an unfinished write"
    if why is None:
        return None
    return Trouble("InvalidKey", f"{store.where}: the key cannot be held: {why}", final=True)


def reserved(name: str) -> Trouble | None:
    """Return why nothing may be written there: it is where the object lists lie."""
    if not name.startswith(RESERVED):
        return None
    return Trouble("ReservedKey", f"names below {RESERVED} are those of the object lists", final=True)


def _shape(name: str) -> str | None:
    if not name:
        return "it is empty"
    if _CONTROL.search(name):
        return "it has a control character, such as a newline"
    if name.startswith("/") or name.endswith("/"):
        return "it begins or ends with a slash"
    parts = name.split("/")
    if "" in parts:
        return "it has an empty part (//)"
    if "." in parts or ".." in parts:
        return "it has a part '.' or '..'"
    return None


def _size(name: str, store: Store) -> str | None:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "it is not Unicode text"
    most = _BYTES[store.kind]
    if len(encoded) > most:
        return f"it has {len(encoded)} bytes, and {most} are the most"
    if store.kind == "file" and any(len(part) > 253 for part in encoded.split(b"/")):
        return "a part of it is longer than a file name may be (253 bytes)"
    return None


class Bounds:
    """Whether names stay below the folder of a file store, whatever symbolic links lie there; remembers folders."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folders: dict[str, bool] = {}

    def leaves(self, name: str, *, follow: bool) -> Trouble | None:
        """Return the trouble when this name leads out of the store; `follow`: also when its file is itself a link."""
        root = self._store.root
        if root is None:
            return None
        path = os.path.join(root, name)  # noqa: PTH118 - strings, many of them
        folder = path.rsplit("/", 1)[0]
        inside = self._folders.get(folder)
        if inside is None:
            inside = self._folders[folder] = _inside(folder, root)
        if inside and follow and os.path.islink(path):  # noqa: PTH114
            inside = _inside(path, root)
        if inside:
            return None
        cause = f"{self._store.where}: a symbolic link leads out of the folder"
        return Trouble("OutsideFolder", cause, final=True)


def _inside(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip("/") + "/")
