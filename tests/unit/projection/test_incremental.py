"""Writing only what a batch changed leaves the same rows as writing everything (I2, I13)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.projection.fold import Batch
from services.api.projection.project import label_rows, row_of, subtask_row
from services.api.projection.tables import SUBTASK_CHANGING, TASK_CHANGING, subtasks, tasks
from services.api.projection.text import utc
from services.api.projection.write import rows_of
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item, Problem
from shared.task.evolve import seal
from shared.task.plan import Abilities, OperationCard, Plan, RetryPolicy, SubtaskPlan, freeze
from shared.task.refusals import Refusal
from shared.task.state import Actor, SubtaskStatus, Task

CARD = OperationCard(name="noop", abilities=Abilities(undo=True))
DIAMOND = freeze(
    Plan(
        subtasks=[
            SubtaskPlan(key="a", operation="noop"),
            SubtaskPlan(key="b", operation="noop", upstreams=["a"], retry=RetryPolicy(times=1)),
            SubtaskPlan(key="c", operation="noop", upstreams=["a"]),
            SubtaskPlan(key="d", operation="noop", upstreams=["b", "c"]),
            SubtaskPlan(key="e", operation="noop"),
        ],
        concurrency=2,
    ),
    {"noop": CARD},
)
ANA = Actor("user", "ana", "rest")
WHO = cmd.Claimant("i", "e", Item(stamp="w", seq=1))
PROBLEM = Problem(kind="K", message="m")


class Rows:
    """A database of dictionaries."""

    def __init__(self) -> None:
        self.tasks: dict[int, dict[str, Any]] = {}
        self.subtasks: dict[int, dict[str, Any]] = {}
        self.labels: list[tuple[Any, ...]] = []
        self.counts: dict[str, int] = {}

    def write(self, before: Task | None, after: Task) -> None:
        """Apply one batch as the writers do."""
        rows = rows_of(Batch(before={1: before}, after={1: after}), utc)
        for row in rows.new_tasks:
            self.tasks[row[0]] = dict(zip(tasks.columns.keys(), row, strict=True))
        for row in rows.tasks:
            self.tasks[row[-1]].update(zip(TASK_CHANGING, row[:-1], strict=True))
        for row in rows.new_subtasks:
            self.subtasks[row[1]] = dict(zip(subtasks.columns.keys(), row, strict=True))
        for row in rows.subtasks:
            self.subtasks[row[-1]].update(zip(SUBTASK_CHANGING, row[:-2], strict=True))
        self.labels += rows.labels
        for state, step in rows.counts:
            self.counts[state] = self.counts.get(state, 0) + step


def command(task: Task, choice: int, number: int) -> cmd.Command:
    """One of everything that may happen to a task."""
    at = now()
    claim = task.subtasks[number - 1].claim if task.subtasks else None
    fence = claim.fence if claim is not None else 0
    outcomes = (cmd.Succeeded(7), cmd.Undone(), cmd.Failed(PROBLEM), cmd.Cancelled(), cmd.Released())
    commands: tuple[cmd.Command, ...] = (
        cmd.Claim(number, WHO, at),
        cmd.Claim(number, WHO, at, owner_gone=fence),
        *(cmd.Settle(number, fence, outcome, at) for outcome in outcomes),
        cmd.Settle(number, fence, outcomes[0], at),
        cmd.RetryTask(at),
        cmd.SkipTask(at),
        cmd.CancelTask(at),
        cmd.RollBackTask(at),
        cmd.DeleteTask(at),
        cmd.RetrySubtask(at, number=number),
        cmd.SkipSubtask(at, number=number),
        cmd.CancelSubtask(at, number=number),
        cmd.RecordPlan("p", DIAMOND, at, concurrency=2),
        cmd.FailPlan(PROBLEM, at),
    )
    return commands[choice % len(commands)]


@settings(max_examples=150, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 17), st.integers(1, len(DIAMOND)), st.booleans()), max_size=60),
)
def test_changed_rows_add_up_to_whole_rows(planned: bool, steps: list[tuple[int, int, bool]]) -> None:
    """Whatever happens to a task, in batches of any size, the rows are those of the fold."""
    rows = Rows()
    create = cmd.CreateTask(1, "N", "plan", ANA, now(), labels={"a": "b"}, subtasks=DIAMOND if planned else ())
    before: Task | None = None
    draft = decide(None, create).task
    seal(draft, 1, "1", changed=True)
    for seq, (choice, number, cut) in enumerate(steps, start=2):
        try:
            verdict = decide(draft, command(draft, choice, number))
        except Refusal:
            continue
        changed = draft.changed | verdict.task.changed
        draft = verdict.task
        seal(draft, seq, str(seq), changed=True)
        draft.changed = changed | draft.changed
        if cut:
            rows.write(before, draft)
            before = draft
            draft = before.draft()
    rows.write(before, draft)

    assert rows.tasks[1] == row_of(draft)
    assert [rows.subtasks[n + 1] for n in range(len(draft.subtasks))] == [subtask_row(draft, s) for s in draft.subtasks]
    assert rows.labels == label_rows(draft)
    assert sum(rows.counts.values()) == (not draft.deleted)
    assert {status: rows.tasks[1][status.value.lower()] for status in SubtaskStatus} == draft.counts
