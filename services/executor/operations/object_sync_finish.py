"""`object.sync.finish`: what batches or lanes could not sync is tried once more; what fails again is listed, and told.

It works in rounds. The first takes what its upstreams left; each retry by hand is another round over what failed in the
last one. A round is over when its lists are written; only what it newly adds is counted, so an object stands in the
failed lists once, however often it fails. Refuses to know how objects are copied.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.sync.batch import Done, Job, entries_of, perform, say, sync, tell
from services.executor.sync.decide import Entry
from services.executor.sync.journal import fetch, load, save
from services.executor.sync.lists import plain
from services.executor.sync.params import Rules
from services.executor.sync.sides import Sides, open_sides
from shared.runtime.failpoint import hit

SAMPLE = 20
"""How many failed objects stand in the problem."""


class ObjectSyncFinishParams(Params):
    """`of`: the parameters of the standing task."""

    of: Rules


class ObjectSyncFinish(Operation[ObjectSyncFinishParams]):
    """Tries once more what was left, and fails when something stays."""

    name: ClassVar[str] = "object.sync.finish"
    timeout: ClassVar[timedelta] = timedelta(days=30)
    prohibit_rollback: ClassVar[bool] = True

    async def execute(self, ctx: Context, params: ObjectSyncFinishParams) -> dict[str, Any]:
        """Return the counts; raises `PermanentFault` with them when objects stay unsynced."""
        left = [ref for output in ctx.upstreams.values() for ref in await _journals(ctx, output)]
        if not left:
            ctx.log.info("Nothing was left to do.")
            return {"sync": sync(), "failed": 0}
        sides = await open_sides(ctx, params.of)
        name = f"sync/{ctx.task_id}-{ctx.subtask}/round"
        over = await load(ctx, name) or {"round": 0, "generation": 0}
        again = over["generation"] == ctx.generation
        number = over["round"] if again else over["round"] + 1
        tally = _Tally(first=number == 1)
        for place, reference in enumerate(left, start=1):
            done = await _chunk(ctx, sides, reference, place, number)
            if done is not None:
                tally.add(done, await tell(sides, done, failures=number == 1))
                say(ctx, done)
            ctx.progress(place / len(left), f"{place} of {len(left)} batches")
        await save(ctx, name, {"round": number, "generation": ctx.generation})
        hit("sync.round")
        return tally.end()


async def _journals(ctx: Context, output: Any) -> list[dict[str, Any]]:
    """Return the journals of an upstream's batches that left something; a skipped upstream left nothing."""
    if not isinstance(output, Mapping):
        return []
    found = list(output.get("journals", []))
    for reference in output.get("unsettled_in", []):
        found += await fetch(ctx, reference)
    return found


async def _chunk(ctx: Context, sides: Sides, reference: dict[str, Any], place: int, number: int) -> Done | None:
    """Try what one batch left, or what the last round left of it; None when nothing is."""
    base = f"sync/{ctx.task_id}-{ctx.subtask}/{place:05}"
    before = await fetch(ctx, reference) if number == 1 else await load(ctx, f"{base}-{number - 1}")
    failed = {key: entry for key, entry in entries_of(before).items() if entry.what == "failed"} if before else {}
    if not failed:
        return None
    final = {key: entry for key, entry in failed.items() if entry.trouble is not None and entry.trouble.final}
    stem = f"{ctx.task_id}-{ctx.subtask}-{number}-{place:05}"
    return await perform(ctx, sides, Job(f"{base}-{number}", stem, list(failed), given=final))


class _Tally:
    """What a round came to."""

    def __init__(self, *, first: bool) -> None:
        self._first = first
        self._counts: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self._failed: dict[str, Entry] = {}
        self._lists: list[str] = []

    def add(self, done: Done, lists: Mapping[str, str]) -> None:
        """Take what became of one batch."""
        failed = done.of("failed")
        self._counts.update(synced=len(done.of("synced")), ignored=len(done.of("ignored")), size=done.bytes)
        self._counts["failed"] += len(failed)
        self._causes.update(entry.trouble.code for entry in failed.values() if entry.trouble is not None)
        for key in list(failed)[: SAMPLE - len(self._failed)]:
            self._failed[key] = failed[key]
        self._lists += list(lists.values())[: SAMPLE - len(self._lists)]

    def end(self) -> dict[str, Any]:
        """Return the output, or raise the fault that carries it."""
        counts, failed = self._counts, self._counts["failed"]
        told = sync(
            synced=counts["synced"],
            ignored=counts["ignored"],
            size=counts["size"],
            failed=failed if self._first else 0,
        )
        found = {"sync": told, "failed": failed, "lists": self._lists}
        if not failed:
            return found
        sample = [{"key": plain(key)[:300], "cause": _cause(entry)} for key, entry in self._failed.items()]
        causes = dict(self._causes.most_common(SAMPLE))
        first = f"'{sample[0]['key'][:100]}': {sample[0]['cause']}" if sample else ""
        message = f"{failed} object{'s' if failed > 1 else ''} could not be synced; the first is {first}. "
        message += "They stand in failed_object_lists; mend the causes and retry this subtask."
        raise PermanentFault(message, {"kind": "OBJECTS_FAILED", **found, "causes": causes, "sample": sample})


def _cause(entry: Entry) -> str:
    return plain(entry.trouble.cause)[:300] if entry.trouble is not None else ""
