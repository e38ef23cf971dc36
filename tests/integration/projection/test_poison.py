"""Poison: what cannot be read is set aside with its reason, blocks nobody and never vanishes (P10, F17)."""

import json
from typing import Any

import pytest

from services.api.projection import fold, replay
from services.api.projection.checkpoint import Checkpoint
from services.api.projection.write import Unwritable
from shared.log.fold import apply
from shared.messages.commit import VERSION, Commit
from shared.messages.headers import EXPECTED
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.state import Task, TaskState
from tests.integration.projection.world import World, running, subject

AT = "2026-01-01T00:00:00Z"


def commit(task_id: int, *events: dict[str, Any], at: str = AT, prev: str = "", **more: Any) -> bytes:
    """A commit body as another program might write it."""
    decision = {"id": "d", "at": at, "by": {"kind": "user", "name": "eve"}, "events": events}
    return json.dumps({"v": 1, "task": task_id, "prev": prev, "decisions": [decision], **more}).encode()


def created(**more: Any) -> dict[str, Any]:
    """The event that begins a task."""
    return {"type": "task.created", "name": "Raw", "task_type": "plan", "pool": "default", **more}


KINDS = [
    ("tasks.2", b"{", "bad_json"),
    ("tasks.2", b"", "bad_json"),
    ("tasks.2", b"\xff\xfe", "bad_json"),
    ("tasks.2", b"[]", "bad_json"),
    ("tasks.2", b"[" * 100_000, "bad_json"),
    ("tasks.2", b'{"v": 1}', "bad_commit"),
    ("tasks.2", commit(2, v=VERSION + 1), "newer_version"),
    ("tasks.2", commit(3, created()), "wrong_subject"),
    ("tasks.two", commit(2, created()), "wrong_subject"),
    ("tasks.002", commit(2, created()), "wrong_subject"),
    ("tasks.99999999999999999999", commit(2, created()), "wrong_subject"),
]


@pytest.mark.parametrize(("place", "body", "reason"), KINDS, ids=[f"{k[2]}-{n}" for n, k in enumerate(KINDS)])
async def test_what_cannot_be_read_is_set_aside(world: World, place: str, body: bytes, reason: str) -> None:
    """It is listed with its position and reason, and the tasks before and after it are projected."""
    projector = world.projector()
    async with running(projector):
        await world.finish(1)
        seq = await world.raw(place, body)
        await world.finish(4)
        await world.seen()

    [found] = await world.reads.set_aside()
    assert (found.seq, found.subject, found.reason, found.bytes) == (seq, place, reason, len(body))
    assert found.message
    assert projector.set_aside == 1
    assert (await world.reads.tasks()).total == 2
    await world.verified()


async def test_poison_on_a_live_task_counts_as_ignored_and_changes_nothing_else(world: World) -> None:
    """The task's fold passes over it exactly as the log's own fold does."""
    async with running(world.projector(batch=2)):
        await world.create(1)
        await world.raw(subject(1), b"nonsense")
        await world.step(1, 1)
        await world.raw(subject(1), b"nonsense")
        await world.step(1, 2)
        await world.seen()

    task = await world.log.load(1, fresh=True)
    found = await world.reads.task(1)
    assert task is not None
    assert found is not None
    assert (found.task.ignored, found.task.version, found.task.seq) == (2, task.version, task.seq)
    await world.verified()


async def test_unknown_events_are_skipped_and_counted_not_set_aside(world: World) -> None:
    """A newer program's event type is nobody's poison."""
    async with running(world.projector()):
        await world.raw("tasks.2", commit(2, created(), {"type": "task.praised", "loudly": True}))
        await world.seen()

    found = await world.reads.task(2)
    assert found is not None
    assert found.task.ignored == 1
    assert await world.reads.set_aside() == []
    await world.verified()


async def test_a_copy_of_a_commit_changes_nothing(world: World) -> None:
    """The same bytes again, under another id, do not name the task's head: they are passed over (F9, I3)."""
    async with running(world.projector()):
        await world.create(1)
        first = (await world.storage.read(1))[0].body
        await world.step(1, 1)
        await world.raw(subject(1), first)
        await world.step(1, 2)
        await world.seen()

    found = await world.reads.task(1)
    assert found is not None
    assert (found.task.successful, found.task.ignored) == (2, 1)
    await world.verified()


