"""Decisions: which objects of a batch are copied, which are ignored, and which cannot be.

The rule is the specification's (§7): an object with the same name and size at the destination whose time there is later
than that of the source is ignored. Refuses to know how objects are copied.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.executor.sync.keys import Bounds
from services.executor.sync.params import Overwrite
from services.executor.sync.sides import Sides
from services.executor.sync.store import Store
from services.executor.sync.survey import Found, Seen, probe, survey
from services.executor.sync.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to become, or became, of one key. `at` is when, UTC; `trouble` why it failed."""

    what: Literal["copy", "synced", "ignored", "failed"]
    size: int = 0
    at: str = ""
    trouble: Trouble | None = None

    def row(self) -> list[object]:
        """Return what a journal keeps."""
        why = self.trouble
        kept = None if why is None else [why.code, why.cause, why.transient, why.whole, why.final]
        return [self.what, self.size, self.at, kept]

    @classmethod
    def of(cls, row: Sequence[object]) -> "Entry":
        """Return what `row` made a row of."""
        what, size, at, why = row
        return cls(what, size, at, None if why is None else Trouble(*why))  # type: ignore[arg-type, misc]


def ignored(mode: Overwrite, source: Seen, there: Seen | None) -> bool:
    """Whether the rule leaves what is there as it is."""
    if there is None or mode == "always":
        return False
    return mode == "never" or (there.size == source.size and there.at > source.at)


async def decide(sides: Sides, keys: Sequence[str], hints: Mapping[str, Seen]) -> list[Entry]:
    """Return a decision for each key, in order; `hints` are those whose source is known already."""
    source = sides.source
    if source is None:
        return [Entry("failed", trouble=sides.broken)] * len(keys)
    refused = await asyncio.to_thread(_refused, sides, source, keys)
    names = {key: sides.names(key) for key in keys if refused[key] is None}
    unseen = [name for key, (name, _) in names.items() if key not in hints]
    found: Found = {}
    if unseen:
        found = await survey(source, unseen)
        whole = await _whole(source, found)
        if whole is not None:
            return [Entry("failed", trouble=refused[key] or whole) for key in keys]
    there: Found = {}
    if sides.rules.overwrite != "always":
        there = await survey(sides.destination, [to for _, to in names.values()])
    return [_one(sides, key, refused[key], hints.get(key), found, there) for key in keys]


def _refused(sides: Sides, source: Store, keys: Sequence[str]) -> dict[str, Trouble | None]:
    read, written = Bounds(source), Bounds(sides.destination)
    return {key: sides.refused(source, key, read, written) for key in keys}


async def _whole(source: Store, found: Found) -> Trouble | None:
    """Return what is wrong with the source as a whole: asked only where nothing at all was found there."""
    if any(isinstance(value, Seen) for value in found.values()):
        return None
    if (trouble := await probe(source)) is not None:
        return trouble
    return next((value for value in found.values() if isinstance(value, Trouble) and value.whole), None)


def _one(sides: Sides, key: str, refused: Trouble | None, hint: Seen | None, found: Found, there: Found) -> Entry:
    if refused is not None:
        return Entry("failed", trouble=refused)
    name, to = sides.names(key)
    source = hint or found[name]
    if source is None:
        assert sides.source is not None  # noqa: S101 - it was asked
        cause = f"{sides.source.where}: there is no object of this name"
        return Entry("failed", trouble=Trouble("NoSuchKey", cause))
    if isinstance(source, Trouble):
        return Entry("copy") if source.transient else Entry("failed", trouble=source)
    at_destination = there.get(to)
    if isinstance(at_destination, Trouble):  # the copy will tell what is wrong, if anything
        at_destination = None
    return Entry("ignored" if ignored(sides.rules.overwrite, source, at_destination) else "copy", source.size)
