"""Bars that are kept between two looks at a task."""

from collections.abc import Callable

import pytest

from services.api.console import timeline_view
from services.api.console.timeline import bars
from services.api.console.timeline_view import Readings
from shared.log.memory import MemoryStorage
from shared.log.transact import TaskLog
from tests.unit.task.given import Story, node


class Looked:
    """Stories in a log, and bars that are read from it."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.log = TaskLog(self.storage)
        self.readings = Readings()

    async def store(self, task_id: int, story: Story) -> None:
        """Put what is new of a story into the log."""
        last = await self.storage.last(task_id)
        there = len(await self.storage.read(task_id))
        for place, body in enumerate(story.bodies[there:], there):
            last = await self.storage.append(task_id, f"{task_id}-{place}", body, last)

    async def agree(self, task_id: int) -> bool:
        """Whether what is kept is what a reader from the beginning would find."""
        found = await self.readings.bars(self.log, task_id)
        return bool(found) and found == bars(await self.storage.read(task_id))


async def test_what_is_kept_grows_with_the_task() -> None:
    """A live page reads what is new, and shows what a first look would."""
    looked, story = Looked(), Story.of(node("a"), node("b", 1))
    steps: list[Callable[[], object]] = [
        lambda: story.later(1).run(1),
        lambda: story.later(1).break_down(2),
        lambda: story.later(9).retry(),
    ]
    for step in steps:
        await looked.store(7, story)
        assert await looked.agree(7)
        step()
    await looked.store(7, story)
    assert await looked.agree(7)


async def test_tasks_that_nobody_looks_at_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and a task that was forgotten is read anew."""
    monkeypatch.setattr(timeline_view, "KEPT", 3)
    looked = Looked()
    for task_id in (1, 2, 3):
        await looked.store(task_id, Story.of(node("a"), node("b", 1)).later(1).run(1))
        assert await looked.agree(task_id)
    assert list(looked.readings._found) == [3]
    assert await looked.agree(1)
