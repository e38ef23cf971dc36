"""A batch: some keys, decided once, copied, and remembered before anybody is told.

```text
decided (journal) → copied → done (journal) → lists, written once, whole → the attempt's end
```

An attempt that finds the journal goes on where the last one ended. What was decided to be copied counts as synced,
however many attempts it took. From the moment a batch is done, it is told whole: a cancel comes too late for it.
Refuses to know which operation asks, and what is counted elsewhere.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.executor.fault import Fault
from services.executor.operations.contract import Cancelled, Context
from services.executor.sync import leftovers, lists
from services.executor.sync.crew import Crew, Todo, moment
from services.executor.sync.decide import Entry, decide, ignored
from services.executor.sync.journal import load, save
from services.executor.sync.sides import Sides
from services.executor.sync.survey import Seen, survey
from shared.messages.object_lists import Which
from shared.runtime.clock import now
from shared.runtime.failpoint import hit

TOLD: Final = 10
"""How many failures of a batch stand in the log."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do. `journal`: the name it is remembered by; `stem`: what its lists are called.

    `hints`: objects of the source that are known; `given`: keys whose failure is known and final.
    """

    journal: str
    stem: str
    keys: Sequence[str]
    hints: Mapping[str, Seen] = field(default_factory=dict)
    given: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a batch. `reference`: where that is kept."""

    stem: str
    entries: Mapping[str, Entry]
    reference: dict[str, Any]

    def of(self, what: str) -> dict[str, Entry]:
        """Return the keys that ended so."""
        return {key: entry for key, entry in self.entries.items() if entry.what == what}

    @property
    def bytes(self) -> int:
        """The bytes of what was synced."""
        return sum(entry.size for entry in self.of("synced").values())

    def lines(self, what: str) -> list[str]:
        """Return the lines of the list of the synced or of the ignored."""
        return [lists.object_line(entry.at, key, entry.size) for key, entry in self.of(what).items()]


async def perform(ctx: Context, sides: Sides, job: Job) -> Done:
    """Do it, or what is left of it. Raises a fault, `Cancelled` before it is done."""
    kept = await load(ctx, job.journal)
    if kept is not None and kept["done"]:
        reference = await ctx.results.find(job.journal)
        return Done(kept["stem"], _entries(kept), reference or {})
    if kept is None:
        entries = await _decided(ctx, sides, job)
    else:
        job = Job(job.journal, kept["stem"], job.keys, job.hints, job.given)
        entries = _entries(kept)
        await _recognise(sides, entries)
        await asyncio.to_thread(_tidy, sides, entries, float(kept["since"]))
    await _copied(ctx, sides, entries)
    reference = await _remember(ctx, job, entries, done=True)
    hit("sync.done")
    return Done(job.stem, entries, reference)


async def _decided(ctx: Context, sides: Sides, job: Job) -> dict[str, Entry]:
    keys = [key for key in job.keys if key not in job.given]
    decisions = dict(zip(keys, await ctx.unless_cancelled(decide(sides, keys, job.hints)), strict=True))
    at = moment()
    found = {key: job.given.get(key) or decisions[key] for key in job.keys}
    entries = {key: Entry(one.what, one.size, one.at or at, one.trouble) for key, one in found.items()}
    hit("sync.surveyed")
    if any(one.what == "copy" for one in entries.values()):
        await _remember(ctx, job, entries, done=False)
        hit("sync.decided")
    return entries


async def _recognise(sides: Sides, entries: dict[str, Entry]) -> None:
    """Count as synced, without another copy, the large objects that an earlier attempt brought over whole."""
    source = sides.source
    if source is None or sides.rules.overwrite == "always":
        return
    keys = [key for key, one in entries.items() if one.what == "copy" and one.size > sides.destination.part]
    if not keys:
        return
    from_there = await survey(source, [sides.names(key)[0] for key in keys])
    there = await survey(sides.destination, [sides.names(key)[1] for key in keys])
    for key in keys:
        name, to = sides.names(key)
        old, new = from_there[name], there[to]
        if isinstance(old, Seen) and isinstance(new, Seen) and old.size == new.size and ignored("newer", old, new):
            entries[key] = Entry("synced", new.size, moment())


