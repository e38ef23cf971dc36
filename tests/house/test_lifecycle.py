"""`docs/task-lifecycle.md` says what the program does: states, transitions, and which command is legal when."""

from collections import Counter

from shared.messages.codec import decode, digest
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.events import TaskCreated
from shared.task.evolve import create, evolve, seal
from shared.task.state import SubtaskStatus, Task, TaskState
from tests.house.tables import table
from tests.unit.task.crowd import tell
from tests.unit.task.given import START, Story
from tests.unit.task.situations import NOT_TO_BE_STOPPED, SUBTASKS, TASKS
from tests.unit.task.test_table import ON_SUBTASK, ON_TASK

DOCUMENT = "task-lifecycle.md"
NOTHING = "\N{EN DASH}"


def test_every_state_of_a_task_has_its_row() -> None:
    """The words of the enum, each once."""
    assert [row[0] for row in table(DOCUMENT, "state", "OCP status", "meaning")] == [state.value for state in TaskState]


def test_every_status_of_a_subtask_has_its_row() -> None:
    """The words of the enum, each once."""
    assert [row[0] for row in table(DOCUMENT, "status", "meaning")] == [status.value for status in SubtaskStatus]


def test_the_table_of_commands_on_a_task() -> None:
    """Every row is reached by a story, and allows there what it says; every situation has its row."""
    program = []
    for situation, build in TASKS.items():
        task = build().now
        legal = ", ".join(allowed_on_task(task)) or NOTHING
        program.append((situation, task.state.value, task.direction.value, legal))
    assert table(DOCUMENT, "situation", "state", "direction", "legal") == program


def test_the_table_of_commands_on_a_subtask() -> None:
    """Every row is reached by a story, and allows there what it says; every situation has its row."""
    program = []
    for situation, (build, number) in SUBTASKS.items():
        story = build()
        subtask = story[number]
        legal = ", ".join(allowed_on_subtask(story.now, subtask)) or NOTHING
        program.append((situation, subtask.status.value, story.now.direction.value, legal))
    assert table(DOCUMENT, "situation", "status", "direction", "legal") == program


def test_the_table_of_effects_on_a_task() -> None:
    """What each legal command makes of the task and of each of its subtasks, in every situation."""
    program = []
    for situation, build in TASKS.items():
        for word in allowed_on_task(build().now):
            story = build()
            story.do(ON_TASK[word](START))
            state = story.now.state.value + (", deleted" if story.now.deleted else "")
            subtasks = ", ".join(f"{s.status} {s.operation}" for s in story.now.subtasks) or NOTHING
            program.append((situation, word, state, subtasks))
    assert table(DOCUMENT, "situation", "command", "task", "its subtasks") == program


def test_the_table_of_effects_on_a_subtask() -> None:
    """What each legal command makes of the subtask, and of its task, in every situation."""
    program = []
    for situation, (build, number) in SUBTASKS.items():
        before = build()
        for word in allowed_on_subtask(before.now, before[number]):
            story = build()
            story.do(ON_SUBTASK[word](START, number=number))
            subtask = story[number]
            up = "one up" if subtask.generation > before[number].generation else "kept"
            program.append((situation, word, f"{subtask.status} {subtask.operation}", up, story.now.state.value))
    assert table(DOCUMENT, "situation", "command", "subtask", "generation", "task") == program


def test_the_table_of_transitions() -> None:
    """What the events of hundreds of stories do to the subtask they name is in the table, and the other way round."""
    seen: Counter[tuple[str, ...]] = Counter()
    for seed in range(50_000, 50_500):
        _observe(tell(seed, 150), seen)
    for build in NOT_TO_BE_STOPPED:
        _observe(build(), seen)
    rows = table(DOCUMENT, "event", "direction", "from", "to")
    assert len(rows) == len(set(rows))
    assert set(seen) == set(rows)


def _observe(story: Story, seen: Counter[tuple[str, ...]]) -> None:
    task: Task | None = None
    for seq, body in enumerate(story.bodies, start=1):
        for decision in decode(body).decisions:
            for event in decision.events:
                if isinstance(event, TaskCreated):
                    task = create(7, event, decision.by.actor(), decision.at)
                    continue
                assert task is not None
                number = getattr(event, "subtask", None)
                before = task.subtasks[number - 1].status if number else None
                assert evolve(task, event, decision.at)
                if before is not None and number:
                    after = task.subtasks[number - 1].status
                    seen[event.type, task.direction.value, before.value, after.value] += 1
        assert task is not None
        seal(task, seq, digest(body), changed=True)
