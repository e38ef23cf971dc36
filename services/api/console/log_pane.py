"""The log of the chosen subtask."""

from typing import Any

from services.api.console.task_shown import Shown


async def context(found: Shown) -> dict[str, Any]:
    """Return what the pane's template needs."""
    return {"log": {"lines": [], "of": found.chosen}}