async def test_values_that_a_database_refuses_are_made_fit(world: World) -> None:
    """NUL, huge numbers, infinity, endless texts, odd times: the row comes, the log keeps the original."""
    wild = created(
        name="n\0" * 5000,
        task_type="t" * 5000,
        parent=10**30,
        type_version=-(10**30),
        object={"kind": "k\0" * 900, "id": "i" * 9000, "name": "ü" * 9000},
        labels={"a" * 400 + "1": "x", "a" * 400 + "2": "y", "nul\0": "\0"},
        params={"nul": "\0", "deep": {"infinite": float("inf"), "none": float("nan"), "huge": 10**40}},
    )
    plan = {
        "type": "task.planned",
        "plan_id": "p",
        "concurrency": 10**25,
        "subtasks": [
            {
                "key": "k\0",
                "name": "s\0",
                "operation": "noop",
                "timeout_s": float("inf"),
                "pool": "default",
                "delivery": "at_least_once",
            }
        ],
    }
    async with running(world.projector()):
        await world.raw("tasks.2", commit(2, wild, plan, at="0001-01-01T00:00:00+14:00"))
        await world.finish(3)
        await world.seen()

    found = await world.reads.task(2)
    assert found is not None
    assert await world.reads.set_aside() == []
    assert found.task.params == {"nul": "\0", "deep": {"infinite": None, "none": None, "huge": 10**40}}
    await world.verified()


async def test_a_commit_that_breaks_the_fold_is_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in folding one commit is noted; the task goes on without it, and so does everybody else."""

    def broken(task: Task | None, commit: Commit, seq: int, head: str) -> Task | None:
        if commit.task == 2 and any(
            event.type == "task.cancel_requested" for d in commit.decisions for event in d.events
        ):
            raise ZeroDivisionError("a fault of ours")
        return apply(task, commit, seq, head)

    monkeypatch.setattr(replay, "apply", broken)
    async with running(world.projector()):
        await world.finish(1)
        await world.create(2)
        await world.decide(2, cmd.CancelTask(now()))
        cursed = world.last
        await world.finish(3)
        await world.seen()

    [aside] = await world.reads.set_aside()
    assert (aside.seq, aside.reason, aside.message) == (cursed, "unfoldable", "ZeroDivisionError: a fault of ours")
    found = await world.reads.task(2)
    assert found is not None
    assert (found.task.state, found.task.ignored, found.task.seq) == (TaskState.READY, 1, cursed)
    assert (await world.reads.counts())[TaskState.SUCCESSFUL] == 2
    await world.verified()


async def test_a_commit_that_the_database_refuses_is_set_aside_alone(world: World) -> None:
    """The batch it came in is cut until it stands alone; what came with it is written."""
    for task_id in range(1, 6):
        await world.create(task_id)
    projector = world.projector()
    write = projector._writer.write

    async def refuse(batch: fold.Batch, before: Checkpoint | None, after: Checkpoint) -> None:
        if 3 in batch.after:
            raise Unwritable("no")
        await write(batch, before, after)

    projector._writer.write = refuse  # type: ignore[method-assign]
    async with running(projector):
        await world.seen()

    [aside] = await world.reads.set_aside()
    assert (aside.seq, aside.subject, aside.reason) == (3, subject(3), "unwritable")
    assert [task.id for task in (await world.reads.tasks(descending=False)).contents] == [1, 2, 4, 5]


async def test_a_body_at_the_servers_limit_is_projected(world: World) -> None:
    """A commit larger than ours ever are is a commit all the same."""
    body = commit(2, created(params={"fill": "x" * 250_000}))
    async with running(world.projector()):
        await world.raw("tasks.2", body, **{EXPECTED: "0"})
        await world.finish(1)
        await world.seen()

    found = await world.reads.task(2)
    assert found is not None
    assert len(found.task.params["fill"]) == 250_000
    await world.verified()
