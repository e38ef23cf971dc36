"""What is shown of a task before it is created."""

from typing import Any

from services.api.asked import Asked, Create
from services.api.console.foreseen import Foreseen, foreseen
from shared.messages.foresee import Outlook
from shared.task.plan import OperationCard, Plan, SubtaskPlan, TypeCard, UndoPlan, freeze
from tests.unit.api.fakes import Desk

ASKED = Asked("ada", "console")
CARDS = {"noop": OperationCard(name="noop"), "once": OperationCard(name="once", delivery="at_most_once")}


async def shown(body: dict[str, Any], told: Outlook | None = None, *, standing: bool = False) -> Foreseen:
    """What is shown of this body."""
    desk = await Desk.furnished()
    await desk.offer(TypeCard(name="greeting", standing=standing))
    found = await desk.commands.preview(Create(body), ASKED)
    return foreseen(found, body, desk.catalog.types.get(body.get("type", "")), told)


def outlook(*nodes: SubtaskPlan, **more: Any) -> Outlook:
    """What an executor would say of this plan."""
    plan = Plan(subtasks=list(nodes), **more)
    nodes_frozen = freeze(plan, CARDS)
    return Outlook(
        total=len(nodes_frozen),
        subtasks=nodes_frozen,
        concurrency=plan.concurrency,
        prohibit_rollback=plan.prohibit_rollback,
    )


async def test_a_plan_of_ones_own_is_known_whole() -> None:
    """How many, where, what it begins with, what it is called and about; and the picture of it."""
    nodes = [{"key": "a", "operation": "noop"}, {"key": "b", "operation": "noop", "upstreams": ["a"]}]
    found = await shown({"plan": {"subtasks": nodes}, "name": "mine", "object": {"kind": "host", "name": "db-17"}})

    assert found.said[:2] == ["2 subtasks in pool default, at most 10 at once.", 'It begins with "a".']
    assert "It is called mine and is about host db-17." in found.said
    assert found.picture is not None
    assert [box.name for box in found.picture.boxes] == ["a", "b"]
    assert len(found.picture.curves) == 1


async def test_what_an_executor_tells_is_drawn() -> None:
    """With what cannot be undone, and what is not run again by itself."""
    told = outlook(
        SubtaskPlan(key="a", operation="once"),
        SubtaskPlan(key="b", operation="noop", upstreams=["a"], undo=UndoPlan(operation="noop")),
        concurrency=0,
    )
    found = await shown({"type": "greeting", "params": {}}, told)

    assert "2 subtasks in pool default, as many at once as there is room for." in found.said
    assert 'Not run again by itself when an executor is lost: "a".' in found.said
    assert "It can be rolled back: 1 of 2 steps has an undo." in found.said


async def test_without_an_executor_it_says_so() -> None:
    """The task could be created all the same, and would wait."""
    found = await shown({"type": "greeting", "params": {}})

    assert found.picture is None
    assert "No executor of pool default answers now" in found.said[0]


async def test_a_refusal_is_no_promise() -> None:
    """What would fail at once is said in the executor's words."""
    assert (await shown({"type": "greeting", "params": {}}, Outlook(refused="no room"))).refused == "no room"


async def test_too_many_are_counted() -> None:
    """A plan that fits into no message has a number."""
    found = await shown({"type": "greeting", "params": {}}, Outlook(total=5000))

    assert (found.picture, "5000 subtasks" in found.said[0]) == (None, True)


async def test_a_standing_task_has_no_plan() -> None:
    """It stands until it is stopped."""
    found = await shown({"type": "greeting", "params": {}}, standing=True)

    assert found.said[0].startswith("It stands from then on until it is stopped")


async def test_long_plans_are_cut_and_rollback_may_be_forbidden() -> None:
    """The table has two hundred steps and says how many it leaves out."""
    found = await shown(
        {"type": "greeting", "params": {}},
        outlook(*(SubtaskPlan(key=f"k{n}", operation="noop") for n in range(250)), prohibit_rollback=True),
    )

    assert (len(found.steps), found.left_out) == (200, 50)
    assert "It cannot be rolled back." in found.said
    assert 'It begins with "k0", "k1", "k2" and 247 more.' in found.said
