"""The author's guide: its examples run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from opsledger.kit import ExecutorPolicy, Operation, PermanentFault, TaskType
from services.executor.operations.contract import Context

GUIDE = Path(__file__).parents[3] / "docs" / "writing-operations.md"


@pytest.fixture
def examples() -> dict[str, Any]:
    """Everything that the guide's Python blocks define, in their order."""
    names: dict[str, Any] = {"__name__": "guide"}
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), names)
    return names


async def test_the_guides_own_tests_pass(examples: dict[str, Any], run_operation: Any) -> None:
    """What the guide shows as tests holds."""
    await examples["test_reserves"](run_operation)
    await examples["test_has_a_limit"](run_operation)


async def test_the_guides_operations_work(examples: dict[str, Any], run_operation: Any) -> None:
    """The examples can be used, undone, and refuse what they say they refuse."""
    await run_operation(examples["Reserve"](), {"database": "x", "gigabytes": 1}, phase="undo", output=None)
    await run_operation(examples["Sync"]())

    with pytest.raises(PermanentFault):
        examples["Reserve"]().parse({"database": "x", "gigabytes": 1, "more": 1})


def test_the_guides_task_type_makes_a_plan(examples: dict[str, Any]) -> None:
    """Two hosts make three subtasks."""
    rollout = examples["rollout"]

    assert isinstance(rollout, TaskType)
    assert [node.key for node in rollout.plan({"hosts": ["a", "b"]}).subtasks] == ["restart-a", "restart-b", "done"]


def test_the_guide_names_what_there_is() -> None:
    """Every class variable, every field of the context and the policy's inherited names stand in the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    variables = [name for name in Operation.__annotations__ if name != "Params"]
    fields = [name for name in Context.__slots__ if name not in {"resolve_secret", "on_progress", "children"}]

    missing = [name for name in (*variables, *fields, *ExecutorPolicy().env_allow) if f"`{name}" not in text]

    assert [name for name in missing if f"`await {name}" not in text and f"await {name}." not in text] == []
