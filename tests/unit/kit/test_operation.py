"""`@operation`: what it makes, and what it refuses when a module is imported."""

from datetime import timedelta
from typing import Any

import pytest

from opsledger import kit
from opsledger.testing import RunOperation
from services.executor.catalog import operation_card
from tests.unit.kit.wares import MarkParams, busy, mark, once


def test_it_makes_an_operation_like_a_class_does() -> None:
    """Name, parameters, defaults and the docstring end up on the card."""
    card = operation_card(mark, "default")

    assert isinstance(mark, kit.Operation)
    assert (card.name, card.description, card.timeout_s) == ("test.mark", "Leaves a mark.", 30)
    assert card.params_schema["required"] == ["name"]
    assert card.abilities.undo
    assert card.delivery == "at_least_once"


def test_what_is_asked_for_is_on_the_card() -> None:
    """Delivery, abilities and a missing undo, too; a function of the context alone takes no parameters."""
    card = operation_card(once, "default")

    assert (card.delivery, card.prohibit_rollback, card.abilities.undo) == ("at_most_once", True, False)
    assert once.Params is kit.NoParams
    assert once.timeout == timedelta(hours=1)


async def test_the_output_of_a_model_comes_back_as_the_model(run_operation: RunOperation) -> None:
    """JSON lies between an execution and its undo; an author sees the model on both sides."""
    ran = await run_operation(mark, {"name": "a"})
    undone = await run_operation(mark, {"name": "a"}, phase="undo", output=ran.output)
    late = await run_operation(mark, {"name": "a"}, phase="undo", output=None)

    assert ran.output == {"path": "a"}
    assert undone.log == ["removing a"]
    assert late.log == ["removing whatever is there"]


async def test_an_output_of_another_form_is_a_clear_fault(run_operation: RunOperation) -> None:
    """An older version of the operation may have told something else."""
    with pytest.raises(kit.PermanentFault, match="is not of its form: path"):
        await run_operation(mark, {"name": "a"}, phase="undo", output={"file": "a"})


def test_two_operations_share_nothing() -> None:
    """An undo belongs to the operation it was attached to."""
    assert mark.has_undo()
    assert not busy.has_undo()


def _sync(ctx: kit.Context, params: MarkParams) -> None: ...


async def _many(ctx: kit.Context, params: MarkParams, more: int) -> None: ...


async def _bare(ctx: kit.Context, params: dict[str, str]) -> None: ...


async def _turned(params: MarkParams, ctx: kit.Context) -> None: ...


async def _untellable(ctx: kit.Context, params: "Unknown") -> None: ...  # type: ignore[name-defined] # noqa: F821


async def _opaque(ctx: kit.Context, params: MarkParams) -> pytest.Item:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (_sync, "is an async function: write `async def _sync"),
        (_many, "takes ctx and params, or ctx alone; this function takes ctx, params, more"),
        (_bare, "annotate 'params' with a model of its parameters"),
        (_turned, "what comes first is the context"),
        (_untellable, "define what annotations name before it"),
        (_opaque, "returns what JSON cannot hold"),
    ],
)
def test_a_function_that_could_not_work_is_refused(work: Any, told: str) -> None:
    """Misuse shows at import, with what to write instead."""
    with pytest.raises(TypeError, match=told):
        kit.operation("test.wrong")(work)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": "no spaces"}, "a name has letters"),
        ({"delivery": "exactly_once"}, "delivery is 'at_least_once' or 'at_most_once'"),
        ({"version": 0}, "version starts at 1"),
        ({"timeout": 0}, "timeout is more than 0"),
        ({"pool": "a.b"}, "a pool's name"),
        ({"retry": kit.RetryPolicy(times=3)}, "stands in the plan"),
    ],
)
def test_a_setting_that_could_not_work_is_refused(settings: dict[str, Any], told: str) -> None:
    """So does a wrong setting."""
    with pytest.raises(TypeError, match=told):
        kit.operation(**{"name": "test.wrong", **settings})


async def _undo(ctx: kit.Context, params: MarkParams, output: Any) -> None: ...


async def _undo_never_none(ctx: kit.Context, params: MarkParams, output: dict[str, str]) -> None: ...


async def _undo_others(ctx: kit.Context, params: kit.NoParams, output: Any) -> None: ...


async def _undo_short(ctx: kit.Context, params: MarkParams) -> None: ...


async def work(ctx: kit.Context, params: MarkParams) -> dict[str, str]:
    """Work."""
    return {}


@pytest.mark.parametrize(
    ("undo", "told"),
    [
        (_undo_never_none, "annotate 'output' with `| None`"),
        (_undo_others, "annotate params: MarkParams"),
        (_undo_short, "takes ctx, params, output; this function takes ctx, params"),
        (work, "needs a name of its own"),
    ],
)
def test_an_undo_that_could_not_work_is_refused(undo: Any, told: str) -> None:
    """An undo that does not expect None would fail exactly when it is needed most."""
    made = kit.operation("test.wrong")(work)

    with pytest.raises(TypeError, match=told):
        made.undo(undo)


def test_a_second_undo_is_refused() -> None:
    """There is one way back."""
    made = kit.operation("test.wrong")(work)
    made.undo(_undo)

    with pytest.raises(TypeError, match="is there already"):
        made.undo(_undo)


def test_task_types_are_refused_likewise() -> None:
    """A plan is made at once, of one model; a standing task has no parent."""

    async def slow(params: MarkParams) -> kit.Plan:
        return kit.Plan(subtasks=[])

    def standing(params: MarkParams) -> None: ...

    with pytest.raises(TypeError, match="write `def`"):
        kit.task_type("test.slow")(slow)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not child_of"):
        kit.task_type("test.both", standing=True, child_of="test.other")(standing)
    with pytest.raises(kit.PermanentFault, match="have no plan"):
        kit.task_type("test.standing", standing=True)(standing).plan({"name": "a"})
