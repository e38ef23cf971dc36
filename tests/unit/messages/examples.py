"""One example of every event and a full commit; the golden files beside this module hold their bytes for ever.

A new event type: add its example here and run `python -m tests.unit.messages.examples`, which writes what is missing
and never touches a file that is there. A golden file that no longer fits is a broken promise, not an old file.
"""

from datetime import UTC, datetime
from pathlib import Path

from shared.messages.codec import encode
from shared.messages.commit import By, Commit, Decision, RefusalNote
from shared.task import events as ev
from shared.task.plan import PlannedSubtask, RetryPolicy, UndoPlan

GOLDEN = Path(__file__).with_name("golden") / "v1"

OOPS = ev.Problem(kind="EXIT_CODE", message="exit code 1: späte Störung ⚠", detail={"code": 1, "signal": None})
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EVENTS: tuple[ev.TaskEvent, ...] = (
    ev.TaskCreated(
        name="Inspect host-7",
        task_type="host.inspect",
        type_version=2,
        params={"host": "host-7", "deep": True, "skip": None, "limit": 1.5, "tags": ["a", "b"]},
        object=ev.ObjectRef(kind="host", id="7", name="host-7"),
        labels={"team": "db"},
        parent=41,
        pool="default",
        plan_ref=ev.PlanRef(object="plans/42", sha256="ab" * 32, bytes=1_048_576),
    ),
    ev.TaskPlanned(
        plan_id="p1",
        part=2,
        parts=3,
        concurrency=10,
        prohibit_rollback=True,
        subtasks=(
            PlannedSubtask(
                key="prepare",
                name="Prepare",
                operation="noop",
                timeout_s=60.0,
                pool="default",
                delivery="at_least_once",
            ),
            PlannedSubtask(
                key="run",
                name="Run it",
                description="runs it",
                operation="command.run",
                params={"argv": ["true"]},
                upstreams=(1,),
                timeout_s=0.5,
                pool="db",
                delivery="at_most_once",
                retry=RetryPolicy(times=3, delay_seconds=2.5),
                can_retry=False,
                can_skip=False,
                can_cancel=False,
                own_undo=True,
                undo=UndoPlan(operation="command.run", params={"argv": ["false"]}),
                prohibit_rollback=True,
            ),
        ),
    ),
    ev.TaskPlanFailed(problem=OOPS),
    ev.SubtaskStarted(
        subtask=1,
        generation=2,
        attempt=3,
        phase="undo",
        executor="executor-1",
        incarnation="0199-e1",
        item=ev.Item(stamp="c0ffee", seq=12),
    ),
    ev.SubtaskSucceeded(
        subtask=1,
        fence=17,
        output={"rows": 3, "note": None},
        output_ref={"object": "42/1", "bytes": 9, "sha256": "cd" * 32},
    ),
    ev.SubtaskUndone(subtask=1, fence=17),
    ev.SubtaskFailed(subtask=1, fence=17, problem=OOPS),
    ev.SubtaskRetryScheduled(subtask=1, fence=17, problem=OOPS, retry_at=1767323045.5),
    ev.SubtaskCancelled(subtask=1, fence=17),
    ev.SubtaskLost(subtask=1, fence=17),
    ev.SubtaskReleased(subtask=1, fence=17),
    ev.TaskRetried(turn=1),
    ev.TaskSkipped(turn=2),
    ev.TaskCancelRequested(turn=3),
    ev.TaskRollbackRequested(turn=4),
    ev.TaskDeleted(turn=5),
    ev.SubtaskRetried(turn=6, subtask=1),
    ev.SubtaskSkipped(turn=7, subtask=1),
    ev.SubtaskCancelRequested(turn=8, subtask=1),
    ev.TaskFinished(state="CANCELLED", operation="ROLLBACK"),
)

VARIANTS = {
    "task.created.standing": ev.TaskCreated(name="Sync", task_type="object.sync", pool="default", standing=True)
}
"""Events whose fields came later than their golden file."""

COMMIT = Commit(
    task=42,
    prev="ef" * 32,
    decisions=(
        Decision(
            id="0199aaaa-0000-7000-8000-000000000001",
            at=AT,
            by=By(kind="user", name="admin", via="rest"),
            reason="again, please",
            key="k" * 64,
            body_hash="b" * 64,
            events=(EVENTS[11], EVENTS[3]),
        ),
        Decision(
            id="0199aaaa-0000-7000-8000-000000000002",
            at=AT,
            by=By(kind="executor", name="executor-1"),
            events=(EVENTS[4], EVENTS[19]),
        ),
        Decision(
            id="0199aaaa-0000-7000-8000-000000000003",
            at=AT,
            by=By(kind="user", name="guest", via="bus"),
            outcome="refused",
            refusal=RefusalNote(
                command="retry", kind="illegal_state", code=4007, message="no", target={"state": "RUNNING"}
            ),
        ),
    ),
)


def wire(event: ev.TaskEvent) -> bytes:
    """An event as it stands inside a commit."""
    return event.__pydantic_serializer__.to_json(event, exclude_none=True)


def examples() -> dict[str, bytes]:
    """Every golden file's name with the bytes that today's program writes."""
    variants = {f"{name}.json": wire(event) for name, event in VARIANTS.items()}
    return {**{f"{event.type}.json": wire(event) for event in EVENTS}, **variants, "commit.json": encode(COMMIT)}


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, body in examples().items():
        path = GOLDEN / name
        if not path.exists():
            path.write_bytes(body + b"\n")
