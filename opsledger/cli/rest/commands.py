"""The API's command routes as functions: try one out, carry one out.

Responsible for: paths, keys and conditions. Refuses to know: who confirms, and how an outcome is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.tasks import TASKS
from opsledger.cli.rest.view import Step, Task, mapping, objects, text


@dataclass(frozen=True, slots=True)
class Order:
    """A command on one task, or on one of its subtasks."""

    word: str
    """retry, skip, cancel, rollback or delete."""
    task_id: int
    step: Step | None = None
    seen: Task | None = None
    """The task as it was when the step was looked up."""

    @property
    def path(self) -> str:
        """Where it is sent."""
        subject = f"{TASKS}/{self.task_id}" + (f"/subtasks/{self.step.id}" if self.step else "")
        return subject if self.word == "delete" else f"{subject}/{self.word}"

    @property
    def method(self) -> str:
        """How it is sent."""
        return "DELETE" if self.word == "delete" else "POST"

    def typed(self, word: str) -> str:
        """What to type for another command on the same subject."""
        subject = f"opsledger task {word} {self.task_id}"
        return f"{subject} --subtask {quote(self.step.name)}" if self.step else subject


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run answered."""

    json: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether the command would be carried out."""
        return self.json.get("accepted") is True

    @property
    def before(self) -> Task:
        """The task as it stands, without its subtasks."""
        return Task.of(self.json.get("before"))

    @property
    def after(self) -> Task:
        """The task as it would stand."""
        return Task.of(self.json.get("after"))

    @property
    def version(self) -> int | None:
        """What the task's version was; a condition for the command that follows."""
        found = mapping(self.json.get("before")).get("version")
        return found if isinstance(found, int) else None

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """What would be written into the log."""
        return objects(self.json.get("events"))

    @property
    def changes(self) -> list[tuple[Step, Step]]:
        """The subtasks that would look different at once, before and after."""
        pairs = [
            (Step({**item, **mapping(item.get("before"))}), Step({**item, **mapping(item.get("after"))}))
            for item in objects(self.json.get("subtasks"))
        ]
        return [(before, after) for before, after in pairs if before.word != after.word]

    @property
    def refusal(self) -> Mapping[str, Any]:
        """Why the command would be refused; empty when it would not."""
        return mapping(self.json.get("refusal"))

    @property
    def task_id(self) -> int:
        """Which task it is about."""
        found = self.json.get("task")
        return found if isinstance(found, int) else 0

    @property
    def name(self) -> str:
        """What the task is called, where the API says so."""
        return text(self.json.get("name"))


async def preview(client: Client, order: Order) -> Preview:
    """What the command would do now; nothing is stored."""
    answer = await client.send(order.method, order.path, params={"dry_run": "true"}, harmless=True)
    return Preview(mapping(answer.data))


async def perform(
    client: Client, order: Order, *, key: str, reason: str | None = None, version: int | None = None
) -> Answer:
    """Carry the command out, once whatever happens on the way; with `version`, only if the task is still at that."""
    return await client.send(
        order.method,
        order.path,
        body={"reason": reason} if reason else None,
        key=key,
        headers={"If-Match": f'"{version}"' if version is not None else None, "Prefer": "return=representation"},
    )
