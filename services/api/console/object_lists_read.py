"""Object lists as people read them: what kinds are called, the columns of a line, where a list's page is. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from shared.messages.object_lists import FOLDERS, NAME, RESERVED, Which

LINES: Final = 500
"""So many lines of a list are on its page; the download has all."""
WORDS: Final[dict[Which, str]] = {
    "requested": "Requested",
    "synced": "Synced",
    "ignored": "Ignored",
    "failed": "Failed",
    "not_begun": "Not begun",
}
SAID: Final[dict[Which, str]] = {
    "requested": "asked for",
    "synced": "synced",
    "ignored": "ignored: already there, or newer",
    "failed": "failed, with the cause",
    "not_begun": "not begun: the source as a whole refused",
}
COLUMNS: Final[dict[Which, tuple[tuple[str, int], ...]]] = {
    "requested": (("Object", 0),),
    "synced": (("Object", 1), ("Bytes", 2), ("Time, UTC", 0)),
    "ignored": (("Object", 1), ("Bytes", 2), ("Time, UTC", 0)),
    "failed": (("Object", 3), ("Cause", 0), ("Code", 4), ("Time, UTC", 1)),
    "not_begun": (("Object", 3), ("Cause", 0), ("Code", 4), ("Time, UTC", 1)),
}
"""What is shown of a line, and where it stands in it (docs/tasks/object.sync.md, "The lists")."""
_PATH: Final = re.compile(rf"{RESERVED}([0-9]+)/({'|'.join(FOLDERS.values())})/([^/]+)")


@dataclass(frozen=True, slots=True)
class Text:
    """What of a list is on its page."""

    heads: tuple[str, ...]
    rows: list[list[str]]
    whole: bool


def place(task: int, which: Which, name: str | None = None) -> str:
    """Return the address of the lists of a kind, or of one of them."""
    return f"/sync/{task}/lists/{which}" + (f"/{name}" if name is not None else "")


def address_of(path: str, task: int | None) -> str | None:
    """Return the page of a list that lies there, None when it is none of this task's."""
    found = _PATH.fullmatch(path)
    if found is None or int(found[1]) != task or re.fullmatch(NAME, found[3]) is None:
        return None
    return place(task, next(which for which, folder in FOLDERS.items() if folder == found[2]), found[3])


def text_of(which: Which, piece: bytes, size: int) -> Text:
    """Return the first lines of a list as rows; `piece` is its beginning. What is no line of ours is shown whole."""
    text = piece.decode(errors="replace")
    lines = text.split("\n")[:-1]  # behind the last newline stands nothing, or half a line
    columns = COLUMNS[which]
    rows = []
    for line in lines[:LINES]:
        cells = line.split("\t")
        fits = len(cells) > max(index for _, index in columns)
        rows.append([cells[index] for _, index in columns] if fits else [line, *[""] * (len(columns) - 1)])
    return Text(tuple(head for head, _ in columns), rows, len(piece) >= size and len(lines) <= LINES)
