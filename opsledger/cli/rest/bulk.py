"""The API's bulk routes as functions: one command on all tasks that a selection finds.

Responsible for: paths, the selection and the pace. Refuses to know: who confirms.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.commands import Preview
from opsledger.cli.rest.tasks import TASKS
from opsledger.cli.rest.view import mapping, objects

MOST_NAMED = 100
"""Ids that a filter takes at most."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a dry run found."""

    json: Mapping[str, Any]

    @property
    def count(self) -> int:
        """How many tasks are selected."""
        found = self.json.get("count")
        return found if isinstance(found, int) else len(self.previews)

    @property
    def previews(self) -> list[Preview]:
        """How each would be answered, or the newest of very many."""
        return [Preview(item) for item in objects(self.json.get("items"))]

    @property
    def ids(self) -> str | None:
        """All of them, for a command on just those that were shown; None when they are too many to be named."""
        found = [str(preview.task_id) for preview in self.previews]
        return ",".join(found) if 0 < len(found) == self.count <= MOST_NAMED else None


async def preview(client: Client, word: str, where: Mapping[str, Any], body: Mapping[str, Any]) -> Selection:
    """Which tasks it would be, and how each would be answered; nothing is stored."""
    answer = await client.send("POST", _path(word), params={**where, "dry_run": "true"}, body=body, harmless=True)
    return Selection(mapping(answer.data))


async def perform(client: Client, word: str, where: Mapping[str, Any], body: Mapping[str, Any], *, key: str) -> Answer:
    """Begin; the answer is the task that carries it out."""
    return await client.send("POST", _path(word), params=where, body=body, key=key)


def _path(word: str) -> str:
    return f"{TASKS}:{word}"
