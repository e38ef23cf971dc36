"""What an executor says of a plan before the task is created."""

import json

from services.executor.catalog import Catalog, discover
from services.executor.foresight import MOST_BYTES, foreseen
from services.executor.operations.contract import Params
from services.executor.task_types.contract import task_type
from shared.messages.foresee import Outlook
from shared.task.plan import Plan, SubtaskPlan

OFFERS = discover()


class Many(Params):
    """How many steps."""

    steps: int


@task_type("test.many")
def many(params: Many) -> Plan:
    """Makes so many steps."""
    if params.steps < 0:
        raise RuntimeError("somebody's code")
    nodes = [SubtaskPlan(key=f"step-{n}", operation="noop", params={"secret": "x"}) for n in range(params.steps)]
    return Plan(subtasks=nodes, concurrency=2)


CATALOG = Catalog(OFFERS.operations, {**OFFERS.types, many.name: many})


async def asked(name: str, params: object) -> Outlook:
    """The answer to a question."""
    body = json.dumps({"type": name, "params": params}).encode()
    return Outlook.model_validate_json(await foreseen(body, CATALOG, "default"))


async def test_the_plan_is_told_without_its_parameters() -> None:
    """Names, operations, edges and what can be undone: what a picture needs, and nothing that may be confidential."""
    found = await asked("tenant.create", {"connection": "pg", "name": "acme"})

    assert [node.key for node in found.subtasks] == ["role", "database", "grants", "limit", "verify"]
    assert [node.upstreams for node in found.subtasks] == [(), (1,), (2,), (3,), (4,)]
    assert not any(node.params for node in found.subtasks)
    assert found.subtasks[0].has_undo
    assert (found.total, found.refused) == (5, None)


async def test_what_no_schema_can_say_is_refused_here() -> None:
    """`host.prepare` with nothing to prepare fits its schema and would fail when it is planned."""
    found = await asked("host.prepare", {"check": True})

    assert found.refused is not None
    assert "at least one of packages" in found.refused


async def test_a_graph_that_cannot_be_run_is_refused() -> None:
    """With the words that the task would fail with."""
    assert "a plan has 1 to 5000 subtasks" in ((await asked("test.many", {"steps": 0})).refused or "")


async def test_somebodys_code_may_raise_anything() -> None:
    """It is an answer, not an end."""
    assert "RuntimeError: somebody's code" in ((await asked("test.many", {"steps": -1})).refused or "")


async def test_who_does_not_have_the_type_says_so() -> None:
    """Another executor of the pool may."""
    assert not (await asked("no.such", {})).known


async def test_a_plan_too_large_for_a_message_is_counted() -> None:
    """Its subtasks are left out."""
    body = json.dumps({"type": "test.many", "params": {"steps": 5_000}}).encode()
    answer = await foreseen(body, CATALOG, "default")

    found = Outlook.model_validate_json(answer)
    assert len(answer) < MOST_BYTES
    assert (found.total, found.subtasks) == (5_000, ())


async def test_nonsense_is_answered() -> None:
    """Whoever sent it learns that it cannot be read."""
    found = Outlook.model_validate_json(await foreseen(b"\xff", CATALOG, "default"))
    assert found.refused is not None
