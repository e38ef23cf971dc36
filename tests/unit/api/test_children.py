"""Standing tasks and their children on their way in: what a parent gives, and when there is no child."""

from typing import Any

import pytest

from services.api.asked import Asked, Create, act
from services.api.invalid import Invalid
from shared.task.plan import TypeCard
from shared.task.refusals import IllegalState
from shared.task.state import Task, TaskState
from shared.task.words import TEAM
from tests.unit.api.fakes import Desk

ADA = Asked("ada", "rest")
OF = {"type": "object", "properties": {"task": {"type": "integer"}, "from": {"type": "string", "maxLength": 5}}}


async def desk() -> Desk:
    """A desk with a standing type `feed` and its children's type `feed.request`."""
    found = await Desk.furnished()
    await found.offer(
        TypeCard(name="feed", standing=True),
        TypeCard(
            name="feed.request",
            child_of="feed",
            params_schema={
                "type": "object",
                "properties": {"n": {"type": "integer"}, "of": OF},
                "required": ["of"],
                "additionalProperties": False,
            },
        ),
    )
    return found


async def feed(desk: Desk, asked: Asked = ADA, **more: Any) -> Task:
    """A standing task."""
    return (await desk.commands.perform(Create({"type": "feed", "params": {"from": "a"}, **more}), asked)).task


def request(parent: int | None, **more: Any) -> Create:
    """A child to be."""
    body = {"type": "feed.request", "params": {"n": 1}, **more}
    return Create(body if parent is None else {**body, "parent": parent})


async def refused(desk: Desk, create: Create, asked: Asked = ADA) -> str:
    """What is said about a child that cannot be; nothing is stored."""
    before = len(desk.storage.messages)
    with pytest.raises(Invalid) as refusal:
        await desk.commands.perform(create, asked)
    assert len(desk.storage.messages) == before
    return str(refusal.value)


async def test_a_standing_task_runs_at_once_and_is_never_queued() -> None:
    """Created it is RUNNING; stopped CANCELLED, started again RUNNING; nothing of it goes to the queue."""
    here = await desk()
    task = await feed(here)
    assert (task.state, task.standing, task.subtasks) == (TaskState.RUNNING, True, [])
    stopped = (await here.commands.perform(act(task.id, "cancel"), ADA)).task
    assert (stopped.state, stopped.finished_at is not None) == (TaskState.CANCELLED, True)
    for word in ("skip", "rollback", "cancel"):
        with pytest.raises(IllegalState):
            await here.commands.perform(act(task.id, word), ADA)
    started = (await here.commands.perform(act(task.id, "retry"), ADA)).task
    assert (started.state, started.finished_at) == (TaskState.RUNNING, None)
    with pytest.raises(IllegalState):
        await here.commands.perform(act(task.id, "delete"), ADA)
    await here.commands.close()
    assert here.queue.items == {}


async def test_a_child_has_its_parents_parameters_and_id() -> None:
    """Under `of`; it is a task like any other, to be planned by an executor."""
    here = await desk()
    parent = await feed(here)
    child = (await here.commands.perform(request(parent.id), ADA)).task
    assert child.params == {"n": 1, "of": {"from": "a", "task": parent.id}}
    assert (child.state, child.parent, child.standing) == (TaskState.INITIALIZING, parent.id, False)
    preview = await here.commands.preview(request(parent.id), ADA)
    assert preview.after is not None
    assert preview.after.params == child.params


async def test_a_child_needs_a_running_parent_of_its_type() -> None:
    """No parent, a parent that is missing, of another type, stopped or deleted: each says which it is."""
    here = await desk()
    parent = await feed(here)
    other = (await here.commands.perform(Create({"type": "greeting", "params": {"name": "Bo"}}), ADA)).task
    assert await refused(here, request(None)) == (
        "/parent: A task of type 'feed.request' needs a parent of type 'feed'."
    )
    assert await refused(here, request(99)) == "/parent: The task 99 does not exist."
    assert "is of type 'greeting'" in await refused(here, request(other.id))
    await here.commands.perform(act(parent.id, "cancel"), ADA)
    assert await refused(here, request(parent.id)) == (
        f"/parent: The task {parent.id} takes no requests: it is CANCELLED. Start it (retry) first."
    )
    await here.commands.perform(act(parent.id, "delete"), ADA)
    assert "it is deleted" in await refused(here, request(parent.id))


async def test_nobody_says_himself_whose_child_it_is() -> None:
    """A caller's own `of` is refused, whatever it holds."""
    here = await desk()
    parent = await feed(here)
    for of in ({"task": parent.id, "from": "a"}, None, {}):
        assert (await refused(here, request(parent.id, params={"n": 1, "of": of}))).startswith("/params/of: ")


async def test_the_schema_is_asked_with_the_parents_parameters() -> None:
    """What does not fit is refused at its place, the child's own and what it has from its parent."""
    here = await desk()
    parent = await feed(here)
    assert (await refused(here, request(parent.id, params={"n": "x"}))).startswith("/params/n: ")
    wide = await feed(here, params={"from": "too long"})
    assert (await refused(here, request(wide.id))).startswith("/params/of/from: ")


async def test_a_key_stands_for_what_its_caller_sent() -> None:
    """The same body gives the same child, also when the parent was stopped since; another body is another use."""
    here, keyed = await desk(), Asked("ada", "rest", "key-1")
    parent = await feed(here)
    first = await here.commands.perform(request(parent.id), keyed)
    await here.commands.perform(act(parent.id, "cancel"), ADA)
    again = await here.commands.perform(request(parent.id), keyed)
    assert (again.replayed, again.task.id) == (True, first.task.id)


async def test_a_child_is_of_its_parents_team() -> None:
    """Unless it names one; callers of several teams need not say which, and others' parents are not there."""
    here = await desk()
    both = Asked("ann", "rest", teams=frozenset({"red", "blue"}))
    parent = await feed(here, labels={TEAM: "red"})
    assert (await here.commands.perform(request(parent.id), ADA)).task.labels == {TEAM: "red"}
    assert (await here.commands.perform(request(parent.id), both)).task.labels == {TEAM: "red"}
    named = request(parent.id, labels={TEAM: "blue", "a": "b"})
    assert (await here.commands.perform(named, both)).task.labels == {TEAM: "blue", "a": "b"}
    green = Asked("gil", "rest", teams=frozenset({"green"}))
    assert await refused(here, request(parent.id), green) == f"/parent: The task {parent.id} does not exist."
    assert (await here.commands.perform(request((await feed(here)).id), ADA)).task.labels == {}
