"""From the state of a task to the items that should be queued."""

import pytest

from shared.queue.dispatch import due, plan_item, stuck
from shared.queue.work_item import WorkItem, parse
from shared.task import commands as cmd
from tests.unit.task.given import OOPS, START, Story, node


def test_what_is_ready_is_due() -> None:
    """One item each, for the attempt to come, as new as the state it was made from."""
    story = Story.of(node("a"), node("b", 1), node("c"))
    assert due(story.now) == [WorkItem("default", 7, 1, 1, 1, 1), WorkItem("default", 7, 3, 1, 1, 1)]
    assert due(story.now, [3, 2]) == [WorkItem("default", 7, 3, 1, 1, 1)]
    story.break_down(1)
    story.retry()
    assert due(story.now, [1]) == [WorkItem("default", 7, 1, 2, 2, story.seq)]


def test_a_task_without_a_plan_asks_for_one() -> None:
    """Subtask 0; after a retry it is another item."""
    story = Story.typed()
    assert due(story.now) == stuck(story.now, 0) == [plan_item(story.now)] == [WorkItem("default", 7, 0, 0, 0, 1)]
    story.do(cmd.FailPlan(OOPS, START))
    assert due(story.now) == []
    story.retry()
    assert due(story.now) == [WorkItem("default", 7, 0, 1, 0, story.seq)]


def test_what_is_held_is_queued_again_when_it_is_stuck() -> None:
    """Under the attempt that holds it: while its item is in flight it is "already queued"."""
    story = Story.of(node("a"), node("b"), node("c", 1))
    story.claim(1)
    assert [(item.subtask, item.attempt) for item in stuck(story.now, 0)] == [(1, 1), (2, 1)]
    story.cancel(1)
    assert [(item.subtask, item.attempt) for item in stuck(story.now, 0)] == [(1, 1), (2, 1)]
    assert [item.subtask for item in due(story.now)] == [2]


def test_what_waits_for_its_time_is_not_stuck() -> None:
    """But it is due at once, and waits in the queue."""
    story = Story.of(node("a", times=1, delay=30))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    now = START.timestamp()
    assert [item.attempt for item in due(story.now)] == [2]
    assert stuck(story.now, now + 29) == []
    assert [item.attempt for item in stuck(story.now, now + 30)] == [2]


def test_an_item_is_read_as_it_was_written() -> None:
    """Subject and body."""
    item = WorkItem("db-1", 7, 3, 2, 5, 99)
    assert item.subject == "work.db-1.7.3.2-5"
    assert parse(item.subject, item.encode()) == item


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("work.default.7.3.2-5", b""),
        ("work.default.7.3.2-5", b"[]"),
        ("work.default.7.3.2-5", b'{"v":1}'),
        ("work.default.7.3.2-5", b'{"v":1,"after":"x"}'),
        ("work.default.7.3.2-5", b'{"v":2,"after":1}'),
        ("work.default.7.3.2-5", b"[" * 100_000),
        ("work.default.7.3.x", b'{"v":1,"after":1}'),
        ("work.default.7.3", b'{"v":1,"after":1}'),
        ("other.default.7.3.2-5", b'{"v":1,"after":1}'),
    ],
)
def test_what_is_no_item_is_a_value_error(subject: str, body: bytes) -> None:
    """And nothing else, so that poison can be put aside (P10)."""
    with pytest.raises(ValueError, match=r"."):
        parse(subject, body)
