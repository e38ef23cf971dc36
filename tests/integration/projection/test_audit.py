"""The audit as a fold of the log: who commanded what, the same after every rebuild, and chains that hold."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.api.projection.audit_reads import AuditFilter, AuditReads, AuditRow
from services.api.projection.audit_verify import verify_chains
from services.api.projection.rebuild import rebuild
from services.api.projection.verify import verify
from shared.log.port import Note
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.refusals import IllegalState
from tests.integration.projection.world import World, running

ANA, BOB = By(kind="user", name="ana", via="rest"), By(kind="user", name="bob", via="bus")


async def command(world: World, task_id: int, wanted: cmd.Command, word: str, by: By, reason: str | None) -> None:
    """Commit a command as the API does, refused or not."""
    note = Note(commit_id(), now(), by, reason, command=word)
    try:
        done = await world.log.transact(task_id, lambda task: decide(task, wanted), note)
    except IllegalState:
        world.last = await world.log.last(task_id)
    else:
        world.last = done.seq


async def acted(world: World) -> None:
    """Two tasks of two teams, commanded by two people; executors' commits in between."""
    await world.create(1, labels={"team": "red"})
    await world.fail(2)
    await command(world, 2, cmd.RetryTask(now()), "retry", BOB, "Once MORE")
    await command(world, 2, cmd.RetryTask(now()), "retry", BOB, None)
    await command(world, 1, cmd.CancelTask(now()), "cancel", ANA, "stop it")
    copied = (await world.log.history(1))[-1]
    await world.raw("tasks.1", copied.body)
    await world.seen()


def told(rows: list[AuditRow]) -> list[tuple[int, str, str, str]]:
    """What a page says, in short."""
    return [(row.task_id, row.command, row.actor_name, row.outcome) for row in rows]


EVERYTHING = [
    (1, "cancel", "ana", "accepted"),
    (2, "retry", "bob", "refused"),
    (2, "retry", "bob", "accepted"),
    (2, "create", "ana", "accepted"),
    (1, "create", "ana", "accepted"),
]


async def test_one_row_a_decision_of_people_and_none_of_executors_or_copies(world: World) -> None:
    """Created, retried, refused, cancelled; claims, reports and a copied commit leave nothing."""
    async with running(world.projector()):
        await acted(world)
    rows = await AuditReads(world.engine).page(AuditFilter(), size=100)

    assert told(rows) == EVERYTHING
    refusal = rows[1]
    assert (refusal.code, refusal.via, refusal.reason, refusal.task_name) == (4007, "bus", None, "Task 2")
    assert "not allowed" in (refusal.message or "")
    assert [row.team for row in rows if row.task_id == 1] == ["red", "red"]
    await world.verified()


@pytest.mark.parametrize(
    ("where", "places"),
    [
        (AuditFilter(names=("bob",)), [1, 2]),
        (AuditFilter(commands=("create", "cancel")), [0, 3, 4]),
        (AuditFilter(task=2), [1, 2, 3]),
        (AuditFilter(outcomes=("refused",)), [1]),
        (AuditFilter(vias=("bus",), outcomes=("accepted",)), [2]),
        (AuditFilter(text="once more"), [2]),
        (AuditFilter(text="NOT ALLOWED"), [1]),
        (AuditFilter(text="%"), []),
        (AuditFilter(teams=frozenset({"red"})), [0, 4]),
        (AuditFilter(teams=frozenset()), []),
        (AuditFilter(since=now() + timedelta(days=1)), []),
        (AuditFilter(before=now() + timedelta(days=1), names=("ana",)), [0, 3, 4]),
    ],
)
async def test_filters_leave_what_is_asked_for(world: World, where: AuditFilter, places: list[int]) -> None:
    """Each one alone and together, the newest first."""
    async with running(world.projector()):
        await acted(world)
    assert told(await AuditReads(world.engine).page(where, size=100)) == [EVERYTHING[place] for place in places]


async def test_pages_follow_one_another_without_a_gap(world: World) -> None:
    """Each begins behind the last row of the one before."""
    async with running(world.projector()):
        await acted(world)
    reads, found, after = AuditReads(world.engine), [], None
    while page := await reads.page(AuditFilter(), size=2, after=after):
        found += page
        after = page[-1].cursor
    assert told(found) == EVERYTHING


@pytest.mark.parametrize(
    ("damage", "task_id", "says"),
    [
        ("DELETE FROM audit WHERE command = 'cancel'", 1, "audits: log 2, rows 1"),
        ("UPDATE audit SET actor_name = 'eve' WHERE outcome = 'refused'", 2, "actor_name: log 'bob', row 'eve'"),
        ("UPDATE audit SET task_id = 9 WHERE command = 'cancel'", 9, "has rows in the audit, but no task"),
    ],
)
async def test_verify_finds_a_doctored_audit(world: World, damage: str, task_id: int, says: str) -> None:
    """A row taken out, changed or moved; a rebuild mends it."""
    async with running(world.projector()):
        await acted(world)
    async with world.engine.begin() as connection:
        await connection.execute(text(damage))

    found = await verify(world.storage, world.engine)

    assert says in {difference.task_id: difference.what for difference in found.differences}[task_id]
    await rebuild(world.storage, world.engine)
    await world.verified()
    assert told(await AuditReads(world.engine).page(AuditFilter(), size=100)) == EVERYTHING


async def test_the_chains_of_a_whole_log_hold_until_one_commit_was_touched(world: World) -> None:
    """Every task is followed; a commit put in, one the log has lost, and an unknown task are named by sequence."""
    async with running(world.projector()):
        for task_id in range(1, 8):
            await world.finish(task_id)
        await world.seen()
        whole = await verify_chains(world.storage, world.engine)
        assert (whole.tasks, whole.links, whole.commits) == (7, 0, world.last)

        stray = await world.raw("tasks.3", (await world.log.history(4))[1].body)
        poison = await world.raw("tasks.77", b"nonsense")
        await world.seen()

    found = await verify_chains(world.storage, world.engine)
    assert [(task_id, broken.seq) for task_id, broken in found.broken] == [(3, stray), (77, poison)]
    async with world.engine.begin() as connection:
        await connection.execute(text("UPDATE tasks SET head = 'another' WHERE id = 5"))
    found = await verify_chains(world.storage, world.engine)
    assert {task_id for task_id, _ in found.broken} == {3, 5, 77}
    assert found.links == len(found.broken)
