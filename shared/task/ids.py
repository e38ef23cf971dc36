"""Ids of tasks and subtasks, and the token an operation hands to its target. Knows nothing of who allots them."""

MAX_TASK_ID = 2**53 // 10_000 - 1
"""The largest task id: all its subtask ids still survive JavaScript's numbers."""

SUBTASKS_PER_TASK = 10_000
"""Room for subtask numbers within one task's id; a plan has at most 5,000."""


def subtask_id(task_id: int, number: int) -> int:
    """Return the id that clients see for subtask `number` (1 to 5,000) of a task."""
    return task_id * SUBTASKS_PER_TASK + number


def split_subtask_id(value: int) -> tuple[int, int]:
    """Return (task id, number) of a subtask id."""
    return divmod(value, SUBTASKS_PER_TASK)


def task_token(task_id: int, number: int, generation: int) -> str:
    """Return TASK_TOKEN: the same on every automatic re-run, new after an operator's retry or rollback (I9)."""
    return f"{task_id}/{number}/{generation}"