def _tidy(sides: Sides, entries: Mapping[str, Entry], since: float) -> None:
    """Remove what an attempt that was killed left half-written."""
    if sides.source is not None:
        names = (sides.names(key) for key, one in entries.items() if one.what in {"copy", "synced"})
        leftovers.remove(sides.source, sides.destination, names, since)


async def _copied(ctx: Context, sides: Sides, entries: dict[str, Entry]) -> None:
    todo = [Todo(key, one.size) for key, one in entries.items() if one.what == "copy"]
    total, left = len(todo), len(todo)

    def report(key: str, entry: Entry) -> None:
        nonlocal left
        entries[key] = entry
        left -= 1
        if left % 50 == 0:
            ctx.progress(1 - left / total, f"{total - left} of {total} copied")

    if todo and sides.source is not None:
        await Crew(ctx, sides, sides.source, report).copy(todo)
    elif todo:
        at = moment()
        entries.update({one.key: Entry("failed", one.size, at, sides.broken) for one in todo})
    if ctx.cancelled.is_set() and any(one.what == "copy" for one in entries.values()):
        raise Cancelled


async def _remember(ctx: Context, job: Job, entries: Mapping[str, Entry], *, done: bool) -> dict[str, Any]:
    rows = [[key, entry.row()] for key, entry in entries.items()]
    return await save(ctx, job.journal, {"done": done, "stem": job.stem, "since": now().timestamp(), "entries": rows})


def _entries(kept: Any) -> dict[str, Entry]:
    return {key: Entry.of(row) for key, row in kept["entries"]}


def entries_of(kept: Any) -> dict[str, Entry]:
    """Return what a journal that was fetched holds."""
    return _entries(kept)


async def tell(sides: Sides, done: Done, *, requests: bool = False, failures: bool = False) -> dict[str, str]:
    """Write the lists of the synced and the ignored, and those asked for. Returns where they are; raises a fault."""
    wanted: list[tuple[Which, list[str]]] = [("synced", done.lines("synced")), ("ignored", done.lines("ignored"))]
    if failures:
        failed = done.of("failed")
        wanted += [("failed", _failures(failed, whole=False)), ("not_begun", _failures(failed, whole=True))]
    if requests:
        wanted.insert(0, ("requested", [lists.plain(key) for key in done.entries]))
    try:
        written = await lists.write(sides.destination, sides.task, done.stem, wanted)
    except Fault as fault:
        fault.detail["done"] = {
            "synced": len(done.of("synced")),
            "bytes": done.bytes,
            "ignored": len(done.of("ignored")),
            "unsettled": len(done.of("failed")),
        }
        fault.detail["sync"] = sync()
        raise
    return {str(which): path for which, path in written.items()}


def _failures(failed: Mapping[str, Entry], *, whole: bool) -> list[str]:
    return [
        lists.failure_line(entry.trouble.cause, entry.at, key, entry.trouble.code)
        for key, entry in failed.items()
        if entry.trouble is not None and entry.trouble.whole == whole
    ]


def say(ctx: Context, done: Done) -> None:
    """Log what became of a batch."""
    failed = done.of("failed")
    for key, entry in list(failed.items())[:TOLD]:
        cause = entry.trouble.cause if entry.trouble else ""
        said = f"{lists.plain(key)[:300]}: {lists.plain(cause)}"
        ctx.log.warning(said)
    said = f"{len(done.entries)} objects: {len(done.of('synced'))} synced ({done.bytes} bytes), "
    said += f"{len(done.of('ignored'))} ignored, {len(failed)} not synced"
    ctx.log.info(said)


def sync(*, requested: int = 0, synced: int = 0, failed: int = 0, ignored: int = 0, size: int = 0) -> dict[str, Any]:
    """Return what a settle adds to the counts of the standing task."""
    return {
        "requested": requested,
        "synced": synced,
        "failed": failed,
        "ignored": ignored,
        "bytes": size,
        "at": moment(),
    }
